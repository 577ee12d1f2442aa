r"""The effect of intrinsic dataset properties on generalization (Konz, Mazurowski 2024, arXiv 2401.08865).

$$ L = c K n^{-1/d} $$

n examples on a manifold of d dimensions leave gaps of size $n^{-1/d}$, over which labels of sharpness K change by
$K n^{-1/d}$. d and K are measured on the data set, not fitted: see `intrinsic_dimension` and `label_sharpness`. The
paper, read in summaries, states a bound, $O(K n^{-1/d})$; no constant was retrieved. Its law holds for d of the
network's representations, too, and d of the representations is at most about that of the data.

A trap: the public code compares labels for equality instead of difference, in pairs that the batch happens to align,
so its sharpness (.106 for two classes of CIFAR-10 in the README) is another quantity. Both estimators are written
anew here from their definitions.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case
from jaxscale.core.parametric import param
from jaxscale.core.quantities import Range

DIMENSION = q.Quantity("dimensions", "intrinsic dimension of the data", domain=(1.0, 200.0), typical=(2.0, 50.0))
SHARPNESS = q.Quantity("label/distance", "steepest change of the label between examples", domain=(1e-4, 1e4))

Dimension = Annotated[Float[Array, ""], DIMENSION]
Sharpness = Annotated[Float[Array, ""], SHARPNESS]


class IntrinsicDimension(AbstractLaw):
    """Test loss after n examples of a data set of intrinsic dimension d and label sharpness K.

    One constant serves data sets that differ in d and K. No coefficients were retrieved: c = 1 is a plain default.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: c.
    """

    c: q.Error = param(s.positive, init=1.0, prior=p.LogNormal(1.0, 1.5), doc="loss of sharpness 1 per unit gap")

    def __call__(self, n: q.Samples, d: Dimension, K: Sharpness) -> q.Error:
        return self.c * jnp.exp(jnp.log(K) - jnp.log(n) / d)

    def samples_for(self, loss: q.Error, d: Dimension, K: Sharpness) -> q.Samples:
        """Examples that reach `loss`: with d in the exponent, halving the loss takes 2^d times as many."""
        return jnp.exp(d * (jnp.log(self.c) + jnp.log(K) - jnp.log(loss)))

    cite: ClassVar[str] = "konz2024effect"
    domain: ClassVar[Mapping[str, Range]] = {"n": (1e2, 1e7), "d": (2.0, 50.0), "K": (1e-2, 1e2)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"n": 1e6, "d": 3.0, "K": 2.0}, 0.02, 1e-14, "a million points fill three dimensions 1/100 apart"),
    )


def intrinsic_dimension(x: Float[Array, "n features"], k: int = 20) -> Dimension:
    """Maximum-likelihood dimension of a sample from its k nearest neighbours (Levina and Bickel 2004).

    The inverses are averaged, not the estimates (MacKay and Ghahramani 2005). All distances are formed: n^2 memory.
    Doubled rows have no distance and give an infinite logarithm: remove them.
    """
    near = jnp.sqrt(-jax.lax.top_k(-_squared_distances(x), k)[0])
    return 1 / jnp.mean(jnp.log(near[:, -1:]) - jnp.log(near[:, :-1]))


def label_sharpness(x: Float[Array, "n features"], y: Float[Array, " n"]) -> Sharpness:
    """The largest |y_i - y_j| / |x_i - x_j| over all pairs: a lower bound on the Lipschitz constant of the labels."""
    return jnp.max(jnp.abs(y[:, None] - y[None, :]) / jnp.sqrt(_squared_distances(x)))


def _squared_distances(x: Float[Array, "n features"]) -> Float[Array, "n n"]:
    """Row against row, infinite on the diagonal. Summed over differences: the expansion cancels for near rows."""
    squares = jax.lax.map(lambda row: jnp.sum((x - row[None, :]) ** 2, axis=1), x)
    return squares + jnp.diag(jnp.full(x.shape[0], jnp.inf, x.dtype))
