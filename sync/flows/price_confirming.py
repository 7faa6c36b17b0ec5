"""What is remembered of partitions, kept true whatever breaks off.

Before the first write to a partition its memory is forgotten, in a transaction that is
committed before the store is called. It comes back, as it is now, when the store has
confirmed the last of its changes. A run that dies in between leaves a partition that
nothing is known of: it is compared with the store by the next run. Nor is anything
confirmed of an account that another flow has withdrawn meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from sync.domain.pricing import AudienceKind, PriceLevel, PriceScope
from sync.flows.context import Context
from sync.flows.mirroring import chunks
from sync.planning.price_spool import Kept, PriceSpool
from sync.ports.price_memory import Confirmed, Forgotten, PackedVector, Partition, Stated
from sync.ports.state import Transaction

# Partitions that are confirmed in one transaction of the state.
TOGETHER = 200

UNCERTAIN = bytes(16)
"""In place of the rules that a partition is published by: nobody has any that are told so."""


class Confirming:
    """Follows a plan while it is written. With nothing to remember it only forgets."""

    def __init__(self, context: Context, spool: PriceSpool, *, dry_run: bool = False) -> None:
        self._context, self._spool, self._dry_run = context, spool, dry_run
        with context.state.transaction() as state:
            self._held = dict(state.price_memory.confirmed())
            self._forgotten = state.price_memory.forgotten()
        self._vectors: dict[bytes, Kept] = {}
        self._bases: dict[bytes, bytes] = {}
        self._wanted: dict[Partition, Confirmed] = {}
        self._done: list[Partition] = []
        self._doubted: set[Partition] = set()
        self._touched = False
        self._states: dict[PriceScope, Stated | None] = {}

    @property
    def held(self) -> Mapping[Partition, Confirmed]:
        """What the store had confirmed when it was last told something."""
        return self._held

    def keeps(self, fingerprint: bytes) -> bool:
        """Whether the vector was put aside in this run."""
        return fingerprint in self._vectors

    def put_aside(self, fingerprint: bytes) -> PackedVector | None:
        """The vector as it was put aside in this run; None where it was not."""
        if fingerprint not in self._vectors:
            return None
        content = self._spool.bytes_of(self._vectors[fingerprint])
        return PackedVector(fingerprint, self._bases.get(fingerprint), content)

    def base_of(self, fingerprint: bytes) -> bytes | None:
        """What a vector that was put aside in this run is kept as a difference from."""
        return self._bases.get(fingerprint)

    def keep(self, fingerprint: bytes, base: bytes | None, content: bytes) -> None:
        """Put a packed vector aside, for partitions that are made of it."""
        self._vectors[fingerprint] = self._spool.keep_bytes(content)
        if base is not None:
            self._bases[fingerprint] = base

    def expected(self, partition: Partition) -> Confirmed | None:
        """What ``expect`` was told of it."""
        return self._wanted.get(partition)

    def expect(self, partition: Partition, confirmed: Confirmed) -> None:
        """So the partition will be, once all that was put aside for it is written."""
        self._wanted[partition] = confirmed

    def expect_state(self, scope: PriceScope, stated: Stated | None) -> None:
        """To be remembered, or no more, once the store has confirmed all of the scope."""
        self._states[scope] = stated

    def doubt_states(self, scopes: Iterable[PriceScope]) -> None:
        """What the ERP said of these is not true: believed no more whatever becomes of this run."""
        gone = list(scopes)
        if gone and not self._dry_run:
            with self._context.state.transaction() as state:
                state.price_memory.forget_stated(gone)

    def doubt(self, partition: Partition) -> None:
        """The store does not show it as it had confirmed it.

        That is believed no more whatever becomes of this run: it may be refused, or break
        off before it comes to this partition. ``forget_doubted`` says the last of them.
        """
        if partition in self._held and not self._dry_run:
            self._doubted.add(partition)
        if len(self._doubted) >= TOGETHER:
            self.forget_doubted()

    def compare_later(self, partitions: Iterable[Partition]) -> None:
        """These were to be compared with the store, and nobody could say what with.

        The next run to which the ERP tells them does it. Until then it is known how many
        entries they have, so that no run need ask the store what stays as it is.
        """
        late = [each for each in partitions if each in self._held]
        if self._dry_run or not late:
            return
        with self._context.state.transaction() as state:
            taken = self._taken(state)
            state.price_memory.confirm(
                {
                    each: replace(self._held[each], rules=UNCERTAIN)
                    for each in late
                    if not _is_of(each, taken)
                }
            )

    def forget_doubted(self) -> None:
        self._forget(self._doubted)
        self._doubted = set()

    def begin(self, stale: Iterable[Partition]) -> None:
        """Before anything is written: what needs no write is confirmed, ``stale`` forgotten."""
        self._forget([each for each in stale if each in self._held])
        for partition, confirmed in self._wanted.items():
            needs_none = not self._spool.outstanding.get(partition)
            if needs_none and self._held.get(partition) != confirmed:
                self._finish(partition)

    def before(self, partitions: Iterable[Partition]) -> None:
        """These are written next."""
        self._forget({each for each in partitions if each in self._held})

    def written(self, partition: Partition, changes: int = 1) -> None:
        """The store has confirmed so many changes of the partition."""
        outstanding = self._spool.outstanding
        outstanding[partition] -= changes
        if not outstanding[partition] and partition in self._wanted:
            self._finish(partition)

    def end(self) -> None:
        """Nothing more is written."""
        self._commit([])
        self._remember_states()
        if self._touched:
            with self._context.state.transaction() as state:
                state.price_memory.tidy()

    def _remember_states(self) -> None:
        left = {scope for (_, scope), changes in self._spool.outstanding.items() if changes}
        told = (pair for pair in self._states.items() if pair[0] not in left)
        # A first load has a vector of each: all of them were not in memory before, either.
        for some in chunks(told, TOGETHER):
            with self._context.state.transaction() as state:
                taken = self._taken(state)
                stated = {
                    scope: each
                    for scope, each in some
                    if each is not None and not _is_own(scope, taken)
                }
                state.price_memory.keep(self._packed({each.vector for each in stated.values()}))
                state.price_memory.forget_stated({scope for scope, _ in some} - stated.keys())
                state.price_memory.remember(stated)
            self._touched = True

    def _taken(self, state: Transaction) -> Collection[Forgotten]:
        """Accounts and sites that somebody else has forgotten since the run began."""
        return dict(state.price_memory.forgotten().items() - self._forgotten.items())

    def _finish(self, partition: Partition) -> None:
        self._done.append(partition)
        if len(self._done) >= TOGETHER:
            self._commit([])

    def _forget(self, partitions: Collection[Partition]) -> None:
        if partitions:
            self._commit(partitions)

    def _commit(self, forgotten: Collection[Partition]) -> None:
        """What is confirmed by now, and what no longer is."""
        if not forgotten and not self._done:
            return
        with self._context.state.transaction() as state:
            taken = self._taken(state)
            confirmed = {each: self._wanted[each] for each in self._done if not _is_of(each, taken)}
            state.price_memory.forget(forgotten)
            state.price_memory.keep(self._packed({each.vector for each in confirmed.values()}))
            state.price_memory.confirm(confirmed)
        self._touched = True
        for each in forgotten:
            self._held.pop(each, None)
        self._held |= confirmed
        self._done.clear()

    def _packed(self, fingerprints: Collection[bytes]) -> list[PackedVector]:
        own = {each for each in fingerprints if each in self._vectors}
        # A difference is worth nothing without what it differs from.
        own |= {base for each in own if (base := self._bases.get(each)) in self._vectors}
        return [found for each in sorted(own) if (found := self.put_aside(each)) is not None]


def _is_of(partition: Partition, taken: Collection[Forgotten]) -> bool:
    """Whether somebody else has it taken away from the store since the run began."""
    audience = partition[0]
    all_sites = audience.kind is AudienceKind.LOCATION and (AudienceKind.LOCATION, "") in taken
    return all_sites or (audience.kind, audience.key) in taken


def _is_own(scope: PriceScope, taken: Collection[Forgotten]) -> bool:
    """The same of entries that are an account's or a site's own."""
    if scope.level is PriceLevel.LOCATION:
        return bool({(AudienceKind.LOCATION, ""), (AudienceKind.LOCATION, scope.owner)} & {*taken})
    return scope.level is PriceLevel.ACCOUNT and (AudienceKind.ACCOUNT, scope.owner) in taken
