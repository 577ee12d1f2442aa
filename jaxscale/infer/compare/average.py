"""Several laws as one: the mixture of their draws, which forecasts and plans accept as they do a single law's."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from jaxscale.compose.averaged import Averaged
from jaxscale.core.ensemble import Ensemble
from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw
from jaxscale.core.ranges import checked, many
from jaxscale.core.results import RESULTS
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.posterior.posterior import Posterior


@checked
def average(
    posteriors: Mapping[str, Posterior], weights: np.ndarray, *, draws: Annotated[int, many(1, like="4000")] = 4000
) -> tuple[Fit, Ensemble]:
    """The mixture of several laws' posteriors, as a fit and an ensemble that forecasts and plans accept.

    `weights` in the order of `posteriors`. Law k makes `draws * weights[k]` of the draws, rounded so that they add
    up. The fit is the heaviest law's, with the weighted mean of the modes as its law. Raises `BadInput` on weights
    that are not a distribution.
    """
    weight = np.asarray(weights, np.float64)
    if weight.shape != (len(posteriors),) or np.any(weight < 0) or not np.isclose(weight.sum(), 1, atol=1e-6):
        raise BadInput(f"average: expected {len(posteriors)} weights that sum to one, got {weights}")
    share = dict(zip(posteriors, weight.tolist(), strict=True))
    remarks = tuple(f"{label}: {r}" for label in sorted(posteriors) for r in posteriors[label].remarks)
    fits = {label: p.fit for label, p in posteriors.items()}
    return mixture(fits, {label: p.model.law for label, p in posteriors.items()}, share, draws, remarks)


def mixture(
    fits: Mapping[str, Fit],
    laws: Mapping[str, AbstractLaw],
    weights: Mapping[str, float],
    draws: int,
    remarks: tuple[str, ...] = (),
) -> tuple[Fit, Ensemble]:
    """As `average`, of laws with any number of draws in front."""
    labels = sorted(fits)
    weight = np.array([weights[label] for label in labels])
    edges = np.round(np.cumsum(weight / weight.sum()) * draws).astype(int)
    which = np.searchsorted(edges, np.arange(draws), side="right")
    members = {}
    for label in labels:
        # Every law gives a draw to every place; only the places of its own count.
        index = _spread(which, jax.tree.leaves(laws[label])[0].shape[0])
        members[label] = jax.tree.map(lambda x, index=index: x[index], laws[label])
    heaviest = fits[labels[int(np.argmax(weight))]]
    dtype = heaviest.problem.runs.target.dtype
    shares = jnp.asarray(which[:, None] == np.arange(len(labels)), dtype)
    law = jax.vmap(lambda laws, share: Averaged(laws, share))(members, shares)
    code = jnp.full(draws, int(RESULTS.converged), jnp.int32)
    name = "averaged:" + ",".join(f"{label}={w:.3f}" for label, w in zip(labels, weight, strict=True))
    point = Averaged({label: fits[label].law for label in labels}, jnp.asarray(weight, dtype))
    ensemble = Ensemble(law, jnp.full(draws, jnp.nan, dtype), code, name, remarks)
    return replace(heaviest, law=point), ensemble


def _spread(which: np.ndarray, total: int) -> np.ndarray:
    """Indices into `total` draws such that the places of each law run evenly over all of them."""
    index = np.zeros(len(which), int)
    for k in np.unique(which):
        here = np.flatnonzero(which == k)
        index[here] = np.linspace(0, total - 1, len(here)).round().astype(int)
    return index
