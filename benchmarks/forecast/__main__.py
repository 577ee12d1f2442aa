"""`python -m benchmarks.forecast [folder] [--only METHOD,...] [--split TEXT] [--again] [--show]`: compute, then write.

Every split and method is kept as a file of `folder` (default `out/forecast`, which git ignores), and so are compiled
programs, so that a run that is stopped goes on where it was; seconds of compiling are those of the last run. What is
there is written to `results/forecasts.md` and `results/forecasts.json` at the end; `--show` does only that. Scores that
the JSON page has from the same runs, and the folder has not, are kept: a fresh clone computes what changed.
"""

import argparse
import os
import sys
from pathlib import Path

import jax

from benchmarks.forecast.page import write
from benchmarks.forecast.records import METHODS, Records
from benchmarks.forecast.rows import Page
from benchmarks.forecast.splits import splits

RESULTS = Path(__file__).resolve().parents[1] / "results"


def main(arguments: list[str] | None = None) -> None:
    """Compute what is missing, by split, and write the pages."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast", description="Forecasts on public ladders.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("out/forecast"), help="where records are kept")
    parser.add_argument("--only", default=",".join(METHODS), help=f"some of {','.join(METHODS)}")
    parser.add_argument("--split", default="", help="splits whose name holds this text; default: all")
    parser.add_argument("--again", action="store_true", help="compute anew what is there")
    parser.add_argument("--show", action="store_true", help="compute nothing")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the pages go")
    asked = parser.parse_args(arguments)
    wanted = {name.strip() for name in asked.only.split(",")}
    if wrong := sorted(wanted - set(METHODS)):
        parser.error(f"--only: expected some of {', '.join(METHODS)}, got {', '.join(wrong)}")
    if not os.environ.get("JAXSCALE_DATA_DIR"):
        parser.error("JAXSCALE_DATA_DIR: expected the folder of public measurements, got none; the ladders are there")
    jax.config.update("jax_enable_x64", True)
    jax.config.update(
        "jax_compilation_cache_dir", str(asked.folder.resolve() / "xla")
    )  # a run that goes on compiles less
    records, every = Records(asked.folder, Page.of(asked.results / "forecasts.json")), list(splits())
    for split in every if not asked.show else ():
        for method in METHODS:
            due = split.enough and asked.split in split.name and method in wanted
            if due and (asked.again or not records.rows(split, method)):
                made = records.make(split, method)
                print(f"{split.name}: {method}: {made.failed or f'{made.seconds:.0f} s'}", file=sys.stderr, flush=True)
    write(every, records, asked.results)


if __name__ == "__main__":
    main()
