"""`jaxscale versus`: two recipes trained small, and what one is worth in compute of the other at scale."""

from typing import Annotated

import typer

from jaxscale.cli import options
from jaxscale.cli.guard import GOOD, NOT_CERTIFIED, answers
from jaxscale.cli.source import Source


@answers
def versus(
    runs: Source,
    recipe: Annotated[str, typer.Option(help="Column that tells the two recipes apart.")],
    law: options.Law = "Chinchilla",
    at: Annotated[
        list[str] | None, typer.Option(help="A budget in FLOP, as in 1e22; may be repeated. Default: up to 100 times.")
    ] = None,
    baseline: Annotated[str | None, typer.Option(help="The recipe to compare against; default: the first.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Fit both together: parameters separate per recipe, as in E,A. Default: all.")
    ] = None,
    noise: Annotated[
        str | None, typer.Option(help="Standard deviation of one run's loss, relative; default: of the residuals.")
    ] = None,
    objective: Annotated[
        str, typer.Option(help="log-huber:1e-3, log-lad, log-squares, raw-huber:1e-3, student-t:5, ...")
    ] = "log-huber:1e-3",
    bootstrap: Annotated[str, typer.Option(metavar="N", help="Number of resamples.")] = "1000",
    solver: options.Solver = "gauss-newton",
    starts: Annotated[int, typer.Option(help="Cold starts of the search.")] = 32,
    max_steps: options.MaxSteps = None,
    seed: Annotated[int, typer.Option(help="Of starts and bootstrap.")] = 0,
    json: options.Json = None,
) -> int:
    """Compare two recipes: equivalent compute, the probability that one is better, where they cross.

    All losses must be of the same held-out text and tokenizer. Exit status 1 where a fit is not certified.
    """
    from jaxscale.cli import inputs, output, targets
    from jaxscale.cli.clock import Clock
    from jaxscale.cli.progress import counting
    from jaxscale.cli.reading import names_of, seed_of, solver_of, whole
    from jaxscale.objectives.parse import objective_from_name
    from jaxscale.plan.recipes.versus import versus as compared
    from jaxscale.report.views import text
    from jaxscale.report.views import versus as report

    draws = whole(bootstrap, "--bootstrap", least=2)
    whole(str(starts), "--starts", least=0)
    method = solver_of(solver, max_steps)
    seed_of(str(seed))
    targets.check(reads=runs.reads, files={"--json": json})
    chosen = objective_from_name(objective)
    model = inputs.law_class(law)()
    budgets = [found for c in at or () if (found := inputs.positive(c, "--at", "FLOP"))] or None
    spread = inputs.positive(noise, "--noise", "the loss, relative")
    separate = None if split is None else names_of(split, "--split")
    study = runs.study(group=recipe)

    out = output.console(json)
    with Clock() as clock, counting("bootstrap", draws * (2 if split is None else 1)) as tell:
        found = compared(
            study,
            model,
            at=budgets,
            baseline=baseline,
            split=separate,
            objective=chosen,
            draws=draws,
            noise=spread,
            starts=starts,
            seed=seed,
            solver=method,
            progress=tell,
        )
    seconds = clock.seconds

    with output.files_first() as put:
        put(output.write_json, json, report.versus_record(found) | {"seconds": seconds})

        output.say(out, report.sentence(found))
        output.say(out)
        out.print(report.scale_table(found))
        output.say(out)
        for note in report.notes(found):
            output.say(out, note)
        output.notes(out, "Remarks", report.remarks(found))
        output.say(out)
        for f in found.fits:
            output.say(out, text.certificate_line(f))
        output.say(out, f"{seconds['compile']:.1f} s compiling, {seconds['run']:.1f} s running.")
    return GOOD if found.certified else NOT_CERTIFIED
