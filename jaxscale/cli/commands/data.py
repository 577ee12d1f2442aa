"""`jaxscale data`: public data sets by name."""

from typing import Annotated

import typer

from jaxscale.cli.guard import answers


@answers
def data(
    name: Annotated[str | None, typer.Argument(help="Show this data set in full, with its ranges.")] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False,
) -> None:
    """List the public data sets, with licence and citation; with NAME, read it and show its ranges."""
    from jaxscale.cli import inputs, output
    from jaxscale.report.views import text
    from jaxscale.studies import datasets, load
    from jaxscale.studies.checks.checks import known

    every = datasets()
    out = output.console("-" if json else None)
    if name is not None:
        slug = known(name.removeprefix(inputs.DATA), every, "data", "data set")
        study = load(slug)
        if json:
            output.write_json("-", _record(every[slug]) | {"rows": len(study), "summary": study.summary()})
            return
        output.say(out, f"{every[slug].title}: {every[slug].citation}")
        output.lines(out, study.describe())
        output.say(out)
        output.say(out, f"Next: jaxscale fit {inputs.DATA}{slug} --law NAME")
        return
    if json:
        output.write_json("-", [_record(found) for found in every.values()])
        return
    shown = text.table("", "name", "what it is", "licence", "citation", left=4)
    for slug, found in every.items():
        shown.add_row(slug, found.title, found.licence, found.citation)
    for column in shown.columns[1:]:
        column.no_wrap, column.overflow = False, "fold"
    out.print(shown)
    output.say(out)
    output.say(
        out,
        f"Those of licence CC0-1.0 come with jaxscale; the others are read from JAXSCALE_DATA_DIR or downloaded. "
        f"Next: `jaxscale data NAME`, `jaxscale fit {inputs.DATA}NAME`.",
    )


def _record(found) -> dict:
    return {
        "name": found.slug,
        "title": found.title,
        "licence": found.licence,
        "shipped": bool(found.shipped),
        "citation": found.citation,
        "repository": found.repository,
        "commit": found.commit,
        "mapping": dict(found.mapping),
        "note": found.note,
    }
