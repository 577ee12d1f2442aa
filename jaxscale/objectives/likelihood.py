r"""Likelihoods of the residual with an estimated scale: minus log density, $g(r / \sigma) + \log\sigma$."""

import math
from typing import Annotated, Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array, Float, PRNGKeyArray

from jaxscale.core.numerics.robust import robust_scale
from jaxscale.core.parametric import Change
from jaxscale.core.ranges import Range, checked
from jaxscale.core.runs import Runs
from jaxscale.objectives.noise import AbstractNoise, ConstantNoise
from jaxscale.objectives.objective import AbstractObjective
from jaxscale.objectives.residual import LogResidual, RawResidual, Residual

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)

Freedom = Annotated[float, Range(0.1, 1e6, like="5", why="gaussian is its limit")]
Knee = Annotated[float, Range(1e-6, 1e6, like="1", why="gaussian is its limit")]


class Gaussian(eqx.Module):
    """Standard normal."""

    name = "gaussian"

    def __call__(self, t: Float[Array, ""]) -> Float[Array, ""]:
        return 0.5 * t**2 + _HALF_LOG_2PI

    def weight(self, t: Float[Array, ""]) -> Float[Array, ""]:
        return jnp.ones_like(t)

    def sample(self, key: PRNGKeyArray, shape: tuple[int, ...], dtype: Any) -> Array:
        return jax.random.normal(key, shape, dtype)


class StudentT(eqx.Module):
    """Student's t with fixed degrees of freedom: scale-free robustness."""

    df: float = eqx.field(static=True, default=5.0)

    @property
    def name(self) -> str:
        return f"student-t:{self.df:g}"

    def __call__(self, t: Float[Array, ""]) -> Float[Array, ""]:
        constant = math.lgamma(self.df / 2) - math.lgamma((self.df + 1) / 2) + 0.5 * math.log(self.df * math.pi)
        return constant + 0.5 * (self.df + 1) * jnp.log1p(t**2 / self.df)

    def weight(self, t: Float[Array, ""]) -> Float[Array, ""]:
        return (self.df + 1) / (self.df + t**2)

    def sample(self, key: PRNGKeyArray, shape: tuple[int, ...], dtype: Any) -> Array:
        return jax.random.t(key, self.df, shape, dtype)


class HuberDensity(eqx.Module):
    """The density proportional to exp(-Huber_d), normalised (Besiroglu et al. 2024, appendix)."""

    d: float = eqx.field(static=True, default=1.0)

    @property
    def name(self) -> str:
        return f"huber-density:{self.d:g}"

    def __call__(self, t: Float[Array, ""]) -> Float[Array, ""]:
        d, size = self.d, jnp.abs(t)
        inside = math.sqrt(2 * math.pi) * (1 - 2 * norm.sf(jnp.asarray(d, t.dtype)))
        log_z = jnp.log(inside + 2 * math.exp(-(d**2) / 2) / d)
        return jnp.where(size <= d, 0.5 * t**2, d * (size - 0.5 * d)) + log_z

    def weight(self, t: Float[Array, ""]) -> Float[Array, ""]:
        return self.d / jnp.maximum(jnp.abs(t), self.d)

    def sample(self, key: PRNGKeyArray, shape: tuple[int, ...], dtype: Any) -> Array:
        """A truncated normal inside [-d, d], exponential tails outside."""
        inside = math.erf(self.d / math.sqrt(2)) * math.sqrt(2 * math.pi)
        tails = 2 * math.exp(-(self.d**2) / 2) / self.d
        which, body, tail, side = jax.random.split(key, 4)
        core = jax.random.truncated_normal(body, -self.d, self.d, shape, dtype)
        far = self.d + jax.random.exponential(tail, shape, dtype) / self.d
        far = far * jax.random.rademacher(side, shape, dtype)
        return jnp.where(jax.random.bernoulli(which, inside / (inside + tails), shape), core, far)


type Density = Gaussian | StudentT | HuberDensity


