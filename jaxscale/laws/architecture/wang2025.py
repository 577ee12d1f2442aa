r"""Scaling laws in patchification: an image is worth 50,176 tokens and more (Wang et al. 2025, arXiv 2502.03738).

$$ \varepsilon(p, H) = E + K n^{-g}, \quad n = (H/p)^2 $$

The paper finds that the error falls steadily as the patches of a vision model shrink, down to single pixels, and the
text that was retrieved states no formula: this one is ours, with no published coefficients. One model at one
resolution has too few patch sizes to tell E from K and g; g is meant to be shared between models, with K apart.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case
from jaxscale.core.parametric import param

PATCH = q.Quantity("pixels", "side of a square patch", domain=(1.0, 64.0))
SIDE = q.Quantity("pixels", "side of a square image", domain=(32.0, 2048.0), typical=(64.0, 512.0))

Patch = Annotated[Float[Array, ""], PATCH]
Side = Annotated[Float[Array, ""], SIDE]


class PatchSize(AbstractLaw):
    """Error (or loss) of one vision model on images of H x H pixels cut into patches of p x p.

    Attention makes the cost grow with n^2, or n where it is linear, so small patches are bought with compute.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: E, K, g.
    """

    E: q.Error = param(s.positive, init=0.1, prior=p.LogNormal(0.1, 1.5), doc="error at endless tokens", linear=True)
    K: q.Error = param(s.positive, init=0.3, prior=p.LogNormal(0.3, 1.5), doc="cost of a single token", linear=True)
    g: q.Pure = param(s.positive, init=0.15, prior=p.LogNormal(0.15, 0.8), doc="token exponent")

    def __call__(self, p: Patch, H: Side) -> q.Error:
        return self.E + self.K * jnp.exp(-2 * self.g * (jnp.log(H) - jnp.log(p)))

    def patch_for(self, error: q.Error, H: Side) -> Patch:
        """Side of the patches that bring the error to `error`; NaN at or below E."""
        return jnp.exp(jnp.log(H) + (jnp.log(error - self.E) - jnp.log(self.K)) / (2 * self.g))

    cite: ClassVar[str] = "wang2025scaling"
    domain: ClassVar[Mapping[str, q.Range]] = {"p": (1.0, 32.0), "H": (64.0, 256.0)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"p": 7.0, "H": 224.0}, 0.1 + 0.3 * 2**-1.5, 1e-14, "1024 = 2^10 tokens to the power -.15"),
    )
