"""`python -m benchmarks.measure SWEEP.toml ...`: train what is still missing of these sweeps.

Each finished run is written at once, as one line of `runs/SWEEP.jsonl`; what stands there is not trained again.
"""

import argparse
import json
import os
import time
from pathlib import Path

from benchmarks.measure.sweep import RUNS, missing
from benchmarks.measure.workers import trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweeps", nargs="+", type=Path)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    asked = parser.parse_args()
    RUNS.mkdir(exist_ok=True)
    for sweep in asked.sweeps:
        rows = missing(sweep)
        began = time.perf_counter()
        with (RUNS / f"{sweep.stem}.jsonl").open("a") as out:
            for done, record in enumerate(trained(rows, asked.workers), 1):
                out.write(json.dumps(record) + "\n")
                out.flush()
                losses = ", ".join(f"{k} {v:.4f}" for k, v in record.items() if k in ("loss_stdlib", "loss_zipf"))
                speed = record["flops"] / record["core_seconds"] / 1e9
                print(
                    f"{sweep.stem} {done}/{len(rows)} {time.perf_counter() - began:.0f} s: "
                    f"{record['settings']}: {losses}, {speed:.1f} GFLOP/s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
