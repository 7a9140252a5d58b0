"""Labels and exclusions of every series in the index of the Imaging Data Commons: time and memory, two cores.

The catalog is a file, as for any archive. Prints one table. Run: python benchmarks/idc_labels.py [--threads 2]
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from datetime import date
from pathlib import Path

import duckdb

from hounsfield.catalog.idc.index import index_version
from hounsfield.catalog.idc.series import ABSENT, index_series
from hounsfield.catalog.labels.labels import apply_rules, outcomes
from hounsfield.catalog.labels.rules import read_rules

LIMIT_S, LIMIT_GB = 15, 2


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    threads = parser.parse_args().threads
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:threads]))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        config = {"threads": threads, "memory_limit": "1GB", "preserve_insertion_order": False}
        connection = duckdb.connect(str(Path(folder) / "catalog.duckdb"), config=config)
        start = time.perf_counter()
        series = index_series(connection)
        rows.append(("read the index into `series`", time.perf_counter() - start))
        start = time.perf_counter()
        rules = read_rules()
        rows.append(("read and check the rules", time.perf_counter() - start))
        start = time.perf_counter()
        apply_rules(connection, rules, absent=ABSENT)
        rows.append(("labels and exclusions", time.perf_counter() - start))
        counted = outcomes(connection)
        connection.close()
    total = sum(seconds for _, seconds in rows)
    print(f"{date.today()}, {threads} of {os.cpu_count()} cores, DuckDB {duckdb.__version__}, index {index_version()}:")
    print(f"{series:,} series, {sum(1 for _ in rules.all_rules())} rules\n")
    print("| step | seconds |\n|---|---|")
    for name, seconds in (*rows, ("together", total)):
        print(f"| {name} | {seconds:.1f} |")
    print(f"\nPeak memory {peak_gb():.2f} GB (limit {LIMIT_GB}), time {total:.1f} s (limit {LIMIT_S}).")
    sums = ", ".join(f"{name} {count:,}" for name, count in counted.items())
    print(f"Outcomes: {sums}; sum {sum(counted.values()):,}.")


if __name__ == "__main__":
    main()
