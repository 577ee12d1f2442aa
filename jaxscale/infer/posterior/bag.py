r"""`bag`: bagged posteriors (BayesBag), the average of the posteriors of bootstrap resamples.

A posterior is as wide as its likelihood says; where the law or the noise model is wrong, resampling shows how much
the answer really moves. Bagging keeps both (Bühlmann 2014; Huggins & Miller 2019, arXiv 1912.07104, 2020,
arXiv 2007.14845). Their mismatch index of a quantity with variance $v$ under the posterior and $v^*$ under the bagged
one is $1 - 2 v / v^*$: about 0 where the model is right (the bagged variance is then twice the posterior's), near 1
where the posterior is far too narrow, not defined where $v^* < v$.
"""

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from jaxscale.core.ensemble import Ensemble
from jaxscale.core.errors import BadInput
from jaxscale.core.parametric import values
from jaxscale.core.ranges import SEED, checked, many
from jaxscale.core.results import RESULTS
from jaxscale.execute.store import Folder, fingerprint
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.posterior.batched import PSIS, Engine, Lanes, LaneSettings, lanes_per_call, posterior_lanes
from jaxscale.infer.posterior.posterior import models
from jaxscale.infer.resample.bootstrap import resamples
from jaxscale.infer.resample.schemes import AbstractScheme, Pairs
from jaxscale.infer.search.rows import row_keys, unchanged
from jaxscale.infer.search.units import units
from jaxscale.objectives.model import Model

_MANY = 0.01  # share of failed lanes from which a bagged posterior is not to be trusted
_WIDE = 0.25  # mismatch index worth a remark: the bagged standard deviation is 1.6 times the plain one


