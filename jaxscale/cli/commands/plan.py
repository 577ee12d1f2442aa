"""`jaxscale plan`: the size and the data that a budget should buy."""

from typing import Annotated

import typer

from jaxscale.cli import options
from jaxscale.cli.guard import answers


@answers
def plan(
    fit: options.Saved,
    flops: Annotated[str | None, typer.Option(help="Budget in FLOP, as in 1e24.")] = None,
    loss: Annotated[str | None, typer.Option(help="Instead: the loss to reach; the budget is the answer.")] = None,
    min_ratio: Annotated[str | None, typer.Option(help="Fewest tokens per parameter.")] = None,
    max_ratio: Annotated[str | None, typer.Option(help="Most tokens per parameter.")] = None,
    min_size: Annotated[str | None, typer.Option(help="Fewest parameters, as in 7B.")] = None,
    max_size: Annotated[str | None, typer.Option(help="Most parameters.")] = None,
    per_token: Annotated[
        str, typer.Option(metavar="FLOP", help="FLOP per parameter and token; 6 for dense training.")
    ] = "6",
    group: Annotated[str | None, typer.Option(help="Which group of a joint fit.")] = None,
    json: options.Json = None,
    trust: options.Trust = False,
) -> None:
    """The compute-optimal run for a budget (C = 6ND, or --per-token), or the smallest budget that reaches a loss."""
    from jaxscale.cli import inputs, output, targets
    from jaxscale.cli.progress import waiting
    from jaxscale.core.errors import BadInput
    from jaxscale.plan import Bounds
    from jaxscale.plan.plan_run import plan_run
    from jaxscale.report.views import record, text

    if (flops is None) == (loss is None):
        got = "neither" if flops is None else "both"
        raise BadInput(f"plan: expected either --flops or --loss, got {got}; write it as in --flops 1e24")
    targets.check(reads={"FIT": fit}, files={"--json": json})
    budget, target = inputs.positive(flops, "--flops", "FLOP"), inputs.positive(loss, "--loss", "the law's unit")
    cost = inputs.positive(per_token, "--per-token", "FLOP per parameter and token")
    assert cost is not None
    free = Bounds()
    bounds = Bounds(
        N=(
            inputs.positive(min_size, "--min-size", "parameters") or free.N[0],
            inputs.positive(max_size, "--max-size", "parameters") or free.N[1],
        ),
        ratio=(
            inputs.positive(min_ratio, "--min-ratio", "tokens per parameter") or free.ratio[0],
            inputs.positive(max_ratio, "--max-ratio", "tokens per parameter") or free.ratio[1],
        ),
    ).check()
    saved = inputs.saved_fit(fit, trust)
    with waiting("planning"):
        planned = plan_run(
            saved.fit, saved.ensemble, flops=budget, loss=target, bounds=bounds, group=group, per_token=cost
        )
    out = output.console(json)
    with output.files_first() as put:
        put(output.write_json, json, record.plan_record(planned, saved.fit))

        output.say(out, text.plan_sentence(planned, saved.fit))
        output.say(out)
        out.print(text.plan_table(planned, saved.fit))
        output.notes(out, "Remarks", [*record.warnings_of(saved.fit), *planned.remarks])
        output.say(out)
        for sentence in text.plan_notes(planned, saved.fit):
            output.say(out, sentence)
