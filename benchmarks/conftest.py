"""Collects `bench_*.py` here and only here, in float64; a study and its fit made once per session."""

from pathlib import Path

import jax
import pytest

from benchmarks.workload import Workload, workload

jax.config.update("jax_enable_x64", True)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """`pytest benchmarks` finds the files; one named on the command line is collected by pytest itself."""
    named = any(Path(argument.split("::")[0]).resolve() == file_path for argument in parent.config.args)
    if file_path.suffix == ".py" and file_path.name.startswith("bench_") and not named:
        return pytest.Module.from_parent(parent, path=file_path)
    return None


@pytest.fixture(scope="session")
def data() -> Workload:
    return workload()


@pytest.fixture(scope="session")
def fitted(data: Workload):
    from jaxscale import fit
    from jaxscale.laws.loss.hoffmann2022 import Chinchilla

    return fit(Chinchilla(), data.runs())
