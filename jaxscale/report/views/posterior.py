"""A posterior in words, as a table, and as a record for JSON: every one of them shows the verdict."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import xarray as xr
from rich.table import Table

from jaxscale.core.ensemble import deviation, quantile_table
from jaxscale.core.parametric import declared
from jaxscale.infer.posterior import convergence
from jaxscale.infer.posterior.posterior import Posterior
from jaxscale.report.store.tree import parameter_draws
from jaxscale.report.views.numbers import estimate
from jaxscale.report.views.record import finite, is_simulated, law_name, warnings_of
from jaxscale.report.views.text import marked, runs_of, table


def posterior_sentence(posterior: Posterior, name: str = "") -> str:
    """What was sampled given what, and whether to believe the draws."""
    fit, verdict = posterior.fit, "converged" if posterior.diagnosis.passed else "NOT converged"
    given = f"{name}, {runs_of(fit)}" if name else runs_of(fit)
    return marked(
        fit,
        f"{law_name(fit.law)} given {given}, by {fit.objective.name}: {posterior.chains} chains of "
        f"{posterior.draws:,} draws by {posterior.engine}: {verdict}.",
    )


def verdict_line(posterior: Posterior) -> str:
    """The evidence in one line: the worst of each diagnostic and what was allowed."""
    d = posterior.diagnosis
    g, worst = d.gates, _worst(posterior)
    return (
        f"Diagnosis: R-hat at most {worst['rhat']:.4f} (allowed {g.rhat:g}); effective draws at least "
        f"{worst['ess_bulk']:.0f} in bulk and {worst['ess_tail']:.0f} in the tails (needed {g.ess:g}); "
        f"{d.divergences} of {d.draws} transitions diverged; E-BFMI at least {worst['bfmi']:.2f} (needed {g.bfmi:g}); "
        f"{d.rejected:.2%} all but rejected; {d.saturated:.1%} of trajectories at full depth; "
        f"{d.leapfrogs:.1f} gradients per draw."
    )


def posterior_table(posterior: Posterior) -> Table:
    """Mode, mean, standard deviation and 90 % interval of every free parameter, with its diagnostics."""
    heads = ("mode", "mean", "std. dev.", "5 %", "95 %", "R-hat", "ESS bulk", "ESS tail")
    notice = "" if posterior.diagnosis.passed else "NOT CONVERGED"
    title = marked(posterior.fit, notice or "parameters") if is_simulated(posterior.fit) else notice
    made = table(title, "", *heads, "unit", "meaning")
    for name in ("unit", "meaning"):
        next(c for c in made.columns if c.header == name).justify = "left"
    for label, row in _rows(posterior):
        numbers = [estimate(row[key]) for key in ("mode", "mean")]
        numbers += [f"{row['sd']:.2g}", *(estimate(row["quantiles"][level]) for level in ("0.05", "0.95"))]
        numbers += [f"{row['rhat']:.4f}", f"{row['ess_bulk']:.0f}", f"{row['ess_tail']:.0f}"]
        made.add_row(label, *numbers, row["unit"], row["doc"])
    return made


def posterior_record(posterior: Posterior) -> dict[str, Any]:
    """`law, likelihood, engine, verdict, parameters, mode, warnings`, and where the runs come from.

    `parameters`: by label (`alpha`, `E[c4]`) the mode, mean, `sd`, quantiles, R-hat, effective sample sizes, unit
    and meaning. `verdict`: `passed`, `failures` as sentences, the worst of each diagnostic, and the `gates`.
    """
    fit, d = posterior.fit, posterior.diagnosis
    return finite(
        {
            "law": law_name(fit.law),
            "likelihood": fit.objective.name,
            "engine": posterior.engine,
            "chains": posterior.chains,
            "draws": posterior.draws,
            "starts": list(posterior.starts),
            "verdict": {
                "passed": d.passed,
                "failures": list(d.failures()),
                "gates": dataclasses.asdict(d.gates),
                **_worst(posterior),
                "divergences": d.divergences,
                "saturated": d.saturated,
                "rejected": d.rejected,
                "leapfrogs_per_draw": d.leapfrogs,
            },
            "parameters": dict(_rows(posterior)),
            "mode": {
                "certified": fit.certificate.certified,
                "code": fit.certificate.code.name,
                "optima": fit.certificate.distinct,
            },
            "runs": fit.count,
            "groups": list(fit.groups),
            "fixed": [x.name for x in declared(fit.problem.template) if x.name not in fit.problem.split.free],
            "seed": posterior.seed,
            "simulated": is_simulated(fit) or None,
            "provenance": dict(fit.provenance),
            "warnings": [*warnings_of(fit), *posterior.remarks],
            "seconds": dict(posterior.seconds),
        }
    )


def _worst(posterior: Posterior) -> dict[str, float]:
    d = posterior.diagnosis
    least = {"ess_bulk": d.ess_bulk, "ess_tail": d.ess_tail, "bfmi": d.bfmi}
    return {"rhat": float(np.max(d.rhat)), **{name: float(np.min(values)) for name, values in least.items()}}


def _rows(posterior: Posterior) -> Iterator[tuple[str, dict[str, Any]]]:
    """One (label, numbers) per entry of every free parameter, and of partial ones in each data set."""
    draws = parameter_draws(posterior, posterior.model, (posterior.chains, posterior.draws))
    single = jax.tree.map(lambda x: x[None], posterior.fit.problem.template)
    modes = parameter_draws(posterior, single, (1, 1))
    for label, entry in entries(draws):
        x = np.asarray(entry, np.float64)
        mode = modes[str(entry.name)].isel(chain=0, draw=0, **entry.attrs["at"])
        yield (
            label,
            {
                "mode": float(mode),
                "mean": float(np.mean(x)),
                "sd": float(deviation(x.reshape(-1))),
                "quantiles": quantile_table(x.reshape(-1)),
                "rhat": float(convergence.rhat(x)),
                "ess_bulk": float(convergence.ess_bulk(x)),
                "ess_tail": float(convergence.ess_tail(x)),
                "unit": entry.attrs["units"],
                "doc": entry.attrs["doc"],
            },
        )


def entries(draws: xr.Dataset) -> Iterator[tuple[str, xr.DataArray]]:
    """Every entry of every parameter as (label, array by chain and draw): `alpha`, `E[c4]`; `at` is its index."""
    for variable in draws.data_vars.values():
        own = [dim for dim in variable.dims if dim not in ("chain", "draw")]
        for index in np.ndindex(*(variable.sizes[dim] for dim in own)):
            at = dict(zip(own, index, strict=True))
            where = [str(draws["group"].values[i]) if dim == "group" else str(i) for dim, i in at.items()]
            label = f"{variable.attrs['name']}[{','.join(where)}]" if where else variable.attrs["name"]
            yield label, variable.isel(at).drop_vars("group", errors="ignore").assign_attrs(at=at)
