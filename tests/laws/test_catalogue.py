"""The catalogue holds every law file, finds by name, and knows the references."""

import re
from importlib import resources
from pathlib import Path

import pytest

import jaxscale.laws
from jaxscale.laws import bibtex, catalogue, find


def test_every_class_that_derives_from_a_law_in_the_sources_is_listed() -> None:
    # Oracle: the class statements in the files, read as text.
    files = Path(jaxscale.laws.__file__).parent.rglob("*.py")
    written = {name for file in files for name in re.findall(r"^class (\w+)\(AbstractLaw\)", file.read_text(), re.M)}
    assert set(catalogue()) == written
    assert list(catalogue()) == sorted(written)


def test_find_ignores_case() -> None:
    assert find("chinchilla") is catalogue()["Chinchilla"]


def test_find_suggests_close_names() -> None:
    with pytest.raises(KeyError, match="'Chinchila'; did you mean Chinchilla"):
        find("Chinchila")
    with pytest.raises(KeyError, match="there are BrokenPowerLaw, Chinchilla"):
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


def test_bibtex_suggests_close_keys() -> None:
    with pytest.raises(KeyError, match="did you mean kaplan2020scaling"):
        bibtex("kaplan2020")
