"""`python -m benchmarks.measure.throughput`: FLOP/s of every shape in training against one core's best matrix product.

Both are of one core and in float32, by XLA, compiling left out. The runs' own figures are those of their records.
"""

import os
import time
from collections import defaultdict

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measure.sweep import SWEEPS, records_of


def peak(sizes: tuple[int, ...] = (256, 512, 1024, 2048), repeats: int = 10) -> float:
    """The best FLOP/s of any square product, by the CPU clock."""
    best = 0.0
    product = jax.jit(jnp.matmul)
    for n in sizes:
        a = jnp.ones((n, n), jnp.float32)
        product(a, a).block_until_ready()
        for _ in range(repeats):
            began = time.process_time()
            product(a, a).block_until_ready()
            best = max(best, 2 * n**3 / (time.process_time() - began))
    return best


def main() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # JAX starts its threads with its first computation
    reached = peak()
    print(f"matrix product: {reached / 1e9:.1f} GFLOP/s of one core")
    rates = defaultdict(list)
    for sweep in sorted(SWEEPS.glob("*.toml")):
        for record in records_of(sweep):
            s = record["settings"]
            rates[s["width"], s["layers"]].append(record["flops"] / record["core_seconds"])
    for (width, layers), found in sorted(rates.items()):
        middle = float(np.median(found))
        print(
            f"{width:4} x {layers}: median {middle / 1e9:5.1f} GFLOP/s of {len(found):3} runs, {middle / reached:.2f}"
        )


if __name__ == "__main__":
    main()
