"""A cold process: from the first import to 4,000 bootstraps, stage by stage. Prints one JSON object.

Run as `python -m benchmarks.cold [draws] [folder]`; a folder turns the persistent compilation cache on.
"""

import time

_WALL, _CPU = time.perf_counter(), time.process_time()

import json  # noqa: E402  the clock starts before the imports
import sys  # noqa: E402


def main() -> None:
    """All stages, with wall and CPU seconds of each."""
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    stages, mark = {}, [_WALL, _CPU]

    def ended(stage: str) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        stages[stage] = {"wall": wall - mark[0], "cpu": cpu - mark[1]}
        mark[:] = wall, cpu

    import jax

    jax.config.update("jax_enable_x64", True)
    if len(sys.argv) > 2:
        jax.config.update("jax_compilation_cache_dir", sys.argv[2])
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    from benchmarks.workload import workload
    from jaxscale.infer.fit.fit import fit
    from jaxscale.infer.resample.bootstrap import bootstrap
    from jaxscale.laws.loss.hoffmann2022 import Chinchilla

    ended("import")
    fitted = fit(Chinchilla(), workload().runs())
    ended("fit")
    drawn = jax.block_until_ready(bootstrap(fitted, draws))
    ended("bootstrap")
    jax.block_until_ready(bootstrap(fitted, draws, key=1))
    ended("second bootstrap")
    fit(Chinchilla(), workload().runs())
    ended("second fit")
    cold = {clock: sum(stages[name][clock] for name in ("import", "fit", "bootstrap")) for clock in ("wall", "cpu")}
    print(json.dumps({"draws": draws, "stages": stages, "cold": cold, "value": fitted.value, "failed": drawn.failed}))


if __name__ == "__main__":
    main()
