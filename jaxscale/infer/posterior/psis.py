"""Pareto-smoothed importance sampling: weights that are steadied, and a diagnostic that says when not to trust them.

Vehtari, Simpson, Gelman, Yao & Gabry 2024 (JMLR 25:72; arXiv 1507.02646), the generalised Pareto tail by
Zhang & Stephens 2009. Pure functions of one lane in its own dtype: vmap them, or lax.map them in batches.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxscale.core.errors import BadInput

_FEWEST = 30  # a tail of six: of five, the first quartile is the least, and there is no fit


class Smoothed(eqx.Module):
    """Smoothed importance weights of s draws.

    - `log_weight`: normalised, so that they sum to one; -inf for impossible draws.
    - `k`: shape of the fitted tail of the ratios. Trust the weights below `khat_limit(s)`. Zero where the tail is
      flat to half the digits; infinite where it has no fit, too few draws are possible or a ratio is not a number.
    """

    log_weight: Float[Array, " s"]
    k: Float[Array, ""]


class Loo(eqx.Module):
    """Leave-one-out scores of n observations.

    - `elpd`: log predictive density of each, given all others, in nats; its sum scores the law.
    - `k`: Pareto shape of each; beyond `khat_limit(s)` the score is too good to be true: refit without that one.
    - `p`: what seeing the observation gains it; the sum is the effective number of parameters.
    """

    elpd: Float[Array, " n"]
    k: Float[Array, " n"]
    p: Float[Array, " n"]


def khat_limit(s: int) -> float:
    """Largest k at which s draws give a dependable estimate: min(1 - 1 / log10 s, 0.7) (Vehtari et al. 2024)."""
    return min(1 - 1 / math.log10(s), 0.7)


def tail_size(s: int) -> int:
    """Draws in the smoothed tail, min(s / 5, 3 sqrt s) rounded down. Raises `BadInput` below 30 draws."""
    if s < _FEWEST:
        raise BadInput(f"psis: expected at least {_FEWEST} draws, got {s}; a Pareto tail cannot be fitted to fewer")
    return min(s // 5, math.isqrt(9 * s))


def smooth(log_ratio: Float[Array, " s"]) -> Smoothed:
    """Smoothed weights of draws from a proposal.

    `log_ratio` is log target - log proposal up to a constant, -inf where the target is zero. Lanes with a ratio of
    nan or +inf, or with no possible draw, get equal weights and k = inf. Raises `BadInput` below 30 draws.
    """
    s, eps = log_ratio.shape[0], jnp.finfo(log_ratio.dtype).eps
    size = tail_size(s)
    top = jnp.max(log_ratio)
    sound = jnp.isfinite(top)  # a nan anywhere makes the maximum nan
    raw = jnp.where(sound, log_ratio - top, 0)

    # Most of the time goes here. Without the barrier the slices below turn it into a full sort (float32 on CPU: x 2).
    largest, index = jax.lax.optimization_barrier(jax.lax.top_k(raw, size + 1))
    tail, where, cutoff = largest[-2::-1], index[-2::-1], largest[-1]
    # exp(tail) - exp(cutoff) without cancellation, for tails that are nearly flat.
    excess = -jnp.exp(tail) * jnp.expm1(cutoff - tail)
    k, sigma = _generalised_pareto(excess)
    flat = -tail[0] <= math.sqrt(eps) * jnp.maximum(1, jnp.abs(top))
    fitted = jnp.isfinite(k) & (sigma > 0) & jnp.isfinite(cutoff) & ~flat & sound

    # Expected order statistics of the fit; no weight may exceed the largest raw one.
    expected = jnp.logaddexp(cutoff, jnp.log(_quantiles(size, k, sigma)))
    log_weight = raw.at[where].set(jnp.where(fitted, jnp.minimum(expected, 0), tail))
    k = jnp.where(fitted, k, jnp.where(flat & sound & jnp.isfinite(cutoff), 0, jnp.inf))
    return Smoothed(jax.nn.log_softmax(log_weight), k)


def _generalised_pareto(excess: Float[Array, " m"]) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Shape and scale of ascending excesses: the posterior mean of Zhang & Stephens 2009 over a grid of -k / sigma.

    The shape is then drawn to 1/2 with the weight of ten observations (Vehtari et al. 2024); nan where a quarter of
    the excesses tie with the least.
    """
    m, dtype = excess.shape[0], excess.dtype
    grid = 30 + math.isqrt(m)
    quartile = excess[int(m / 4 + 0.5) - 1]
    steps = 1 - jnp.sqrt(grid / (jnp.arange(1, grid + 1, dtype=dtype) - 0.5))
    b = 1 / excess[-1] + steps / (3 * quartile)

    def shape(b: Array) -> Array:
        return jnp.mean(jnp.log1p(-b * excess))

    k = jax.vmap(shape)(b)
    weight = jax.nn.softmax(m * (jnp.log(-b / k) - k - 1))
    weight = jnp.where(weight >= 10 * jnp.finfo(dtype).eps, weight, 0)
    b = jnp.sum(weight * b) / jnp.sum(weight)
    k = shape(b)
    sigma = -k / b
    k = (m * k + 5) / (m + 10)
    return jnp.where(quartile > excess[0], k, jnp.nan), sigma


