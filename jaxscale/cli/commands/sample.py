"""`jaxscale sample`: a table and a law, to a diagnosed posterior."""

from typing import Annotated

import typer

from jaxscale.cli import options
from jaxscale.cli.guard import GOOD, NOT_CERTIFIED, answers
from jaxscale.cli.source import Source


@answers
def sample(
    runs: Source,
    law: options.Law = "Chinchilla",
    likelihood: Annotated[
        str, typer.Option(help="student-t:5, gaussian, huber-density:1; student-t:5:N has noise that grows with N.")
    ] = "student-t:5",
    fix: options.Fix = None,
    group: Annotated[str | None, typer.Option(help="Column that tells data sets apart, for a joint law.")] = None,
    split: Annotated[str | None, typer.Option(help="Parameters separate per group, as in E,A.")] = None,
    partial: Annotated[
        str | None, typer.Option(help="Parameters that scatter around a common value; the others are shared.")
    ] = None,
    weight: options.Weight = None,
    noise: options.Noise = None,
    state: options.State = None,
    draws: options.Draws = "1000",
    chains: options.Chains = "4",
    bagged: Annotated[
        str, typer.Option(metavar="N", help="Posteriors of N resamples of the runs as well; 0 for none.")
    ] = "0",
    engine: Annotated[
        str | None,
        typer.Option(help="What draws the posteriors of --bagged: importance (default; faster on a CPU) or nuts."),
    ] = None,
    folder: Annotated[
        str | None, typer.Option(metavar="DIR", help="Where --bagged keeps finished chunks, to go on after a stop.")
    ] = None,
    solver: options.Solver = "gauss-newton",
    starts: Annotated[int, typer.Option(help="Cold starts of the search for modes.")] = 32,
    max_steps: options.MaxSteps = None,
    seed: Annotated[int, typer.Option(help="Of starts, chains and resamples.")] = 0,
    json: options.Json = None,
    save: Annotated[
        str | None, typer.Option(metavar="FILE", help="Keep mode and draws for `predict` and `plan`.")
    ] = None,
    tree: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the chains for ArviZ, as .nc or .zarr.")
    ] = None,
    plot: options.Plot = None,
) -> int:
    """Sample the posterior of a law and diagnose it. Exit status 1 where it is not to be believed."""
    from itertools import chain

    import jaxscale
    from jaxscale.cli import inputs, output, targets
    from jaxscale.cli.clock import Clock
    from jaxscale.cli.progress import counting, sampling, waiting
    from jaxscale.cli.reading import engine_of, joint, likelihood_of, seed_of, solver_of, whole
    from jaxscale.core.errors import BadInput
    from jaxscale.report.card.card import fit_card
    from jaxscale.report.store.tree import posterior_tree, write_tree
    from jaxscale.report.views import bagged as bagging
    from jaxscale.report.views import posterior as posterior_summary
    from jaxscale.report.views import record, text

    length = whole(draws, "--draws", least=8, like=1000)
    many = whole(chains, "--chains", least=2, like=4)
    lanes = whole(bagged, "--bagged", least=0, like=1000)
    if lanes == 1:
        raise BadInput("--bagged: expected 0 or at least 2 resamples, got 1; write it like 1000")
    if folder is not None and not lanes:
        raise BadInput("--folder: expected with --bagged, whose chunks it keeps, got it without; add --bagged 1000")
    if engine is not None and not lanes:
        raise BadInput("--engine: expected with --bagged, whose posteriors it draws, got it without; add --bagged 1000")
    drawn_by = None if engine is None else engine_of(engine)
    whole(str(starts), "--starts", least=0)
    method = solver_of(solver, max_steps)
    seed_of(str(seed))
    targets.check(
        reads=runs.reads,
        files={"--json": json},
        saves={"--save": save},
        trees={"--tree": tree},
        figures={"--plot": plot},
        folders={"--folder": folder},
    )
    chosen = likelihood_of(likelihood)
    model = inputs.law_class(law)()
    inputs.fixed_of(fix or (), model)
    study = runs.study(state, group=group, weight=weight, noise=noise)
    model = joint(model, split, group, study, partial)
    held = inputs.fixed_of(fix or (), model)

    out = output.console(json, save)
    bags = None
    with Clock() as clock:
        with waiting(f"searching the modes of {record.law_name(model)} on {len(study)} runs (the first time compiles)"):
            mode = jaxscale.fit(
                model,
                study,
                chosen,
                fixed=held,
                prior=True,
                starts=starts,
                seed=seed,
                solver=method,
            )
        with sampling("sampling") as tell:
            found = jaxscale.sample_from(mode, key=seed, draws=length, chains=many, progress=tell)
        if lanes:
            with counting("posteriors of resamples", lanes) as count:
                bags = jaxscale.bag(mode, lanes, key=seed, engine=drawn_by, folder=folder, progress=count)
        ensemble = found.ensemble if bags is None else bags.ensemble
    seconds = clock.seconds
    card = fit_card(mode, ensemble, study, seconds, seed=seed) if json is not None or save is not None else None

    answer = posterior_summary.posterior_record(found) | {"seconds": seconds}
    answer["card"] = card
    answer["bagged"] = None if bags is None else bagging.bagging_record(bags)
    answer["warnings"] = [*answer["warnings"], *(() if bags is None else bags.remarks)]
    chart = None
    if tree is not None or plot is not None:
        with waiting("predicting the runs"):
            chart = posterior_tree(found, key=seed)

    with output.files_first() as put:
        kept = False
        if save is not None:
            from jaxscale.report.store.store import save as keep

            kept = put(keep, save, mode, ensemble, card=card) is not False
        if tree is not None and chart is not None:
            put(write_tree, tree, chart)
        drawn = ()
        if plot is not None and chart is not None:
            from jaxscale.report.figures.plots import figures
            from jaxscale.report.figures.plots.posterior import posterior_figures

            with waiting("drawing"):
                drawn = put(output.write_figures, plot, chain(figures(mode, ensemble), posterior_figures(chart))) or ()
        put(output.write_json, json, answer)

        output.say(out, posterior_summary.posterior_sentence(found, study.name))
        output.say(out)
        out.print(posterior_summary.posterior_table(found))
        output.say(out)
        output.say(out, posterior_summary.verdict_line(found))
        output.say(out, text.certificate_line(mode).replace("Certificate", "Certificate of the mode", 1))
        if bags is not None:
            output.say(out)
            output.say(out, bagging.bagging_sentence(bags))
            output.say(out)
            out.print(bagging.bagging_table(bags))
            output.say(out)
            output.say(out, bagging.MISMATCH)
        doubts = [*record.warnings_of(mode), *found.remarks, *(() if bags is None else bags.remarks)]
        output.notes(out, "Remarks", doubts)
        output.say(out)
        output.say(out, text.reach_sentence(mode))
        if kept:
            kind = "chains" if bags is None else "bagged posteriors, whose spread is the honest one"
            output.say(out, f"{save} keeps the mode and the draws of the {kind}.")
        output.notes(out, "Figures", [str(path) for path in drawn])
        trusted = found.diagnosis.passed and (bags is None or bags.passed)
        output.notes(out, "Next", bagging.next_steps(mode, ensemble, trusted, save))
        output.say(out)
        output.say(out, f"{seconds['compile']:.1f} s compiling, {seconds['run']:.1f} s running.")
    return GOOD if mode.certificate.certified and trusted else NOT_CERTIFIED
