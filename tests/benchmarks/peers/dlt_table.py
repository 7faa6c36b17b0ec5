"""Brings a table over with dlt, as its guide says: ``dlt_table.py BACKEND SOURCE TARGET FOLDER``.

Runs in the peers' environment, so it imports nothing of ours. Prints one line of JSON.
``merge`` with a key is dlt's way to update in place; ``upsert`` the faster of its two kinds.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

KEY = ["owner", "item_no", "min_quantity"]


def main(backend: str, source: str, target: str, folder: str) -> None:
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["DLT_DATA_DIR"] = folder
    dlt: Any = importlib.import_module("dlt")
    database: Any = importlib.import_module("dlt.sources.sql_database")
    table = database.sql_table(
        credentials=source, table="customer_prices", backend=backend, chunk_size=50_000
    )
    table.apply_hints(
        primary_key=KEY, write_disposition={"disposition": "merge", "strategy": "upsert"}
    )
    pipeline = dlt.pipeline(
        "prices",
        destination=dlt.destinations.postgres(credentials=target),
        dataset_name="shop",
        pipelines_dir=folder,
    )
    begun = time.perf_counter()
    pipeline.run(table)
    secs = time.perf_counter() - begun
    (peak,) = (
        int(line.split()[1]) / 1024
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    )
    sys.stdout.write(json.dumps({"secs": secs, "rss_mb": peak}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