class Likelihood(AbstractObjective):
    """Minus the log-likelihood of the residuals under `density` with scales from `noise`.

    A known noise of a run (`Runs.noise`) adds to the estimated scale in quadrature.
    """

    density: Density
    residual: Residual
    noise: AbstractNoise

    def outputs(self, prediction: Float[Array, " n"], runs: Runs) -> Float[Array, "n 2"]:
        log_scale = self._log_scale(runs)
        return jnp.stack(self.noise.innovations(self.residual(prediction, runs), log_scale, runs), axis=1)

    def _log_scale(self, runs: Runs) -> Float[Array, " n"]:
        log_sigma = self.noise(runs)
        known = self.residual.known_noise(runs)
        return log_sigma + 0.5 * jnp.log1p((known * jnp.exp(-log_sigma)) ** 2)

    def penalty(self, u: Float[Array, " 2"]) -> Float[Array, ""]:
        return self.density(u[0]) + u[1]

    def curvature(self, u: Float[Array, " 2"]) -> Float[Array, "2 2"]:
        r"""The Hessian with the bend of $t = r e^{-s}$ in it, so that Gauss-Newton neglects the law's alone.

        Of $g(r e^{-s}) + s$ by (r, s), written for steps in (t, s). Without the bend a step in the scale is twice too
        long for a Gaussian, and steps do not settle.
        """
        slope = jax.grad(self.density)(u[0])
        bend = jax.grad(jax.grad(self.density))(u[0])
        return jnp.stack([jnp.stack([bend, -slope]), jnp.stack([-slope, -u[0] * slope])])

    def majoriser(self, u: Float[Array, " 2"]) -> Float[Array, "2 2"]:
        # In (t, log sigma) the penalty is a sum; a unit curvature in the scale only shortens its steps.
        return jnp.diag(jnp.stack([self.density.weight(u[0]), jnp.ones_like(u[1])]))

    def resolution(self, runs: Runs) -> Float[Array, ""]:
        return 4 * jnp.finfo(runs.target.dtype).eps * self.residual.rounded(runs)

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        return {"noise.sigma": Change(c)} if isinstance(self.residual, RawResidual) else {}

    def started(self, prediction: Float[Array, " n"], runs: Runs) -> Self:
        residual = jnp.where(runs.weight > 0, self.residual(prediction, runs), jnp.nan)
        floor = 100 * jnp.finfo(residual.dtype).eps
        return eqx.tree_at(lambda o: o.noise.sigma, self, jnp.maximum(robust_scale(residual, jnp), floor))

    def log_density(self, prediction: Float[Array, " n"], runs: Runs) -> Float[Array, " n"]:
        """Log density of every run's target itself, whatever the residual: comparable between likelihoods."""
        return self.residual.log_slope(runs) - jax.vmap(self.penalty)(self.outputs(prediction, runs))

    def simulate(self, key: PRNGKeyArray, prediction: Float[Array, " n"], runs: Runs) -> Float[Array, " n"]:
        noise = self.noise.coloured(self.density.sample(key, prediction.shape, prediction.dtype), runs)
        return self.residual.target(prediction, jnp.exp(self._log_scale(runs)) * noise)

    @property
    def name(self) -> str:
        space = "" if isinstance(self.residual, LogResidual) else "raw-"
        return space + self.density.name + self.noise.name


def gaussian(noise: AbstractNoise | None = None, residual: Residual | None = None) -> Likelihood:
    """Gaussian likelihood of log residuals (or `residual`) with an estimated scale."""
    return _likelihood(Gaussian(), noise, residual)


@checked
def student_t(
    df: Freedom = 5.0,
    noise: AbstractNoise | None = None,
    residual: Residual | None = None,
) -> Likelihood:
    """Student-t likelihood: the default for new work, as its robustness needs no width chosen by hand."""
    return _likelihood(StudentT(float(df)), noise, residual)


@checked
def huber_density(
    d: Knee = 1.0,
    noise: AbstractNoise | None = None,
    residual: Residual | None = None,
) -> Likelihood:
    """Huber-density likelihood with an estimated scale."""
    return _likelihood(HuberDensity(float(d)), noise, residual)


def _likelihood(density: Density, noise: AbstractNoise | None, residual: Residual | None) -> Likelihood:
    return Likelihood(
        density=density,
        residual=LogResidual() if residual is None else residual,
        noise=ConstantNoise() if noise is None else noise,
    )
