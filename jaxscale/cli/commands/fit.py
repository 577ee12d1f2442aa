"""`jaxscale fit`: a table and a law, to a certified fit with intervals."""

from typing import Annotated

import typer

from jaxscale.cli import options
from jaxscale.cli.guard import GOOD, NOT_CERTIFIED, answers
from jaxscale.cli.source import Source


@answers
def fit(
    runs: Source,
    law: options.Law = "Chinchilla",
    objective: Annotated[
        str, typer.Option(help="log-huber:1e-3, log-lad, log-squares, raw-huber:1e-3, student-t:5, ...")
    ] = "log-huber:1e-3",
    fix: options.Fix = None,
    group: Annotated[str | None, typer.Option(help="Column that tells data sets apart, for a joint fit.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Parameters separate per group, as in E,A; the others are shared.")
    ] = None,
    partial: Annotated[str | None, typer.Option(help="Needs priors: see `jaxscale sample`.", hidden=True)] = None,
    weight: options.Weight = None,
    noise: options.Noise = None,
    state: options.State = None,
    bootstrap: Annotated[str, typer.Option(metavar="N", help="Number of bootstrap refits; 0 for none.")] = "0",
    solver: options.Solver = "gauss-newton",
    starts: Annotated[int, typer.Option(help="Cold starts of the search.")] = 32,
    max_steps: options.MaxSteps = None,
    seed: Annotated[int, typer.Option(help="Of starts and bootstrap.")] = 0,
    json: options.Json = None,
    save: Annotated[str | None, typer.Option(metavar="FILE", help="Keep the fit for `predict` and `plan`.")] = None,
    plot: options.Plot = None,
) -> int:
    """Fit a law to a table of runs and certify the optimum. Exit status 1 where it is not certified."""
    import jaxscale
    from jaxscale.cli import inputs, output, targets
    from jaxscale.cli.clock import Clock
    from jaxscale.cli.progress import counting, waiting
    from jaxscale.cli.reading import joint, seed_of, solver_of, whole
    from jaxscale.core.errors import BadInput
    from jaxscale.core.results import RESULTS
    from jaxscale.objectives.parse import objective_from_name
    from jaxscale.report.card.card import fit_card
    from jaxscale.report.views import record, text

    if partial is not None:
        raise BadInput(
            "--partial: expected with `jaxscale sample` only, as partial parameters have no optimum without their "
            f"priors, got --partial {partial}; use `jaxscale sample`, or --split"
        )
    draws = whole(bootstrap, "--bootstrap", least=0)
    whole(str(starts), "--starts", least=0)
    method = solver_of(solver, max_steps)
    seed_of(str(seed))
    targets.check(reads=runs.reads, files={"--json": json}, saves={"--save": save}, figures={"--plot": plot})
    chosen = objective_from_name(objective)
    model = inputs.law_class(law)()
    inputs.fixed_of(fix or (), model)
    study = runs.study(state, group=group, weight=weight, noise=noise)
    model = joint(model, split, group, study)
    held = inputs.fixed_of(fix or (), model)

    out = output.console(json, save)
    with Clock() as clock:
        with waiting(f"fitting {record.law_name(model)} to {len(study)} runs (the first time compiles)"):
            found = jaxscale.fit(model, study, chosen, fixed=held, starts=starts, seed=seed, solver=method)
        ensemble = None
        # A likelihood through runs without noise has no refits; its certificate says so.
        if draws and found.certificate.code != RESULTS.exact:
            with counting("bootstrap", draws) as tell:
                ensemble = jaxscale.bootstrap(found, draws, key=seed, progress=tell)
    seconds = clock.seconds
    lost: list[str] = []
    if ensemble is not None and ensemble.empty:  # the fit stands all the same
        lost, ensemble = [f"No intervals: of the refits there converged {ensemble.empty}"], None
    card = fit_card(found, ensemble, study, seconds, seed=seed) if json is not None or save is not None else None

    with output.files_first() as put:
        if save is not None:
            from jaxscale.report.store.store import save as keep

            put(keep, save, found, ensemble, card=card)
        made = ()
        if plot is not None:
            from jaxscale.report.figures.plots import figures

            with waiting("drawing"):
                made = put(output.write_figures, plot, figures(found, ensemble)) or ()
        answer = record.fit_record(found, ensemble, seconds)
        answer |= {"card": card, "warnings": [*(answer["warnings"] or ()), *lost]}
        put(output.write_json, json, answer)

        output.say(out, text.fit_sentence(found, study.name))
        output.say(out)
        out.print(text.parameter_table(found, ensemble))
        output.say(out)
        output.say(out, text.certificate_line(found))
        if ensemble is not None:
            output.say(
                out,
                f"Intervals from {ensemble.size - ensemble.failed} of {ensemble.size} refits ({ensemble.method}).",
            )
        output.notes(out, "Remarks", [*record.warnings_of(found, ensemble), *lost])
        output.say(out)
        output.say(out, text.reach_sentence(found))
        output.notes(out, "Figures", [str(path) for path in made])
        output.notes(out, "Next", text.next_steps(found, ensemble, save))
        output.say(out)
        output.say(out, f"{seconds['compile']:.1f} s compiling, {seconds['run']:.1f} s running.")
    return GOOD if found.certificate.certified else NOT_CERTIFIED
