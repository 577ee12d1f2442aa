"""`python -m benchmarks.measure.again [SWEEP.toml] [--rows 4]`: the cheapest runs again, and what they differ by."""

import argparse
from pathlib import Path

from benchmarks.measure.settings import Settings
from benchmarks.measure.sweep import SWEEPS, records_of
from benchmarks.measure.workers import trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweep", nargs="?", type=Path, default=SWEEPS / "grid.toml")
    parser.add_argument("--rows", type=int, default=4)
    asked = parser.parse_args()
    before = sorted(records_of(asked.sweep), key=lambda r: (r["flops"], str(r["settings"])))[: asked.rows]
    # One worker: one core, one order of sums, as when they were first trained.
    for old, new in zip(before, trained([Settings(**r["settings"]) for r in before], workers=1), strict=True):
        for name in (key for key in old if key.startswith("loss_") and not key.endswith("_se")):
            apart = abs(new[name] / old[name] - 1)
            print(f"{old['settings']}: {name} {old[name]:.9g}, again {new[name]:.9g}, relative difference {apart:.1e}")


if __name__ == "__main__":
    main()
