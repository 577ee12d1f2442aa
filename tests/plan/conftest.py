"""Laws whose optimum is known in closed form, and ensembles of them."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxscale import Ensemble
from jaxscale.core.law import AbstractLaw
from jaxscale.laws.loss.hoffmann2022 import Chinchilla

BUDGETS = np.array([1e21, 1e24])
# log C is log loss over its slope, gamma (L - E) / L, which is above 1e-2 here: 1e3 roundings of a loss of some eps.
SLACK = 16 * 1e3


def stacked(*laws: AbstractLaw) -> Ensemble:
    law = jax.tree.map(lambda *x: jnp.stack(x), *laws)
    return Ensemble(law, jnp.zeros(len(laws)), jnp.zeros(len(laws), jnp.int32))


def power(law: Chinchilla) -> tuple[float, float, float]:
    """E, K, gamma of L*(C) = E + K C^-gamma (Hoffmann et al. 2022, eq. 4, put into the law)."""
    E, A, B, a, b = (float(getattr(law, name)) for name in ("E", "A", "B", "alpha", "beta"))
    g = (a * A / (b * B)) ** (1 / (a + b))
    gamma = a * b / (a + b)
    return E, (A * g**-a + B * g**b) * 6**gamma, gamma


def least(law: Chinchilla, C: np.ndarray) -> np.ndarray:
    E, K, gamma = power(law)
    return E + K * C**-gamma


def compute_for(law: Chinchilla, loss: np.ndarray) -> np.ndarray:
    E, K, gamma = power(law)
    return ((loss - E) / K) ** (-1 / gamma)


LAWS = (Chinchilla(E=1.82, A=478.0, B=2143.0, alpha=0.347, beta=0.367), Chinchilla(), Chinchilla(E=1.7, A=420.0))
OTHERS = (Chinchilla(E=1.83, A=440.0, B=2000.0, alpha=0.346, beta=0.367), Chinchilla(E=1.68), Chinchilla(beta=0.29))
