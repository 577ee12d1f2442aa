"""`jaxscale forecast`: the law that forecasts best on a table, and what it says of larger runs."""

from typing import Annotated

import typer

from jaxscale.cli import options
from jaxscale.cli.guard import GOOD, NOT_CERTIFIED, answers
from jaxscale.cli.source import Source


@answers
def forecast(
    runs: Source,
    train: Annotated[str | None, typer.Option(help='Fit these rows, as in "flops < 1e20"; default: all.')] = None,
    test: Annotated[str | None, typer.Option(help='Score the forecast on these rows, as in "flops >= 1e20".')] = None,
    at: Annotated[
        list[str] | None, typer.Option(help="A point to forecast, as in N=70e9,D=1.4e12; may be repeated.")
    ] = None,
    laws: Annotated[
        str | None, typer.Option(help="Names of laws to choose from; default: every law of loss in N and D.")
    ] = None,
    allow_far: Annotated[bool, typer.Option(help="Forecast points beyond two decades too.")] = False,
    by: options.By = None,
    solver: options.Solver = "gauss-newton",
    starts: Annotated[int, typer.Option(help="Cold starts of each law's search.")] = 32,
    max_steps: options.MaxSteps = None,
    seed: Annotated[int, typer.Option(help="Of starts and resamples.")] = 0,
    state: options.State = None,
    json: options.Json = None,
) -> int:
    """Choose a law by what it forecasts from inside the runs, and forecast beyond them, with bands learnt there.

    Exit status 1 where the chosen fit is not certified.
    """
    import jaxscale
    from jaxscale.cli import inputs, output, targets
    from jaxscale.cli.clock import Clock
    from jaxscale.cli.progress import waiting
    from jaxscale.cli.reading import seed_of, solver_of, whole
    from jaxscale.report.card.card import forecast_card
    from jaxscale.report.views import forecast as forecasting
    from jaxscale.report.views import text

    whole(str(starts), "--starts", least=0)
    method = solver_of(solver, max_steps)
    seed_of(str(seed))
    targets.check(reads=runs.reads, files={"--json": json})
    points = inputs.points_of(at) if at else None
    study = runs.study(state)
    models = inputs.forecasters(laws, study)
    inputs.check_points(models, points)
    fitted, held = inputs.parted(study, train, test)
    if points is not None:
        inputs.check_near(models, fitted, points, allow_far=allow_far)

    out = output.console(json)
    with (
        Clock() as clock,
        waiting(f"forecasts of {len(models)} laws from inside {len(fitted)} runs (first it compiles)"),
    ):
        found = jaxscale.outlook(models, fitted, by=by, starts=starts, key=seed, seed=seed, solver=method)
        tested = None if held is None else forecasting.tested(found, held)
        asked = None if points is None else found.at(points, allow_far=allow_far)
    seconds = clock.seconds
    record = forecasting.outlook_record(found, tested, asked) | {"seconds": seconds}
    record["card"] = forecast_card(found, fitted, held, record=record, seconds=seconds, seed=seed)

    with output.files_first() as put:
        put(output.write_json, json, record)

        output.say(out, forecasting.sentence(found, study.name))
        output.say(out)
        out.print(forecasting.ranking_table(found))
        if tested is not None:
            output.say(out)
            output.say(out, forecasting.tested_sentence(tested))
        if asked is not None:
            output.say(out)
            out.print(forecasting.forecast_table(asked, found.fit))
        output.notes(out, "Remarks", forecasting.remarks(found, tested, asked))
        output.say(out)
        output.say(out, text.certificate_line(found.fit))
        output.say(out, f"{seconds['compile']:.1f} s compiling, {seconds['run']:.1f} s running.")
    return GOOD if found.fit.certificate.certified else NOT_CERTIFIED
