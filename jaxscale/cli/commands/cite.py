"""`jaxscale cite`: BibTeX for what was used."""

from pathlib import Path
from typing import Annotated

import typer

from jaxscale.cli import options
from jaxscale.cli.guard import answers


@answers
def cite(
    what: Annotated[
        str | None, typer.Argument(metavar="[LAW|FIT|data:NAME]", help="A law, a saved fit, a data set.")
    ] = None,
    trust: options.Trust = False,
) -> None:
    """Print BibTeX for a law, for everything a saved fit rests on, for a data set, or for jaxscale itself."""
    from importlib.metadata import version

    from jaxscale.cli import inputs
    from jaxscale.report import cite as bib
    from jaxscale.studies import datasets
    from jaxscale.studies.checks.checks import known

    own = version("jaxscale")
    if what is None:
        print(bib.cite_itself(own))
    elif what.startswith(inputs.DATA):
        every = datasets()
        print(bib.cite_data(every[known(what[len(inputs.DATA) :], every, "data", "data set")], own))
    elif Path(what).exists() or what.endswith(".nc"):
        print(bib.cite_fit(inputs.saved_fit(what, trust).fit, own))
    else:
        print(bib.cite_law(inputs.law_class(what), own))
