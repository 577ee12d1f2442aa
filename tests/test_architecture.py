"""House rules that a test can see."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "jaxscale"
SOURCES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_source_file(path: Path) -> None:
    text = path.read_text()
    assert path.name not in {"utils.py", "helpers.py", "common.py", "misc.py"}
    assert len(text.splitlines()) <= 400, "one idea per file"
    assert text.lstrip().startswith(('"""', 'r"""')), "a module says what it is"
    for forbidden in (r"import pickle|pickle\.\w|allow_pickle=True", r"(?<![\w.])eval\(", r"(?<![\w.])exec\("):
        assert not re.search(forbidden, text), forbidden
    if path.parent != PACKAGE / "cli":
        assert not re.search(r"update\(\W*jax_enable_x64", text), "precision belongs to the user"


@pytest.mark.parametrize("floor", sorted(p.parent.name for p in PACKAGE.glob("*/__init__.py")))
def test_a_floor_says_what_it_may_know(floor: str) -> None:
    text = (PACKAGE / floor / "__init__.py").read_text()
    docstring = text.split('"""')[1]
    assert len(docstring.strip().splitlines()) <= 15


def test_import_draws_nothing_and_makes_no_array() -> None:
    """Importing the package and every law loads no plotting library and starts no device."""
    code = (
        "import sys, jaxscale, jax; from jaxscale.laws import catalogue; assert catalogue();"
        "assert not {'matplotlib', 'arviz', 'numpyro', 'typer'} & set(sys.modules);"
        "from jax._src import xla_bridge; assert not xla_bridge.backends_are_initialized()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("words", [["--help"], ["forecast", "--help"], ["--version"]], ids=" ".join)
def test_help_waits_for_no_heavy_import(words: list[str]) -> None:
    code = (
        "import sys; from jaxscale.cli import main\n"
        f"sys.argv = ['jaxscale', *{words!r}]\n"
        "try: main()\n"
        "finally: assert not {'jax', 'numpy', 'pandas', 'matplotlib'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "jaxscale" in done.stdout
