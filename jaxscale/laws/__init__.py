"""Floor 1, the laws: one paper one file, one folder per question asked (loss, breaks, ...).

A law file may import `core`, nothing else of jaxscale: no study, no solver, no other law. It declares parameters in
the paper's symbols and units, the formula for one run, and what was published: parameter sets, check values, and the
key of its entry in references.bib.
Adding a law is adding a file; `catalogue` finds it and tests/laws/test_every_law.py checks it.
"""

import difflib
import functools
import importlib
import importlib.resources
import pkgutil
import re
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jaxscale.core.law import AbstractLaw
from jaxscale.core.shown import shown


@functools.cache
def catalogue() -> Mapping[str, type[AbstractLaw]]:
    """Every law of the package by class name, sorted. Raises `ValueError` where two laws share a name."""
    found: dict[str, type[AbstractLaw]] = {}
    for info in pkgutil.walk_packages(__path__, prefix=f"{__name__}."):
        module = importlib.import_module(info.name)
        for name, thing in vars(module).items():
            if _is_law(thing) and thing.__module__ == module.__name__:
                if name in found:
                    raise ValueError(
                        f"expected one law per name, got {name} in {found[name].__module__} and in "
                        f"{module.__name__}; rename one of them"
                    )
                found[name] = thing
    return MappingProxyType(dict(sorted(found.items())))


def _is_law(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, AbstractLaw) and "__call__" in vars(thing)


def question(law: type[AbstractLaw]) -> tuple[str, str]:
    """The folder that a law's file lies in, and what it is about, in the folder's own words.

    A law of a script, a notebook or a module by itself lies in none: its question is `own`.
    """
    package = law.__module__.rpartition(".")[0]
    if not package:
        return "own", "Laws from outside of jaxscale."
    return package.rpartition(".")[2], (importlib.import_module(package).__doc__ or "").strip()


def formula(law: type[AbstractLaw]) -> str:
    """The law in TeX, as its docstring or that of its file has it between $$ and $$; one line per formula."""
    texts = (law.__doc__ or "", docstring(law.__module__))
    found = next((lines for text in texts if (lines := re.findall(r"\$\$(.+?)\$\$", text, re.DOTALL))), [])
    return "\n".join(" ".join(line.split()) for line in found)


def docstring(module: str) -> str:
    """That of a module that is loaded, by its name; empty where it has none, or none is loaded, as at a prompt."""
    return getattr(sys.modules.get(module), "__doc__", None) or ""


def find(name: str) -> type[AbstractLaw]:
    """The law class called `name`, in any case. Raises `KeyError` naming the closest ones."""
    by_folded = {known.casefold(): law for known, law in catalogue().items()}
    if name.casefold() in by_folded:
        return by_folded[name.casefold()]
    raise KeyError(f"expected the name of a law, got {name!r}; {_nearest(name, catalogue())}")


def bibtex(key: str) -> str:
    """The BibTeX entry of a `cite` key, as it stands in references.bib. Raises `KeyError` naming the closest keys."""
    entries = _entries()
    if key not in entries:
        raise KeyError(f"expected a key of references.bib, got {key!r}; {_nearest(key, entries)}")
    return entries[key]


def entry(cite: str) -> str:
    """What to print for a law's `cite`: its entry, or that entry itself, which a law from elsewhere may state; for a
    key that is not known, a comment."""
    if cite.lstrip().startswith("@"):
        return cite.strip()
    return _entries().get(
        cite, f"% {shown(cite)}: no entry in references.bib; state it whole, as in cite = '@misc{{...}}'"
    )


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    folded = {k.casefold(): k for k in known}
    close = [folded[k] for k in difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)]
    return f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(sorted(known))}"


@functools.cache
def _entries() -> Mapping[str, str]:
    """Entries by key: each runs from its `@` to the brace that closes it."""
    text = importlib.resources.files(__name__).joinpath("references.bib").read_text(encoding="utf-8")
    entries = {}
    start = text.find("@")
    while start >= 0:
        opening = text.index("{", start)
        depth, end = 1, opening + 1
        while depth:
            if end == len(text):
                line = text.count("\n", 0, start) + 1
                raise ValueError(f"references.bib, line {line}: expected a closing brace, got the end of the file")
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        entry = text[start:end]
        entries[text[opening + 1 : text.index(",", opening)].strip()] = entry
        start = text.find("@", end)
    return MappingProxyType(entries)
