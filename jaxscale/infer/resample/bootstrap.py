"""`bootstrap`: thousands of refits of a fit, by weights, in a queue on every device."""

from collections.abc import Callable
from typing import Annotated

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxscale.core.ensemble import Ensemble
from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw
from jaxscale.core.ranges import SEED, checked, many
from jaxscale.core.results import RESULTS
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.fit.refit import refit
from jaxscale.infer.resample.schemes import AbstractScheme, default_scheme, distinct
from jaxscale.infer.search.problem import FitProblem, Resample
from jaxscale.infer.search.rows import rows_per_call
from jaxscale.infer.search.units import Units, independent, units


@checked
def bootstrap(
    fit: Fit,
    n: Annotated[int, many(1, like="4000")],
    *,
    key: PRNGKeyArray | Annotated[int, SEED] = 0,
    scheme: AbstractScheme | None = None,
    chunk: Annotated[int, many(1, like="64")] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Ensemble:
    """Refit `fit` on `n` resamples.

    **Arguments:**

    - `scheme`: by default `Pairs()`, or `Wild()` for few units: fewer than 8, or at most 1.5 per parameter of the law,
      2 where a scale is estimated, 3 where units have several rows. Units are the runs' clusters, drawn within groups.
    - `chunk`: most draws per call of the compiled program; memory does not depend on `n` beyond the result.
    - `progress`: called with (draws done, n) after each chunk.

    Draw i depends on `key` and i alone: the same for any chunk and any number of devices, to the bit on CPUs and
    to the solver's tolerance on GPUs, whose sums depend on how many rows lie side by side, and between an `n` of
    hundreds and one of thousands, as two drivers of one step solve them (`rows.driven_from_host`). Every draw starts
    from the fit's optimum, and from each other optimum the fit found, of which the best is kept. No draw is
    dropped: `Ensemble.code` says how each ended; that of a resample with fewer distinct units than the law has
    parameters is `too_few`, wherever its refit went. Raises `BadInput` on a likelihood of runs without noise.
    """
    if fit.certificate.code == RESULTS.exact:
        raise BadInput(f"bootstrap: expected runs that scatter about the law, got none. {RESULTS.exact.sentence}")
    key = jax.random.key(key) if isinstance(key, int) else key
    scheme = (default_scheme(fit.problem) if scheme is None else scheme).ready(fit.problem)
    rows = rows_per_call(fit.problem) if chunk is None else rows_per_call(fit.problem, chunk)
    drawn, parameters = units(fit.problem.runs), independent(fit.problem).parameters
    parts = []
    for first in range(0, n, rows):
        count = min(rows, n - first)
        context = resamples(fit.problem, key, scheme, drawn, jnp.asarray(first), rows)
        found = refit(fit, context, count, work=n)
        law = _laws(fit.problem, jnp.asarray(found.z))
        code = np.asarray(found.code)
        if context.weight is not None and not fit.problem.prior:  # which determines what is not drawn
            code = np.where(distinct(context.weight, drawn) < parameters, int(RESULTS.too_few), code)
        part = jax.device_get((law, found.value, code))
        parts.append(jax.tree.map(lambda x, count=count: x[:count], part))
        if progress is not None:
            progress(first + count, n)
    law, value, code = jax.tree.map(lambda *x: jnp.asarray(np.concatenate(x)), *parts)
    return Ensemble(law, value, code, f"bootstrap:{scheme.name}", scheme.remarks(fit.runs))


@eqx.filter_jit
def resamples(
    problem: FitProblem, key: PRNGKeyArray, scheme: AbstractScheme, drawn: Units, first: Int[Array, ""], rows: int
) -> Resample:
    """Rows `first` to `first + rows` of a scheme's resamples; row i depends on `key` and i alone."""
    prediction = predict(problem.template.law, problem.runs)

    def one(index: Int[Array, ""]) -> Resample:
        drawn_key = jax.random.fold_in(key, index)
        return scheme(drawn_key, problem.runs, prediction, drawn, problem.template.objective)

    return jax.vmap(one)(first + jnp.arange(rows, dtype=first.dtype))


@eqx.filter_jit
def _laws(problem: FitProblem, z: Float[Array, "rows p"]) -> AbstractLaw:
    return jax.vmap(lambda row: problem.split.tree(row).law)(z)
