"""One size in a process of its own: time of a fit and of a bootstrap, and peak memory. Prints one JSON object.

Run as `python -m benchmarks.scale <runs> <draws> [devices]`. With more than one device, set
`XLA_FLAGS=--xla_force_host_platform_device_count=2`: the digest of the draws must not change.
"""

import hashlib
import json
import sys
from dataclasses import asdict

import jax
import numpy as np

from benchmarks.clocks import clock, peak_mebibytes
from benchmarks.workload import simulated, workload
from jaxscale.infer.fit.fit import fit
from jaxscale.infer.resample.bootstrap import bootstrap
from jaxscale.laws.loss.hoffmann2022 import Chinchilla


def main(runs: int, draws: int, repeats: int = 2) -> None:
    """Fit and bootstrap once to compile, then again with other seeds to time."""
    jax.config.update("jax_enable_x64", True)
    data = (workload() if runs == 240 else simulated(runs)).runs()
    with clock() as first:
        fitted = fit(Chinchilla(), data)
    fits, boots, before = [], [], peak_mebibytes()
    for _ in range(repeats):
        with clock() as cost:
            fit(Chinchilla(), data)
        fits.append(cost)
    digest, failed = "", 0
    if draws:
        # Compiles the program that the timed call uses: its chunk depends on the number of draws.
        with clock() as compiled:
            drawn = jax.block_until_ready(bootstrap(fitted, draws))
        found = [np.asarray(x) for x in (*drawn.params().values(), drawn.code)]
        digest = hashlib.sha256(b"".join(x.tobytes() for x in found)).hexdigest()[:16]
        failed = drawn.failed
        del drawn, found
        for repeat in range(repeats if draws < 10**5 else 0):
            with clock() as cost:
                jax.block_until_ready(bootstrap(fitted, draws, key=repeat + 1))
            boots.append(cost)
        boots = boots or [compiled]
    answer = {
        "runs": runs,
        "draws": draws,
        "devices": jax.device_count(),
        "first_fit": asdict(first),
        "fit": asdict(min(fits, key=lambda c: c.cpu)),
        "bootstrap": asdict(min(boots, key=lambda c: c.wall)) if boots else None,
        "peak_mib_before": before,
        "peak_mib": peak_mebibytes(),
        "digest": digest,
        "failed": failed,
        "certified": fitted.certificate.certified,
        "value": fitted.value,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
