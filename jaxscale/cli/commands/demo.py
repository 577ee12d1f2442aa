"""`jaxscale demo`: the whole way on the pocket study, checked against larger runs that were trained afterwards."""

from pathlib import Path
from typing import Annotated

import typer

from jaxscale.cli import options
from jaxscale.cli.guard import GOOD, NOT_CERTIFIED, answers


@answers
def demo(
    out: Annotated[str, typer.Option(metavar="DIR", help="Folder for figures and the saved fit.")] = "jaxscale-demo",
    bootstrap: Annotated[str, typer.Option(metavar="N", help="Number of bootstrap refits.")] = "4000",
    json: options.Json = None,
) -> int:
    """Fit, certify, bootstrap, forecast, plan and draw the pocket study. Takes about a minute the first time."""
    import jaxscale
    from jaxscale.cli import output, targets
    from jaxscale.cli.clock import Clock
    from jaxscale.cli.progress import counting, waiting
    from jaxscale.cli.reading import whole
    from jaxscale.laws.loss.hoffmann2022 import Chinchilla
    from jaxscale.objectives.likelihood import student_t
    from jaxscale.plan.plan_run import plan_run
    from jaxscale.report.figures.plots import figures
    from jaxscale.report.store.store import save
    from jaxscale.report.views import demo as story
    from jaxscale.report.views import record, text

    draws = whole(bootstrap, "--bootstrap", least=2)
    targets.check(folders={"--out": out}, files={"--json": json})
    shown = output.console(json)
    study, heldout = story.small(), story.larger()
    with Clock() as clock:
        with waiting("fitting Chinchilla (the first time compiles)"):
            found = jaxscale.fit(Chinchilla(), study, student_t())
        with counting("bootstrap", draws) as tell:
            ensemble = jaxscale.bootstrap(found, draws, progress=tell)
        with waiting("planning"):
            held = heldout.columns
            forecast = jaxscale.forecast(found, {"N": held["N"], "D": held["D"]}, ensemble)
            planned = plan_run(found, ensemble, flops=story.budget(study))
    seconds = clock.seconds
    answer = record.fit_record(found, ensemble, seconds)
    answer |= {
        "forecast": record.forecast_record(forecast, found)["points"],
        "heldout_loss": held["loss"].tolist(),
        "plan": record.plan_record(planned, found),
    }

    with output.files_first() as put:
        with waiting("drawing"):
            written = put(output.write_figures, out, figures(found, ensemble, heldout)) or []
        kept, unkept = Path(out) / "fit.nc", None
        try:
            if put(save, kept, found, ensemble) is not False:
                written = [*written, kept]
        except ImportError as error:
            unkept = error
        put(output.write_json, json, record.finite(answer))

        output.say(shown, "The pocket study: small transformers that we trained on a source whose entropy is known.")
        output.lines(shown, study.describe())
        output.say(shown)
        output.say(shown, text.fit_sentence(found))
        output.say(shown)
        output.say(shown, "1. What was fitted")
        shown.print(text.parameter_table(found, ensemble))
        output.say(shown, text.certificate_line(found))
        output.say(shown, story.entropy_sentence(ensemble))
        output.notes(shown, "Remarks", record.warnings_of(found, ensemble))
        output.say(shown)
        output.say(shown, "2. Forecast of larger runs, which were trained afterwards")
        shown.print(story.heldout_table(forecast, study, heldout))
        for sentence in (*forecast.remarks(), story.heldout_sentence(forecast, heldout)):
            output.say(shown, sentence)
        output.say(shown)
        output.say(shown, f"3. Plan for {story.FACTOR:g} times the compute")
        output.say(shown, text.plan_sentence(planned, found))
        shown.print(text.plan_table(planned, found))
        for sentence in text.plan_notes(planned, found):
            output.say(shown, sentence)
        if unkept is not None:
            output.say(shown)
            output.say(shown, f"The fit was not kept: {unkept}.")
        output.notes(shown, "Written", [str(path) for path in written])
        output.notes(
            shown,
            "Next, with your own table",
            [
                "jaxscale fit runs.csv --law Chinchilla --map N=params --map D=tokens[B] --map loss=val_loss[nats] "
                "--bootstrap 4000 --save fit.nc --plot figures",
                "jaxscale plan fit.nc --flops 1e24",
                "jaxscale laws, jaxscale data: what else there is",
            ],
        )
        output.say(shown)
        output.say(shown, f"{seconds['compile']:.1f} s compiling, {seconds['run']:.1f} s running.")
    return GOOD if found.certificate.certified else NOT_CERTIFIED
