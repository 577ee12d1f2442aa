"""What a law predicts for runs without bound."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from jaxscale.core import quantities as q
from jaxscale.core.evaluate import predicted
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.core.runs import Runs

_GROWING = ("N", "D", "C", "S", "m")  # parameters, tokens, compute, steps, examples


def vanishes(law: AbstractLaw, runs: Runs) -> bool:
    """Whether a cross-entropy falls to nothing as its runs grow without bound, all else as in `runs`.

    Text has an entropy, so such a law describes a range and promises too much beyond it. An error may vanish.
    """
    if signature(law).output not in (q.NATS, q.BITS_PER_CHARACTER):
        return False
    return bool((limit(law, runs) == 0).all())


def limit(law: AbstractLaw, runs: Runs) -> np.ndarray:
    """What `law` predicts for each run as its size, data, steps and compute grow without bound, shape (n,)."""
    grown = {name: jnp.full_like(x, jnp.inf) for name, x in runs.inputs.items() if name in _GROWING}
    endless = dataclasses.replace(runs, inputs={**runs.inputs, **grown})
    return np.asarray(predicted(law, endless), np.float64)
