"""jaxscale: a law and a study meet in an objective, which is solved, to infer a law or to plan a run, and reported.

Nouns: a *law* (an equinox Module, callable for one run), a *study* (a table of runs with units and
provenance), an *ensemble* (many laws as one). Verbs: `fit`, `bootstrap`, `sample`, `bag`, `compare`, `forecast`,
`frontier`, `allocate`.

Floors, each importing only the ones below it: `cli`; `report` and `testing`; `plan`; `infer`; `solve`; `objectives`;
`compose`, `laws`, `studies` and `execute`; `core`. The names at the top stand in `__init__.pyi`; the
rest is in the rooms of the floors.
"""

import lazy_loader

# A name is loaded when it is first asked for: the command line answers `--help` without JAX, and can still say in a
# sentence that JAX does not start, or that somebody pressed Ctrl-C in those seconds.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.1.0"
