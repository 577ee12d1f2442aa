"""Two JAX processes: each does its own work on its own devices, and both have the numbers of one process alone."""

import os
import socket
import subprocess
import sys

import pytest

WORK = """
import sys
import jax
import numpy as np

if sys.argv[1:]:
    jax.distributed.initialize(sys.argv[1], num_processes=2, process_id=int(sys.argv[2]))
    assert jax.process_count() == 2 and jax.device_count() == 4 and jax.local_device_count() == 2
import jaxscale as js
from jaxscale.infer.posterior.nuts import NUTS

sizes = np.geomspace(1e6, 1e9, 12)
loss = 1.7 + 90 * sizes**-0.3 * np.exp(0.01 * np.random.default_rng(0).standard_normal(12))
runs = js.Runs.of({"N": sizes}, loss)
mode = js.fit(js.catalogue()["HenighanN"](), runs, js.student_t(5), prior=True, starts=4)
drawn = js.sample_from(mode, draws=16, chains=2, settings=NUTS(warmup=20))
refits = js.bootstrap(mode, 4)
print("numbers", drawn.z.tobytes().hex(), np.asarray(refits.value).tobytes().hex())
"""


def begun(*arguments: str) -> subprocess.Popen[str]:
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    return subprocess.Popen(
        [sys.executable, "-c", WORK, *arguments],
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def numbers(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=280)
    assert process.returncode == 0, err
    return next(line for line in out.splitlines() if line.startswith("numbers"))


@pytest.mark.slow
def test_two_processes_have_the_numbers_of_one() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    together = [begun(address, str(i)) for i in range(2)]
    first, second = (numbers(process) for process in together)
    assert first == second == numbers(begun())
