"""`jaxscale compare`: which law describes a table of runs, and which one to trust beyond it."""

from typing import Annotated

import typer

from jaxscale.cli import options
from jaxscale.cli.guard import GOOD, NOT_CERTIFIED, answers
from jaxscale.cli.source import Source


@answers
def compare(
    runs: Source,
    laws: Annotated[str, typer.Option(help="Names of two laws or more, as in Chinchilla,KaplanND.")],
    likelihood: Annotated[str, typer.Option(help="student-t:5, gaussian, huber-density:1.")] = "student-t:5",
    group: Annotated[str | None, typer.Option(help="Column that tells data sets apart: each is left out once.")] = None,
    draws: options.Draws = "1000",
    chains: options.Chains = "4",
    at: Annotated[
        list[str] | None, typer.Option(help="A point to predict by every law, as in N=70e9,D=1.4e12; may be repeated.")
    ] = None,
    solver: options.Solver = "gauss-newton",
    starts: Annotated[int, typer.Option(help="Cold starts of the search for modes.")] = 32,
    max_steps: options.MaxSteps = None,
    seed: Annotated[int, typer.Option(help="Of starts and chains.")] = 0,
    json: options.Json = None,
) -> int:
    """Compare laws on the same runs by what they say of runs left out. Exit status 1 where a posterior failed."""
    import jaxscale
    from jaxscale.cli import inputs, output, targets
    from jaxscale.cli.clock import Clock
    from jaxscale.cli.progress import sampling, waiting
    from jaxscale.cli.reading import likelihood_of, seed_of, solver_of, whole
    from jaxscale.report.views import comparison, text

    length = whole(draws, "--draws", least=8, like=1000)
    many = whole(chains, "--chains", least=2, like=4)
    whole(str(starts), "--starts", least=0)
    method = solver_of(solver, max_steps)
    seed_of(str(seed))
    targets.check(reads=runs.reads, files={"--json": json})
    chosen = likelihood_of(likelihood)
    models = inputs.laws_of(laws)
    points = inputs.points_of(at) if at else None
    study = runs.study(group=group)
    inputs.check_laws(models, study, points)

    out = output.console(json)
    posteriors = {}
    with Clock() as clock:
        for label, model in models.items():
            with waiting(f"searching the modes of {label} on {len(study)} runs (the first time compiles)"):
                mode = jaxscale.fit(model, study, chosen, prior=True, starts=starts, seed=seed, solver=method)
            with sampling(label) as tell:
                posteriors[label] = jaxscale.sample_from(mode, key=seed, draws=length, chains=many, progress=tell)
        with waiting("leaving out each run, and all beyond each cut"):
            found = jaxscale.compare(posteriors, key=seed)
        made = None if points is None else comparison.forecasts(found, points)
    seconds = clock.seconds

    with output.files_first() as put:
        put(output.write_json, json, comparison.comparison_record(found, made) | {"seconds": seconds})

        output.say(out, comparison.comparison_sentence(found, study.name))
        output.say(out)
        out.print(comparison.comparison_table(found))
        held = comparison.held_out_table(found)
        if held is not None:
            output.say(out)
            out.print(held)
        if made is not None:
            output.say(out)
            out.print(comparison.forecasts_table(made))
        output.notes(out, "Remarks", comparison.comparison_remarks(found))
        output.say(out)
        output.say(out, text.reach_sentence(posteriors[found.best].fit))
        output.say(out)
        output.say(out, f"{seconds['compile']:.1f} s compiling, {seconds['run']:.1f} s running.")
    good = all(p.diagnosis.passed and p.fit.certificate.certified for p in posteriors.values())
    return GOOD if good else NOT_CERTIFIED
