"""`jaxscale predict`: the loss of runs that were not made."""

from typing import Annotated

import typer

from jaxscale.cli import options
from jaxscale.cli.guard import answers


@answers
def predict(
    fit: options.Saved,
    at: Annotated[list[str] | None, typer.Option(help="A point, as in N=70e9,D=1.4e12; may be repeated.")] = None,
    file: Annotated[str | None, typer.Option(help="A table of points, with --map.")] = None,
    map: Annotated[list[str] | None, typer.Option(help="symbol=column[unit] for --file.")] = None,
    where: Annotated[str | None, typer.Option(help="Filter on the columns of --file.")] = None,
    group: Annotated[str | None, typer.Option(help="Column of --file with the group's label, for joint fits.")] = None,
    decimal: options.Decimal = None,
    sheet: options.Sheet = None,
    max_table: options.MaxTable = None,
    json: options.Json = None,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write the table as CSV.")] = None,
    trust: options.Trust = False,
) -> None:
    """Predict with intervals, and say how far beyond the data each point lies."""
    from jaxscale.cli import inputs, output, targets
    from jaxscale.cli.advice import option, spoken
    from jaxscale.core.errors import BadInput
    from jaxscale.execute.files import write
    from jaxscale.infer.forecast import forecast
    from jaxscale.infer.forecast.forecast import no_intervals
    from jaxscale.report.views import record, text

    if bool(at) == bool(file):
        got = "both" if at else "neither"
        raise BadInput(f"predict: expected either --at or --file, got {got}; write it as in --at N=70e9,D=1.4e12")
    read = {"where": where, "decimal": decimal, "sheet": sheet, "max_table": max_table}
    for name, given in {"map": map, "group": group, **read}.items():
        if given and not file:
            raise BadInput(f"{option(name)}: expected with --file only, got it with --at; leave it out")
    targets.check(reads={"FIT": fit, "--file": file}, files={"--json": json, "--csv": csv})
    points, remarks = inputs.points_of(at) if at else None, []
    saved = inputs.saved_fit(fit, trust)
    if points is None:
        assert file is not None
        points, remarks = inputs.points_in(file, map or (), group, saved.fit, **read)
    found = forecast(saved.fit, points, saved.ensemble)
    missing = [] if saved.ensemble is not None else [no_intervals(saved.fit)]
    made = record.forecast_record(found, saved.fit)
    # --where and its like are here those of --file: what the fit says is to be done where it was made.
    made["warnings"] = [*spoken(made["warnings"], "fit"), *missing, *remarks]

    out = output.console(json, csv)
    with output.files_first() as put:
        if csv is not None:
            put(write, csv, _csv(made))
        put(output.write_json, json, made)

        count = len(found.point)
        words = f"{record.law_name(saved.fit.law)} at {count} point{'s' if count > 1 else ''}."
        output.say(out, text.marked(saved.fit, words))
        output.say(out)
        out.print(text.forecast_table(found, saved.fit))
        output.notes(out, "Remarks", made["warnings"])
        output.say(out)
        output.say(out, text.reach_sentence(saved.fit))


def _csv(made: dict) -> str:
    import csv
    import io

    stream = io.StringIO(newline="")
    first = made["points"][0]
    levels = list(first["quantiles"] or ())
    writer = csv.writer(stream)
    note = ["simulated"] if made["simulated"] else []
    writer.writerow([*first["inputs"], "loss", *(f"q{q}" for q in levels), "decades_beyond", *note])
    for point in made["points"]:
        spread = [point["quantiles"][q] for q in levels]
        writer.writerow(
            [*point["inputs"].values(), point["loss"], *spread, point["decades_beyond"], *("yes" for _ in note)]
        )
    return stream.getvalue()
