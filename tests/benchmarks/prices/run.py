"""One thing to measure, in a process of its own: ``python -m tests.benchmarks.prices.run STEP …``.

Prints one line of JSON: ``secs`` of the work itself, without start-up and imports; ``rss_mb``,
the most memory that this process had at a time, or the program that it started; ``rows``.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sync.flows.context import FlowResult

Told = dict[str, Any]


def own_peak_mb() -> float:
    """Of this process since its program was started, which ``getrusage`` does not tell: there
    it begins with what the parent had."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the kernel tells no VmHWM")


def childrens_peak_mb() -> float:
    """Of the greatest of the programs that this small process has started."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def program(*command: str) -> Told:
    """Any program, start-up included."""
    begun = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    secs = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(done.stderr.decode(errors="replace")[-2000:])
    return {"secs": secs, "rss_mb": childrens_peak_mb()}


def pipe(psql: str, source: str, out: str, target: str, into: str) -> Told:
    """COPY out into COPY in, through psql on both sides."""
    begun = time.perf_counter()
    with subprocess.Popen(
        [psql, source, "-qc", f"COPY ({out}) TO STDOUT"], stdout=subprocess.PIPE
    ) as reading:
        loaded = subprocess.run(
            [psql, target, "-qc", f"COPY {into} FROM STDIN"], stdin=reading.stdout, check=False
        )
        assert reading.stdout is not None
        reading.stdout.close()
    secs = time.perf_counter() - begun
    if loaded.returncode or reading.returncode:
        raise SystemExit("COPY failed")
    return {"secs": secs, "rss_mb": childrens_peak_mb()}


def copy_out(url: str, query: str) -> Told:
    """COPY out through psycopg."""
    import psycopg

    size = 0
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        begun = time.perf_counter()
        with cursor.copy(f"COPY ({query}) TO STDOUT") as copy:
            for piece in copy:
                size += len(piece)
        secs = time.perf_counter() - begun
    return {"secs": secs, "rss_mb": own_peak_mb(), "bytes": size}


def mirrored(site: str) -> tuple[float, FlowResult]:
    """Seconds that the mirror of prices of this site took, and what it did."""
    from sync.bootstrap import adapter_names, open_installation
    from sync.flows.cycle import run_flow
    from sync.scheduling.clock import SystemClock
    from sync.settings import load_settings, resolve_site

    settings = load_settings(resolve_site(site, {}), {}, adapter_names)
    with open_installation(settings, SystemClock()) as installation:
        line = installation.pipeline(None)
        begun = time.perf_counter()
        result = run_flow(line.context(), "prices")
        return time.perf_counter() - begun, result


def flow(site: str) -> Told:
    """The mirror of prices, as ``tradesync resync prices`` runs it."""
    from sync.cli.garbage import search_less_often
    from sync.logs import configure

    search_less_often()
    configure("warning", "text")
    secs, result = mirrored(site)
    if result.outcome != "ok":
        raise SystemExit(f"{result.outcome}: {result.message}")
    told = {"secs": secs, "rss_mb": own_peak_mb(), "rows": result.writes, "counts": result.counts}
    return {**told, "lists": result.price_lists} if result.price_lists else told


def flow_http(site: str) -> Told:
    """The same into the store of ``http_store``, which registers as other authors' stores do."""
    import sync.stores

    sync.stores.REGISTRY["bench_http"] = "tests.benchmarks.prices.http_store:HttpShop"
    return flow(site)


def post(url: str, count: str, threads: str, per_second: str) -> Told:
    """So many requests of a hundred made-up rows, and nothing else done beside it."""
    from sync.kit.pool import together
    from tests.benchmarks.prices.http_store import ROWS, a_session

    session = a_session(url, int(threads), float(per_second) or None)
    rows = {f"C000000|ITEM-{n}|1": f"{n}.2500" for n in range(ROWS)}
    body = {"put": rows, "remove": []}
    begun = time.perf_counter()
    together(
        range(int(count)),
        lambda _: session.write("POST", "/prices", json=body),
        threads=int(threads),
    )
    return {"secs": time.perf_counter() - begun, "rss_mb": own_peak_mb(), "rows": int(count) * ROWS}


def read(site: str) -> Told:
    """All vectors that the ERP tells, level by level, and nothing done with them."""
    from sync.bootstrap import adapter_names, open_installation
    from sync.ports.erp import SupportsPriceBatches
    from sync.scheduling.clock import SystemClock
    from sync.settings import load_settings, resolve_site

    settings = load_settings(resolve_site(site, {}), {}, adapter_names)
    rows = 0
    with open_installation(settings, SystemClock()) as installation:
        erp = installation.pipeline(None).erp
        if not isinstance(erp, SupportsPriceBatches):
            raise SystemExit("this ERP tells no vectors")
        begun = time.perf_counter()
        for level in erp.batched_levels:
            for _, vector in erp.price_vectors(level):
                rows += len(vector)
        secs = time.perf_counter() - begun
    return {"secs": secs, "rss_mb": own_peak_mb(), "rows": rows}


def detect(vectors: str, known: str) -> Told:
    """Vectors from a file, made canonical and told by their fingerprints from those known."""
    import pyarrow as pa

    from sync.columnar.vectors import canonical, fingerprint

    before = set(Path(known).read_text().split())
    rows = new = 0
    begun = time.perf_counter()
    with pa.memory_map(vectors) as source, pa.ipc.open_stream(source) as batches:
        for batch in batches:
            vector = canonical(pa.Table.from_batches([batch]))
            new += fingerprint(vector).hex() not in before
            rows += len(vector)
    secs = time.perf_counter() - begun
    return {"secs": secs, "rss_mb": own_peak_mb(), "rows": rows, "new": new}


STEPS: dict[str, Callable[..., Told]] = {
    "program": program,
    "pipe": pipe,
    "copy-out": copy_out,
    "flow": flow,
    "flow-http": flow_http,
    "post": post,
    "read": read,
    "detect": detect,
}


def main() -> None:
    step, *arguments = sys.argv[1:]
    told = STEPS[step](*arguments)
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
