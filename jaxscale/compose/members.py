"""From draws of a joint law to draws for one group: one of those fitted, or one not seen yet."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from jaxscale.compose.pooled import Pooled
from jaxscale.compose.tied import Tied
from jaxscale.core.ensemble import Ensemble
from jaxscale.core.errors import BadInput
from jaxscale.core.groups import index_of
from jaxscale.core.law import AbstractLaw


def new_group(ensemble: Ensemble, key: PRNGKeyArray | int = 0) -> Ensemble:
    """Draws of the law of a group that was not observed, such as a data set yet to be trained on.

    Every draw of a `Pooled` law gives one draw of that group's law: partial parameters scatter around its
    group means by its spreads, shared ones are its own. The result holds plain laws, without `group`, and so
    predicts, plans and plots as any ensemble. Draw i depends on `key` and i alone.

    Raises `BadInput` where a parameter is separate (it has no population) or the law is not a `Pooled` one.
    """
    law = ensemble.law
    if not isinstance(law, Pooled):
        raise BadInput(
            f"new_group: expected draws of a Pooled law, got {type(law).__name__}; make one with "
            "Pooled(law, partial=..., groups=study.groups)"
        )
    key = jax.random.key(key) if isinstance(key, int) else key
    return dataclasses.replace(ensemble, law=_unseen(law, key, jnp.arange(ensemble.size)))


def member(ensemble: Ensemble, group: int | str) -> Ensemble:
    """Draws of one fitted group's law, by index or label, as plain laws without `group`.

    Raises `BadInput` on an unknown group or where the law has none.
    """
    law = ensemble.law
    if not isinstance(law, Pooled | Tied):
        raise BadInput(f"member: expected draws of a Pooled or Tied law, got {type(law).__name__}, which has no groups")
    return dataclasses.replace(ensemble, law=_member(law, int(index_of(group, law.groups)[0])))


@eqx.filter_jit
def _unseen(law: Pooled, key: PRNGKeyArray, draws: Int[Array, " draw"]) -> AbstractLaw:
    return jax.vmap(lambda one, i: one.unseen(jax.random.fold_in(key, i)))(law, draws)


@eqx.filter_jit
def _member(law: Pooled | Tied, index: int) -> AbstractLaw:
    return jax.vmap(lambda one: one.member(one.groups[index]))(law)
