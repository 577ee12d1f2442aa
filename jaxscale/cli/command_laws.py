"""`jaxscale laws`: the catalogue, or one law in full."""

from typing import Annotated

import typer

from jaxscale.cli.guard import answers


@answers
def laws(
    name: Annotated[str | None, typer.Argument(help="Show this law in full.")] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False,
) -> None:
    """List the laws there are, with inputs and units; with NAME, its parameters and published values."""
    from jaxscale.cli import inputs, output
    from jaxscale.laws import catalogue
    from jaxscale.report import record, text

    shown = [inputs.law_class(name)] if name else list(catalogue().values())
    if json:
        output.write_json("-", [record.law_record(cls) for cls in shown])
        return
    out = output.console()
    out.print(text.law_table(shown))
    if name:
        doc, parameters, published = text.law_details(shown[0])
        output.say(out)
        output.say(out, doc)
        output.say(out)
        out.print(parameters)
        if published is not None:
            output.say(out)
            out.print(published)
        return
    output.say(out)
    output.say(out, "Next: `jaxscale laws NAME` for parameters and published values; `jaxscale fit FILE --law NAME`.")
