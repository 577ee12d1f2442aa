"""The yardstick of posteriors: NumPyro's own NUTS on `numpyro_model`, at its defaults but for what is named."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from numpyro.infer import MCMC, NUTS

from jaxscale.core.law import AbstractLaw
from jaxscale.core.runs import Runs
from jaxscale.infer.posterior.numpyro_model import numpyro_model
from jaxscale.objectives.likelihood import Likelihood
from jaxscale.objectives.model import Model
from jaxscale.solve.problem import Split, split


@dataclass(frozen=True)
class Chains:
    """Unconstrained draws z (chain, draw, p) of the coordinates `names`, and NUTS's record (chain, draw) of each."""

    names: tuple[str, ...]
    z: np.ndarray
    stats: Mapping[str, np.ndarray]


class Plain:
    """One sampler; its program is compiled by the first `run` and used again by the others.

    The chains are dealt to all devices and follow one another on each, as ours are: NumPyro's "parallel" would
    need a device per chain, and its "vectorized" lets all chains wait for the longest trajectory.
    """

    def __init__(
        self,
        law: AbstractLaw,
        runs: Runs,
        likelihood: Likelihood,
        *,
        warmup: int = 1000,
        draws: int = 1000,
        chains: int = 4,
        fixed: tuple[str, ...] = (),
        **settings: Any,
    ) -> None:
        """`settings` are those of `numpyro.infer.NUTS`. `chains` must be a multiple of the number of devices."""
        self.split: Split = split(Model(law, likelihood), fixed)
        self._program: Callable[..., Any] | None = None
        self._mcmc = MCMC(
            NUTS(numpyro_model(law, runs, likelihood, fixed=fixed), **settings),
            num_warmup=warmup,
            num_samples=draws,
            num_chains=chains,
            chain_method=self._over_devices,
            progress_bar=False,
        )

    def run(self, seed: int) -> Chains:
        """Warm-up and draws of all chains. Wants JAX's standard promotion."""
        self._mcmc.run(jax.random.key(seed), extra_fields=("num_steps", "diverging", "energy"))
        found = jax.device_get(self._mcmc.get_samples(group_by_chain=True))
        fields = jax.device_get(self._mcmc.get_extra_fields(group_by_chain=True))
        stats = {"steps": fields["num_steps"], "diverging": fields["diverging"], "energy": fields["energy"]}
        return Chains(self.split.names(), self._unconstrained(found), stats)

    def _unconstrained(self, sites: Mapping[str, np.ndarray]) -> np.ndarray:
        parts = []
        for d in self.split._free():
            u = np.asarray(d.spec.support.unconstrain(jnp.asarray(sites[d.name])))
            parts.append(u.reshape(*u.shape[:2], -1))
        return np.concatenate(parts, axis=-1)

    def _over_devices(self, chain: Callable[[Any], Any]) -> Callable[[Any], Any]:
        # NumPyro hands over a new function at every run; they differ in nothing but their identity.
        if self._program is None:
            mesh, dealt = Mesh(np.array(jax.devices()), ("chain",)), PartitionSpec("chain")
            in_turn = jax.shard_map(
                lambda rows: jax.lax.map(chain, rows), mesh=mesh, in_specs=dealt, out_specs=dealt, check_vma=False
            )
            self._program = jax.jit(in_turn)
        return self._program
