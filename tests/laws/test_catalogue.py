"""The catalogue holds every law file, finds by name, and knows the references."""

import ast
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

import jaxscale.laws
from jaxscale.laws import bibtex, catalogue, find, formula, question
from jaxscale.studies import datasets
from jaxscale.testing import CHECKS

_NEW_LAW = '''r"""A law of a user's own.

$$ L(N) = a N^{-b} $$
"""

from typing import ClassVar

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw
from jaxscale.core.numerics.powers import power
from jaxscale.core.parametric import param


class Added(AbstractLaw):
    """Loss of a model with N parameters. Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: a, b."""

    a: q.Nats = param(s.positive, init=20.0, prior=p.LogNormal(20.0, 1.0), doc="loss at one parameter")
    b: q.Pure = param(s.positive, init=0.1, prior=p.LogNormal(0.1, 0.5), doc="an exponent")

    def __call__(self, N: q.Params) -> q.Nats:
        return self.a * power(N, -self.b)

    cite: ClassVar[str] = "kaplan2020scaling"
'''
_WITH_FOLDER = """
import sys, pytest, jaxscale.laws
jaxscale.laws.__path__.append(sys.argv[1])
seen = "ignore::pytest.PytestAssertRewriteWarning"  # jaxscale is imported before pytest here
only = ["tests/laws/test_every_law.py", "-k", "Added or Faulty"]
sys.exit(pytest.main(["-q", "-n", "0", "-p", "no:cacheprovider", "-W", seen, *only]))
"""


def test_every_class_that_derives_from_a_law_in_the_sources_is_listed() -> None:
    # Oracle: the class statements in the files, read as text; what a file's laws share is private, and no law itself.
    files = Path(jaxscale.laws.__file__).parent.rglob("*.py")
    derived = r"^class ([A-Z]\w*)\((?:AbstractLaw|_[A-Z]\w*)\)"
    written = {name for file in files for name in re.findall(derived, file.read_text(), re.M)}
    assert set(catalogue()) == written
    assert list(catalogue()) == sorted(written)


def test_find_ignores_case() -> None:
    assert find("chinchilla") is catalogue()["Chinchilla"]


def test_find_suggests_close_names() -> None:
    with pytest.raises(KeyError, match="'Chinchila'; did you mean Chinchilla"):
        find("Chinchila")
    with pytest.raises(KeyError, match=f"there are {', '.join(catalogue())}"):
        find("zzzz")


def test_bibtex_gives_one_balanced_entry() -> None:
    entry = bibtex("hoffmann2022training")
    assert entry.startswith("@article{hoffmann2022training,")
    assert entry.endswith("}")
    assert entry.count("{") == entry.count("}")
    assert "Compute-Optimal" in entry


def test_bibtex_reads_every_entry_of_the_file() -> None:
    text = resources.files(jaxscale.laws).joinpath("references.bib").read_text(encoding="utf-8")
    keys = re.findall(r"^@\w+\{([^,]+),", text, re.M)
    assert len(keys) == len(set(keys)) == text.count("\n@") + 1
    assert all(key in bibtex(key) for key in keys)


def test_bibtex_names_every_author_and_leaves_nothing_to_be_confirmed() -> None:
    text = resources.files(jaxscale.laws).joinpath("references.bib").read_text(encoding="utf-8")
    lists = re.findall(r"^  author = \{(.*)\},$", text, re.M)
    assert len(lists) == text.count("\n@") + 1
    for authors in lists:
        assert all(re.fullmatch(r"[^,]+, [^,]+", author) for author in authors.split(" and ")), authors
    assert "confirmed" not in text


def test_bibtex_suggests_close_keys() -> None:
    with pytest.raises(KeyError, match="did you mean kaplan2020scaling"):
        bibtex("kaplan2020")


def test_question_and_formula_are_the_file_s_own_words() -> None:
    law = find("KaplanND")
    name, about = question(law)
    assert (name, about) == (
        "loss",
        (Path(jaxscale.laws.__file__).parent / "loss/__init__.py").read_text().strip('"\n'),
    )
    assert "N_c/N" in formula(law)
    assert formula(law).count("\n") == 2  # three displayed lines


def test_adding_a_law_is_adding_a_file(tmp_path: Path) -> None:
    """A sound one passes every check, and a broken one beside it is found out."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Laws of a user."""')
    (folder / "added.py").write_text(_NEW_LAW)
    (folder / "broken.py").write_text(_NEW_LAW.replace("-self.b", "-self.b + 1j").replace("Added", "Faulty"))
    run = subprocess.run(
        [sys.executable, "-c", _WITH_FOLDER, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    failed = set(re.findall(r"^FAILED .*\[(\w+)-(\w+)\]", run.stdout, re.M))
    assert ("Faulty", "finite") in failed
    assert {law for law, _ in failed} == {"Faulty"}
    each = len(CHECKS) + 1  # and what a table says of its inputs
    assert f"{len(failed)} failed, {2 * each - len(failed)} passed" in run.stdout


_ANALOGY = {"sparsity"}  # dense models turned into mixtures of experts: no law of the catalogue is about them


def _reproductions() -> list[tuple[set[str], set[str]]]:
    """Of every file of reproductions: the laws it imports, and its string constants."""
    found = []
    for file in (Path(__file__).parents[1] / "reproductions").glob("test_*.py"):
        nodes = list(ast.walk(ast.parse(file.read_text())))
        imports = [n for n in nodes if isinstance(n, ast.ImportFrom) and (n.module or "").startswith("jaxscale.laws")]
        names = {alias.name for node in imports for alias in node.names}
        found.append((names, {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}))
    return found


def test_data_that_a_law_claims_are_read_where_it_is_reproduced() -> None:
    files = _reproductions()
    claimed = {(name, slug) for name, law in catalogue().items() for slug in law.reproduced_on}
    assert {pair for pair in claimed if any(pair[0] in laws and pair[1] in texts for laws, texts in files)} == claimed
    # And the other way round: no public set is used that no law claims.
    used = {slug for _, texts in files for slug in texts & (set(datasets()) | _ANALOGY | {"diloco_tables"})}
    assert used - {slug for _, slug in claimed} == _ANALOGY & used