@dataclass(frozen=True)
class Bagged:
    """The posteriors of n resamples, and that of the runs as they are.

    - `fit`: the mode on the runs as they are.
    - `lanes`: one posterior per resample; `plain`: one lane, the posterior without resampling.
    - `scheme`: how resamples were made.
    """

    fit: Fit
    lanes: Lanes
    plain: Lanes
    scheme: str

    @property
    def size(self) -> int:
        return len(self.lanes.ok)

    @property
    def failed(self) -> int:
        """Lanes that missed the gates both times; summaries leave them out."""
        return int(np.sum(~self.lanes.ok))

    @property
    def passed(self) -> bool:
        """Whether few enough lanes failed to trust the mixture of the others."""
        return self.failed <= _MANY * self.size

    @property
    def by_nuts(self) -> int:
        """Lanes whose draws are those of chains: all with that engine, else those that importance sampling failed."""
        return int(np.sum(self.lanes.engine != PSIS))

    @cached_property
    def model(self) -> Model:
        """Law and likelihood of every draw, leading axis lane * draw: the mixture of the posteriors."""
        return models(self.fit.problem, self.lanes.z)

    @cached_property
    def ensemble(self) -> Ensemble:
        """The mixture as an ensemble of laws; draws of failed lanes are coded as failed."""
        draws = self.lanes.z.shape[1]
        good, bad = int(RESULTS.converged), int(RESULTS.max_steps)
        code = np.repeat(np.where(self.lanes.ok, good, bad), draws)
        dtype = self.fit.problem.runs.target.dtype
        value = jnp.full(code.shape, jnp.nan, dtype)
        return Ensemble(self.model.law, value, jnp.asarray(code, jnp.int32), f"bagged:{self.scheme}", self.remarks)

    def mismatch(self) -> dict[str, np.ndarray]:
        """The mismatch index of every parameter, in its unconstrained coordinate; nan where not defined."""
        wide = np.var(self.lanes.z[self.lanes.ok].reshape(-1, self.lanes.z.shape[2]), axis=0, ddof=1)
        narrow = np.var(self.plain.z[0], axis=0, ddof=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            index = np.where(wide >= narrow, 1 - 2 * narrow / wide, np.nan)
        return dict(zip(self.fit.problem.split.names(), index, strict=True))

    def widths(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Standard deviation of every parameter under the plain posterior and under the bagged one."""
        plain, bagged = (values(models(self.fit.problem, z)) for z in (self.plain.z, self.lanes.z[self.lanes.ok]))
        return {name: (np.std(plain[name], axis=0, ddof=1), np.std(bagged[name], axis=0, ddof=1)) for name in plain}

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader must know, as sentences."""
        found = []
        if not self.passed:
            found.append(
                f"Bagged posterior not converged: {self.failed} of {self.size} lanes missed the gates both "
                "times and are left out; draw longer chains, or fix a parameter that the runs do not determine."
            )
        index = self.mismatch()
        worst = max(index, key=lambda name: np.nan_to_num(index[name], nan=-np.inf))
        if np.nan_to_num(index[worst], nan=-1.0) > _WIDE:
            found.append(
                f"Mismatch: the plain posterior of {worst} is much narrower than the bagged one (index "
                f"{index[worst]:.2f}; 0 where the model is right): the law or its noise model is wrong; use the "
                "bagged intervals."
            )
        return tuple(found)


@checked
def bag(
    mode: Fit,
    n: Annotated[int, many(2)] = 1000,
    *,
    key: PRNGKeyArray | Annotated[int, SEED] = 0,
    scheme: AbstractScheme | None = None,
    engine: Engine | None = None,
    settings: LaneSettings | None = None,
    folder: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Bagged:
    """Posteriors of `n` resamples of the runs of `mode`, a fit made with `prior=True`.

    **Arguments:**

    - `scheme`: `Pairs()` by default; units are the runs' clusters, drawn within groups.
    - `engine`: "importance" (that of `settings` by default), the faster one on a CPU, or "nuts": four chains of every
      resample, all side by side on an accelerator. Both give the same posteriors to their Monte-Carlo error.
    - `folder`: where finished chunks are kept; a run that was killed, started again with the same arguments, goes on
      from there and gives the same numbers to the last bit. A larger `n` adds to what is there. A chunk that is
      damaged, or another's, is made again, with a warning.
    - `progress`: called with (lanes done, n) after each chunk.

    Lane i depends on `key` and i alone. Raises `BadInput` on n < 2, a fit without prior, or a folder of another run.
    """
    if not mode.problem.prior:
        raise BadInput("bag: expected a fit made with prior=True, got one without; use fit(..., prior=True)")
    settings = LaneSettings() if settings is None else settings
    settings = settings if engine is None else replace(settings, engine=engine)
    scheme = (Pairs() if scheme is None else scheme).ready(mode.problem)
    key = jax.random.key(key) if isinstance(key, int) else key
    rows, drawn = lanes_per_call(mode.problem, settings), units(mode.problem.runs)
    store = None
    if folder is not None:
        versions = {name: importlib.metadata.version(name) for name in ("jaxscale", "jax", "numpyro")}
        content = fingerprint((mode.problem, mode.hessian, list(mode.alternatives), list(mode.restarts)))
        about = {"settings": repr(settings), "scheme": repr(scheme), "rows": rows, "key": fingerprint(key)}
        store = Folder(folder, {"content": content, **about, **versions})

    def lanes(first: int, count: int) -> Lanes:
        resample_key, draw_key = jax.random.split(key)
        context = resamples(mode.problem, resample_key, scheme, drawn, jnp.asarray(first), rows)
        return posterior_lanes(mode, context, row_keys(draw_key, first, rows), count, settings)

    parts = []
    for number, first in enumerate(range(0, n, rows)):
        count = min(rows, n - first)
        make = partial(lanes, first, count)
        parts.append(make() if store is None else store.get(number, count, make, Lanes))
        if progress is not None:
            progress(first + count, n)
    joined = jax.tree.map(lambda *x: np.concatenate(x), *parts)
    plain = posterior_lanes(mode, unchanged(mode.problem, rows), row_keys(key, n, rows), 1, settings)
    return Bagged(mode, joined, plain, scheme.name)
