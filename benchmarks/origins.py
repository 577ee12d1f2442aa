"""The whole rolling-origin table of one ladder: ten laws, eight cuts, 200 resamples of every refit, posterior modes.

Run as `python -m benchmarks.origins [ladder]`; prints one JSON object. The first pass compiles, the second is what a
user waits for from then on. Two CPU devices, so that resamples use both cores. Beside it, the accuracy: the errors of
the law that forecasts best, which must be the same in both passes.
"""

import json
import os
import sys
import time

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"

import jax
import numpy as np

from benchmarks.clocks import Cost, clock
from benchmarks.forecast.ladders import ladders
from jaxscale import Study, crossvalidate, student_t
from jaxscale.infer.backtest import Origins
from jaxscale.laws import catalogue

LAWS = (
    "Chinchilla",
    "Nested",
    "Farseer",
    "KaplanND",
    "Gadre",
    "KaplanN",
    "KaplanD",
    "KaplanC",
    "ComputeOnly",
    "SaturatingCompute",
)
CUTS, RESAMPLES = 8, 200


def table(study: Study, seconds: dict[str, float]) -> dict[str, Origins]:
    """Every law's forecasts from every cut; one call for each, to time them apart: the work is the same."""
    found = {}
    for label in LAWS:
        begun = time.perf_counter()
        law = {label: catalogue()[label]()}
        found[label] = crossvalidate(law, study, student_t(), prior=True, cuts=CUTS, resamples=RESAMPLES)
        seconds[label] = time.perf_counter() - begun
    return found


def main() -> None:
    """Time the table twice."""
    jax.config.update("jax_enable_x64", True)
    ladder = sys.argv[1] if len(sys.argv) > 1 else "Chinchilla runs"
    study = ladders()[ladder]()
    passes: list[tuple[Cost, dict[str, float], dict[str, Origins]]] = []
    for _ in range(2):
        seconds: dict[str, float] = {}
        with clock() as cost:
            found = table(study, seconds)
        passes.append((cost, seconds, found))
    errors = [{k: float(np.nanmean(o.error)) for k, o in found.items()} for _, _, found in passes]
    best = min(errors[1], key=lambda k: errors[1][k])
    print(
        json.dumps(
            {
                "ladder": ladder,
                "runs": len(study),
                "devices": jax.device_count(),
                "refits": sum(int(np.sum(o.enough)) for o in passes[1][2].values()),
                "resamples of each": RESAMPLES,
                "first": vars(passes[0][0]),
                "once compiled": vars(passes[1][0]),
                "once compiled, by law": {k: round(s, 2) for k, s in passes[1][1].items()},
                "best": {"law": best, "mean error": errors[1][best], "in the first pass": errors[0][best]},
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
