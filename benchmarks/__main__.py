"""`python -m benchmarks [parts] [--sample 60] [--repeats 3] [--full]`: measure, write, print."""

import argparse
import json
import sys
from pathlib import Path

import jax

from benchmarks.clocks import slug
from benchmarks.report import PARTS, collect
from benchmarks.table import markdown


def main() -> None:
    """Parts are added to the machine's file as they end, so that a broken run keeps what it has."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure jaxscale and its baselines.")
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; default: all")
    parser.add_argument("--sample", type=int, default=60, help="SciPy solves timed, then extrapolated to 4,000")
    parser.add_argument("--repeats", type=int, default=3, help="interleaved repeats; the least counts")
    parser.add_argument("--full", action="store_true", help="all 4,000 SciPy solves, and 1e6 draws")
    asked = parser.parse_args()
    wrong = sorted(set(asked.parts) - set(PARTS))
    if wrong:
        parser.error(f"expected some of {', '.join(PARTS)}, got {', '.join(wrong)}")
    jax.config.update("jax_enable_x64", True)
    path, record = None, {}
    for part, found in collect(
        tuple(asked.parts) or PARTS, sample=asked.sample, repeats=asked.repeats, full=asked.full
    ):
        if path is None:
            path = Path(__file__).resolve().parent / "results" / f"{slug(found)}.json"
            path.parent.mkdir(exist_ok=True)
            record = json.loads(path.read_text()) if path.is_file() else {}
        record[part] = found
        path.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
        print(f"{part}: done", file=sys.stderr)
    print(markdown(record))


if __name__ == "__main__":
    main()
