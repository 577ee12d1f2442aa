r"""Noise models: the logarithm of the residual's standard deviation, run by run."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.errors import BadInput
from jaxscale.core.parametric import AbstractParametric, param
from jaxscale.core.runs import Runs


class AbstractNoise(AbstractParametric):
    """The log scale of every row's residual, and how residuals hang together: by default not at all."""

    sigma: eqx.AbstractVar[Array]

    @abstractmethod
    def __call__(self, runs: Runs) -> Float[Array, " n"]: ...

    def innovations(
        self, residual: Float[Array, " n"], log_scale: Float[Array, " n"], runs: Runs
    ) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """What is independent in residuals of these log scales, standardised, and its own log scales."""
        return residual * jnp.exp(-log_scale), log_scale

    def coloured(self, innovations: Float[Array, " n"], runs: Runs) -> Float[Array, " n"]:
        """Standardised residuals from their innovations."""
        return innovations

    @property
    def name(self) -> str:
        """What follows the density in an objective's name."""
        return ""


class ConstantNoise(AbstractNoise):
    """One scale for all runs."""

    sigma: q.Pure = param(
        s.positive, init=0.01, prior=p.LogNormal(0.005, 1.0), doc="scale of the residual", symbol=r"\sigma"
    )

    def __call__(self, runs: Runs) -> Float[Array, " n"]:
        return jnp.broadcast_to(jnp.log(self.sigma), runs.target.shape)


class Slope(AbstractParametric):
    """How the log scale grows with the log of one input."""

    slope: q.Pure = param(s.real, init=0.0, prior=p.Normal(0.0, 0.3), doc="growth of the noise per unit of log input")


class InputNoise(AbstractNoise):
    r"""$\log\sigma_i = \log\sigma + \sum_x s_x (\log x_i - \overline{\log x})$ over the named inputs."""

    by: dict[str, Slope]
    sigma: q.Pure = param(
        s.positive, init=0.01, prior=p.LogNormal(0.005, 1.0), doc="scale at the typical run", symbol=r"\sigma"
    )

    def __init__(self, inputs: Iterable[str] | Mapping[str, Slope], sigma: Any = 0.01):
        self.sigma = sigma
        self.by = dict(inputs) if isinstance(inputs, Mapping) else {name: Slope() for name in inputs}

    def __call__(self, runs: Runs) -> Float[Array, " n"]:
        log_sigma = jnp.broadcast_to(jnp.log(self.sigma), runs.target.shape)
        for name, term in self.by.items():
            if name not in (columns := runs.columns):
                raise BadInput(
                    f"noise: expected inputs of the law ({', '.join(columns)}) for the noise to grow with, got "
                    f"{name!r}; name one of those"
                )
            logs = jnp.log(columns[name])
            centre = jnp.sum(runs.weight * logs) / jnp.sum(runs.weight)
            log_sigma = log_sigma + term.slope * (logs - centre)
        return log_sigma

    @property
    def name(self) -> str:
        return "".join(f":{x}" for x in self.by)
