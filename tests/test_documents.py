"""What the documents show runs: code of the README and the pages, and the notebooks, with small settings."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxscale import from_published
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.testing import check_law

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "notebooks").glob("*.md")))
BLOCKS = [code for page in PAGES for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)]


def run(code: str, folder: Path) -> str:
    environment = {
        "JAXSCALE_NOTEBOOK_SMALL": "1",
        "PATH": "",
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": str(jax.config.jax_persistent_cache_min_compile_time_secs),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def runs_csv(folder: Path) -> None:
    """A table of runs as the README's examples read it."""
    truth = from_published(Chinchilla, "besiroglu2024")
    N, ratio = (x.ravel() for x in np.meshgrid(np.geomspace(5e7, 5e9, 6), [5.0, 20.0, 80.0]))
    loss = np.asarray(truth.E + truth.A * N ** -float(truth.alpha) + truth.B * (ratio * N) ** -float(truth.beta))
    loss = loss * np.exp(0.003 * np.random.default_rng(0).standard_normal(N.size))
    rows = zip(N / 1e6, ratio * N / 1e9, loss, strict=True)
    (folder / "runs.csv").write_text("params,tokens,val_loss\n" + "\n".join(f"{a},{b},{c}" for a, b, c in rows))


def test_readme_example(tmp_path: Path) -> None:
    runs_csv(tmp_path)
    printed = run(BLOCKS[0], tmp_path)
    assert "Chinchilla(E=1.8" in printed


@pytest.mark.slow
def test_readme_kernel(tmp_path: Path) -> None:
    runs_csv(tmp_path)
    kernel = next(code for code in BLOCKS if "js.estimate" in code)
    assert "[ True  True]" in run(BLOCKS[0] + kernel, tmp_path)


@pytest.mark.slow
def test_page_of_forecasts(tmp_path: Path) -> None:
    runs_csv(tmp_path)
    assert "Chinchilla" in run(BLOCKS[0] + next(code for code in BLOCKS if "js.outlook" in code), tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) < 900


@pytest.mark.slow
def test_readme_posterior(tmp_path: Path) -> None:
    runs_csv(tmp_path)
    posterior = next(code for code in BLOCKS if "js.sample" in code)
    printed = run(BLOCKS[0] + posterior.replace("1000", "10"), tmp_path)
    assert printed.count("Forecast(") == 2
    assert (tmp_path / "chunks").is_dir()


def test_readme_law(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "size_law.py").write_text(next(code for code in BLOCKS if "class SizeLaw" in code))
    monkeypatch.syspath_prepend(tmp_path)
    check_law(importlib.import_module("size_law").SizeLaw)


@pytest.mark.slow  # a process each, with fits of its own; .ci/run always runs them
@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.py")), ids=lambda p: p.stem)
def test_notebook(path: Path, tmp_path: Path) -> None:
    run(path.read_text(), tmp_path)
