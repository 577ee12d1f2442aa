"""BibTeX for what was used: the law, the data, the method, and jaxscale itself."""

from jaxscale.compose import Pooled, Tied
from jaxscale.core.law import AbstractLaw
from jaxscale.core.shown import shown
from jaxscale.infer.fit.fit import Fit
from jaxscale.laws import entry
from jaxscale.studies.dataset import Dataset

ITSELF = """@software{jaxscale,
  title = {jaxscale: differentiable, certified fits of neural scaling laws},
  author = {{The jaxscale developers}},
  version = {%s},
  year = {2026}
}"""

# The method that every fit uses: log-Huber fits of runs, and their correction.
METHOD = ("hoffmann2022training", "besiroglu2024chinchilla")


def keys_of(law: AbstractLaw) -> list[str]:
    """Keys of references.bib that a law rests on; several for joint laws."""
    match law:
        case Pooled():
            return keys_of(law.law)
        case Tied():
            return list(dict.fromkeys(key for inner in law.laws.values() for key in keys_of(inner)))
        case _:
            return [type(law).cite] if type(law).cite else []


def cite_fit(fit: Fit, version: str) -> str:
    """Law, method and jaxscale as BibTeX, the data as a comment in their owners' words."""
    keys = dict.fromkeys([*keys_of(fit.law), *METHOD])
    # On a line each: what a table's owner wrote starts no entry.
    data = shown(fit.provenance.get("citation") or fit.provenance.get("source", ""))
    licence = shown(fit.provenance.get("licence", "undeclared"))
    return "\n\n".join([f"% data: {data}\n% licence: {licence}", *(entry(key) for key in keys), ITSELF % version])


def cite_law(cls: type[AbstractLaw], version: str) -> str:
    """The law's paper and jaxscale."""
    return "\n\n".join([entry(cls.cite), ITSELF % version] if cls.cite else [ITSELF % version])


def cite_data(data: Dataset, version: str) -> str:
    """The data set as a misc entry, and jaxscale."""
    where = f"repository {data.repository}, commit {data.commit}" if data.repository else "shipped with jaxscale"
    entry = (
        f"@misc{{{data.slug},\n  title = {{{data.title}}},\n"
        f"  howpublished = {{{where}}},\n"
        f"  note = {{{data.citation}. Licence: {data.licence}}}\n}}"
    )
    return "\n\n".join([entry, ITSELF % version])


def cite_itself(version: str) -> str:
    """jaxscale and the method."""
    return "\n\n".join([*(entry(key) for key in METHOD), ITSELF % version])
