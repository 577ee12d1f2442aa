"""What a comparison of two recipes found: for people a sentence, a table and remarks, for machines a record."""

from typing import Any

import numpy as np
from rich.table import Table

from jaxscale.infer.forecast.forecast import FAR
from jaxscale.plan.recipes.versus import Versus
from jaxscale.report.views.numbers import flops as as_flops
from jaxscale.report.views.record import finite, fit_record, law_name, warnings_of
from jaxscale.report.views.text import table


def sentence(found: Versus) -> str:
    """The answer at the largest budget in one sentence."""
    baseline, other = found.recipes
    at = max(found.scales, key=lambda s: s.flops)
    q = at.quantiles["ratio"]
    reaches = (
        f"{other} reaches {baseline}'s loss at {as_flops(at.flops)} FLOP with {at.ratio:.3g} times the compute"
        if np.isfinite(at.ratio)
        else f"{other} reaches {baseline}'s loss at {as_flops(at.flops)} FLOP with no compute up to 1e32 FLOP"
    )
    return (
        f"{reaches} (90 % {q['0.05']:.3g} to {q['0.95']:.3g}); P({other} better) {_percent(at.average, found.draws)}, "
        f"in one run of each {_percent(at.one_run, found.draws)}; {_crossing(found)}."
    )


def _percent(share: float, draws: int) -> str:
    """No probability is known closer to 0 or 1 than the number of draws tells."""
    if share > 1 - 1 / draws:
        return f"above {1 - 1 / draws:.3f}"
    return f"below {1 / draws:.2g}" if share < 1 / draws else f"{share:.3g}"


def _crossing(found: Versus) -> str:
    """Where the better one changes, in words."""
    other, shares = found.recipes[1], found.crossover.shares()
    low, high = (as_flops(c) for c in found.between)
    words = {
        "better": f"{other} is better throughout",
        "worse": f"{other} is worse throughout",
        "overtakes": f"{other} overtakes once",
        "overtaken": f"{other} is overtaken once",
        "several": "they cross more than once",
        "same": "they are the same",
    }
    told = [f"{words[k]} in {v:.3g}" for k, v in sorted(shares.items(), key=lambda x: -x[1]) if v]
    said = f"from {low} to {high} FLOP {', '.join(told)} of the resamples"
    if q := found.crossover.quantiles():
        at, *ends = (as_flops(q[level]) for level in ("0.5", "0.05", "0.95"))
        said += f", where they cross once at {at} FLOP (90 % {' to '.join(ends)})"
    return said


def scale_table(found: Versus) -> Table:
    """One row per budget."""
    baseline, other = found.recipes
    shown = table(
        "",
        "C (FLOP)",
        f"loss {baseline}",
        f"loss {other}",
        "compute ratio",
        "5 %",
        "95 %",
        "worth",
        "5 %",
        "95 %",
        f"P({other} better)",
        "in one run",
        "decades beyond",
        left=0,
    )
    for s in found.scales:
        ends = [(value, s.quantiles[name]) for name, value in (("ratio", s.ratio), ("worth", s.worth))]
        cells = [f"{x:.3g}" for value, q in ends for x in (value, q["0.05"], q["0.95"])]
        chances = [_percent(p, found.draws) for p in (s.average, s.one_run)]
        shown.add_row(as_flops(s.flops), *(f"{x:.4f}" for x in s.losses), *cells, *chances, f"{s.decades:.1f}")
    return shown


def notes(found: Versus) -> list[str]:
    """How to read the table."""
    baseline, other = found.recipes
    noise = " and ".join(f"{x:.2%} ({label})" for x, label in zip(found.noise, found.recipes, strict=True))
    return [
        f"Compute ratio: what {other} needs for {baseline}'s loss, over C; worth: what {baseline} needs for {other}'s. "
        "Each is trained compute-optimally by its own law.",
        f"Paired bootstrap: {found.shared} of {found.units} units hold runs of both recipes and are drawn together; "
        f"{found.draws} of {found.asked} resamples converged for both.",
        f"Noise of one run, relative: {noise}.",
        "All of it holds for losses measured on the same held-out text with the same tokenizer, and under this law.",
    ]


def remarks(found: Versus) -> list[str]:
    """Every sentence a reader must see."""
    said = []
    for i, f in enumerate(found.fits):
        label = f"{found.recipes[i]}: " if len(found.fits) > 1 else ""
        doubt = [] if f.certificate.certified else [f"The fit is NOT certified: {f.certificate.code.sentence}"]
        said += [f"{label}{s}" for s in (*doubt, *warnings_of(f))]
    far = max(s.decades for s in found.scales)
    if far > FAR:
        said.append(
            f"Extrapolation: the furthest budget lies {far:.1f} decades beyond the fitted runs; intervals and "
            "probabilities hold the parameters' uncertainty under this law only, and cover less the further out."
        )
    if bound := [as_flops(s.flops) for s in found.scales if s.on_bound]:
        said.append(
            f"At {', '.join(bound)} FLOP an optimum lies on an end of the allowed sizes: the law has no minimum."
        )
    if found.draws < found.asked:
        said.append(
            f"{found.asked - found.draws} of {found.asked} resamples did not converge for both and are left out."
        )
    if not found.shared:
        said.append("No run of one recipe has the size and data of one of the other: resampled independently.")
    return list(dict.fromkeys(said))


def versus_record(found: Versus) -> dict[str, Any]:
    """`recipes`, `at` (one dict per budget), `crossover`, `noise`, `bootstrap`, `fits`, `warnings`."""
    baseline, other = found.recipes
    return finite(
        {
            "law": law_name(found.fits[0].law),
            "baseline": baseline,
            "recipe": other,
            "at": [
                {
                    "flops": s.flops,
                    "loss": dict(zip(found.recipes, s.losses, strict=True)),
                    "compute_ratio": {"point": s.ratio, "quantiles": s.quantiles["ratio"]},
                    "worth": {"point": s.worth, "quantiles": s.quantiles["worth"]},
                    "probability_better": s.average,
                    "probability_better_in_one_run": s.one_run,
                    "decades_beyond": s.decades,
                    "on_bound": s.on_bound,
                }
                for s in found.scales
            ],
            "crossover": {
                "between": list(found.between),
                "shares": found.crossover.shares(),
                "quantiles": found.crossover.quantiles(),
            },
            "noise": dict(zip(found.recipes, found.noise, strict=True)),
            "bootstrap": {
                "n": found.asked,
                "converged": found.draws,
                "units": found.units,
                "shared_units": found.shared,
            },
            "fits": [fit_record(f) for f in found.fits],
            "certified": found.certified,
            "warnings": remarks(found),
        }
    )
