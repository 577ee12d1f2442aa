"""`jaxscale laws`: the catalogue, one law in full, or a page of all."""

from pathlib import Path
from typing import Annotated

import typer

from jaxscale.cli.guard import answers


@answers
def laws(
    name: Annotated[str | None, typer.Argument(help="Show this law in full.")] = None,
    about: Annotated[str | None, typer.Option(help="Only laws of this question: loss, data, precision, ...")] = None,
    given: Annotated[
        str | None, typer.Option(metavar="N,D,...", help="Only laws that need no other inputs than these.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False,
    gallery: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write them as a page with formulas and plots.")
    ] = None,
) -> None:
    """List the laws there are, with inputs, units and citation; with NAME, its parameters and published values."""
    from jaxscale.cli import inputs, output, targets
    from jaxscale.execute import files
    from jaxscale.report.views import record

    targets.check(files={"--gallery": gallery, "--json": "-" if json else None})
    shown = [inputs.law_class(name)] if name else inputs.laws_about(about, given)
    written = None
    if gallery is not None:
        from importlib.metadata import version

        from jaxscale.report.page.gallery import gallery as page

        written = page(shown, version("jaxscale"))
    with output.files_first() as put:
        if gallery is not None:
            put(files.write, gallery, written)
        if json:
            output.write_json("-", [record.law_record(cls) for cls in shown])
        else:
            _say(output.console(gallery), shown, whole=name is not None)


def _say(out, shown: list, whole: bool) -> None:
    from jaxscale.cli import output
    from jaxscale.report.views import text

    out.print(text.law_table(shown))
    output.say(out)
    if whole:
        doc, parameters, published = text.law_details(shown[0])
        output.lines(out, doc)
        output.say(out)
        out.print(parameters)
        if published is not None:
            output.say(out)
            out.print(published)
        return
    output.say(
        out,
        "Next: `jaxscale laws NAME` for parameters and published values, `jaxscale laws --given N,D` for what a table "
        "can fit, `jaxscale fit FILE --law NAME`.",
    )
