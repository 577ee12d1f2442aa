"""Floor 1, host side: a `Study` is columns with units and provenance, in float64; nothing here is jitted.

`Study.read` takes any table, `load` a public data set by name, `datasets` lists them. Whatever a person
gives is checked here once, and refused with a `BadInput` sentence. May import core only; laws are unknown here.
"""

from jaxscale.core.errors import BadInput
from jaxscale.studies.registry import datasets, load
from jaxscale.studies.study import Study

__all__ = ["BadInput", "Study", "datasets", "load"]
