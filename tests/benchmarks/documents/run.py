"""One thing to measure, in a process of its own: ``python -m tests.benchmarks.documents.run``.

Prints one line of JSON: ``secs`` of the work itself, without start-up and imports; ``cpu_s``,
the processor time of this process in it; ``rss_mb``, the most memory that it had at a time.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.benchmarks.prices.run import own_peak_mb

if TYPE_CHECKING:
    from sync.bootstrap import Pipeline
    from sync.flows.context import FlowResult

Told = dict[str, Any]


@contextmanager
def opened(site: str) -> Iterator[Pipeline]:
    from sync.bootstrap import adapter_names, open_installation
    from sync.scheduling.clock import SystemClock
    from sync.settings import load_settings, resolve_site

    settings = load_settings(resolve_site(site, {}), {}, adapter_names)
    with open_installation(settings, SystemClock()) as installation:
        yield installation.pipeline(None)


def mirrored(site: str, name: str) -> tuple[float, float, FlowResult]:
    """Seconds and processor time that one mirror of this site took, and what it did."""
    from sync.flows.cycle import run_flow

    with opened(site) as line:
        begun, used = time.perf_counter(), time.process_time()
        result = run_flow(line.context(), name)
        return time.perf_counter() - begun, time.process_time() - used, result


def flow(site: str, name: str) -> Told:
    """One mirror, as the daemon runs it."""
    secs, cpu_s, result = mirrored(site, name)
    if result.outcome != "ok":
        raise SystemExit(f"{result.outcome}: {result.message}")
    told = {"secs": secs, "cpu_s": cpu_s, "rss_mb": own_peak_mb()}
    return {**told, "counts": result.counts, "writes": result.writes}


class _Spent:
    """Seconds and processor time, by what they were spent on."""

    def __init__(self) -> None:
        self.parts: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        begun, used = time.perf_counter(), time.process_time()
        yield
        self.parts[what][0] += time.perf_counter() - begun
        self.parts[what][1] += time.process_time() - used


def parts(site: str) -> Told:
    """What a night costs that compares all invoices with the store, part by part."""
    from sync.flows.context import needs
    from sync.flows.everybody import everybody
    from sync.flows.mirroring import in_erp
    from sync.flows.pacing import paced
    from sync.planning.plan import plan_mirror
    from sync.ports.erp import ReadsInvoices
    from sync.ports.store import MirrorsInvoices

    spent = _Spent()
    with opened(site) as line:
        context = line.context()
        erp = needs(context.erp, ReadsInvoices, "the ERP")
        store = needs(context.store, MirrorsInvoices, "the store")
        with spent.on("who is mapped"):
            ids = sorted(everybody(context))
        batches = paced(ids, context.limits.accounts_per_read)
        for batch in batches:
            with spent.on("accounts of the ERP"):
                here = in_erp(context, context.retrying(), batch)
            with spent.on("reading the ERP"):
                wanted = {(each.sold_to, each.number): each for each in erp.invoices(here)}
            with spent.on("reading the store"):
                shown = store.shown_invoices(batch)
            with spent.on("comparing"):
                differing = list(plan_mirror(wanted, shown, _texts))
            if differing:
                raise SystemExit(f"{len(differing)} differ")
            batches.held(len(wanted) + len(shown))
    return {**_sums(spent.parts), "rss_mb": own_peak_mb(), "parts": spent.parts}


def _texts(key: tuple[Any, Any]) -> tuple[str, str]:
    return key[0].value, key[1].value


def _sums(parts: Mapping[str, list[float]]) -> Told:
    secs, cpu_s = (sum(each[at] for each in parts.values()) for at in (0, 1))
    return {"secs": secs, "cpu_s": cpu_s}


STEPS: dict[str, Callable[..., Told]] = {"flow": flow, "parts": parts}


def main() -> None:
    from sync.cli.garbage import search_less_often
    from sync.logs import configure

    search_less_often()
    configure("warning", "text")
    step, *arguments = sys.argv[1:]
    sys.stdout.write(json.dumps(STEPS[step](*arguments)) + "\n")


if __name__ == "__main__":
    main()
