"""`jaxscale report`: what `forecast` finds, as one HTML page with its charts and its fit card."""

from typing import Annotated, Any

import typer

from jaxscale.cli import options
from jaxscale.cli.guard import GOOD, NOT_CERTIFIED, answers
from jaxscale.cli.source import Source


@answers
def report(
    runs: Source,
    train: Annotated[str | None, typer.Option(help='Fit these rows, as in "flops < 1e20"; default: all.')] = None,
    test: Annotated[str | None, typer.Option(help='Score the forecast on these rows, as in "flops >= 1e20".')] = None,
    at: Annotated[
        list[str] | None, typer.Option(help="A point to forecast, as in N=70e9,D=1.4e12; may be repeated.")
    ] = None,
    flops: Annotated[
        str | None, typer.Option(help="Budget to divide, as in 1e24; without it and --at: ten times the largest run.")
    ] = None,
    laws: Annotated[
        str | None, typer.Option(help="Names of laws to choose from; default: every law of loss in N and D.")
    ] = None,
    allow_far: Annotated[bool, typer.Option(help="Answer beyond two decades too.")] = False,
    by: options.By = None,
    solver: options.Solver = "gauss-newton",
    starts: Annotated[int, typer.Option(help="Cold starts of each law's search.")] = 32,
    max_steps: options.MaxSteps = None,
    seed: Annotated[int, typer.Option(help="Of starts and resamples.")] = 0,
    state: options.State = None,
    out: Annotated[str, typer.Option(metavar="FILE", help="The page to write.")] = "report.html",
    json: options.Json = None,
) -> int:
    """Write the forecast, its bands, the evidence and the fit card as one self-contained HTML page.

    Exit status 1 where the chosen fit is not certified.
    """
    import jaxscale
    from jaxscale.cli import inputs, output, targets
    from jaxscale.cli.advice import spoken
    from jaxscale.cli.clock import Clock
    from jaxscale.cli.progress import waiting
    from jaxscale.cli.reading import seed_of, solver_of, whole
    from jaxscale.execute.files import write
    from jaxscale.report.card.card import forecast_card
    from jaxscale.report.page import page
    from jaxscale.report.views import answer

    whole(str(starts), "--starts", least=0)
    method = solver_of(solver, max_steps)
    seed_of(str(seed))
    targets.check(reads=runs.reads, files={"--out": out, "--json": json})
    points = inputs.points_of(at) if at else None
    budget = inputs.positive(flops, "--flops", "FLOP")
    study = runs.study(state)
    models = inputs.forecasters(laws, study)
    inputs.check_points(models, points)
    fitted, held = inputs.parted(study, train, test)
    if points is not None:
        inputs.check_near(models, fitted, points, allow_far=allow_far)

    shown = output.console(json, out)
    with (
        Clock() as clock,
        waiting(f"forecasts of {len(models)} laws from inside {len(fitted)} runs (first it compiles)"),
    ):
        found = jaxscale.outlook(models, fitted, by=by, starts=starts, key=seed, seed=seed, solver=method)
        asked = None if points is None else found.at(points, allow_far=allow_far)
        subject = page.subject_of(found, fitted, held=held, asked=asked, flops=budget, allow_far=allow_far)
    record: dict[str, Any] = page.record(subject) | {"seconds": clock.seconds}
    with waiting("drawing"):
        card = forecast_card(found, fitted, held, record=record, seconds=clock.seconds, seed=seed)
        rendered = page.render(subject, card, spoken)

    with output.files_first() as put:
        written = put(write, out, rendered) is not False
        put(output.write_json, json, record)

        output.say(shown, record["answer"])
        output.notes(shown, "Read this first", answer.severe(subject))
        output.notes(shown, "Written", [out] if written else [])
    return GOOD if found.fit.certificate.certified else NOT_CERTIFIED