def _quantiles(m: int, k: Float[Array, ""], sigma: Float[Array, ""]) -> Float[Array, " m"]:
    """Generalised Pareto quantiles at (i - 1/2) / m."""
    rise = -jnp.log1p(-(jnp.arange(m, dtype=k.dtype) + 0.5) / m)
    return sigma * jnp.where(k == 0, rise, jnp.expm1(k * rise) / jnp.where(k == 0, 1, k))


def ess(log_weight: Float[Array, " s"]) -> Float[Array, ""]:
    """Effective sample size 1 / sum w^2 of normalised weights (Kish 1965), whatever is estimated."""
    return jnp.exp(-jax.nn.logsumexp(2 * log_weight))


def relative_ess(log_weight: Float[Array, " s"], x: Float[Array, "s *p"]) -> Float[Array, "*p"]:
    """Effective sample size for the mean of each column of `x`: how many independent draws would do as well.

    The variance of x under the weights over that of the self-normalised estimator,
    sum w (x - mu)^2 / sum w^2 (x - mu)^2 (Owen 2013, ch. 9). nan for a column that does not vary.
    """
    w = jnp.exp(log_weight).reshape(-1, *(1,) * (x.ndim - 1))
    square = (x - jnp.sum(w * x, axis=0, keepdims=True)) ** 2
    return jnp.sum(w * square, axis=0) / jnp.sum(w**2 * square, axis=0)


def resample(key: PRNGKeyArray, log_weight: Float[Array, " s"], count: int) -> Int[Array, " count"]:
    """Indices of `count` equally weighted draws, by systematic resampling (Kitagawa 1996).

    One uniform offset, so that every draw is taken count * w times, rounded up or down, and on average exactly.
    Indices ascend: copies of one draw are neighbours, so permute them where order matters.
    """
    height = jnp.cumsum(jnp.exp(log_weight))
    offset = jax.random.uniform(key, dtype=height.dtype)
    at = (jnp.arange(count, dtype=height.dtype) + offset) / count * height[-1]
    # Strictly below the total: the first height above it then belongs to a draw of positive weight.
    return jnp.searchsorted(height, jnp.minimum(at, jnp.nextafter(height[-1], jnp.zeros_like(offset))), side="right")


@eqx.filter_jit
def loo(log_likelihood: Float[Array, "s n"], joint: Float[Array, "s n"] | None = None, *, batch: int = 64) -> Loo:
    """Leave-one-out log predictive densities from s posterior draws of n log-likelihoods, `batch` at a time.

    `joint` is what is left out with each observation, its own log-likelihood by default: the sum over its cluster,
    say, where checkpoints of one run go together. The draws count as independent: thin a chain first. Raises
    `BadInput` below 30 draws.
    """

    def one(columns: tuple[Array, Array]) -> Loo:
        column, left_out = columns
        smoothed = smooth(-left_out)
        elpd = jax.nn.logsumexp(smoothed.log_weight + column)
        return Loo(elpd, smoothed.k, jax.nn.logsumexp(column) - math.log(column.shape[0]) - elpd)

    # Even batches, filled up with zeros: an odd last one would be compiled a second time.
    n = log_likelihood.shape[1]
    batches = -(-n // batch)
    batch = -(-n // batches)
    columns = (log_likelihood, log_likelihood if joint is None else joint)
    filled = jax.tree.map(lambda x: jnp.pad(x.T, ((0, batches * batch - n), (0, 0))), columns)
    return jax.tree.map(lambda x: x[:n], jax.lax.map(one, filled, batch_size=batch))
