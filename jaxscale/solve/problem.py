"""What is minimised: a weighted sum over rows of a penalty of each row's outputs.

Nothing here knows where the outputs come from. `Split` turns the free part of a parametric tree into
one unconstrained real vector and back.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.parametric import Declared, declared, scaled
from jaxscale.core.supports import coordinates

type Vector = Float[Array, " p"]


class AbstractProblem(eqx.Module):
    r"""Minimise $F(z) = \sum_i w_i \rho(u_i(z)) + R(z)$ over real vectors z, where each row i has k outputs $u_i$.

    The regulariser R, minus the logarithm of a prior density say, is absent by default. A `context` is what changes
    from lane to lane of a batch (resampled weights or targets); a problem must accept `None`.
    """

    @abstractmethod
    def outputs(self, z: Vector, context: Any = None) -> Float[Array, "n k"]: ...

    @abstractmethod
    def weights(self, context: Any = None) -> Float[Array, " n"]: ...

    @abstractmethod
    def penalty(self, u: Float[Array, " k"]) -> Float[Array, ""]: ...

    def curvature(self, u: Float[Array, " k"]) -> Float[Array, "k k"]:
        """The penalty's Hessian, or one that also holds what is known of the outputs' own curvature."""
        return jax.hessian(self.penalty)(u)

    @abstractmethod
    def majoriser(self, u: Float[Array, " k"]) -> Float[Array, "k k"]:
        """A positive semi-definite curvature with which a step from `u` never rises to first order."""

    @abstractmethod
    def resolution(self) -> Float[Array, ""]:
        """Rounding unit of one output: the sum cannot be resolved below `n * resolution ** 2`."""

    def regulariser(self, z: Vector, context: Any = None) -> Float[Array, ""] | None:
        """R(z), cheap and smooth: its exact Hessian is taken. None where there is none."""
        return None

    def used_outputs(self, z: Vector, context: Any = None) -> Float[Array, "n k"]:
        """The outputs, zero where the weight is zero: what a left-out row predicts may overflow."""
        return jnp.where(self.weights(context)[:, None] > 0, self.outputs(z, context), 0)

    def value(self, z: Vector, context: Any = None) -> Float[Array, ""]:
        """F(z)."""
        u = self.used_outputs(z, context)
        extra = self.regulariser(z, context)
        total = jnp.sum(self.weights(context) * jax.vmap(self.penalty)(u))
        return total if extra is None else total + extra


class AbstractView[P: AbstractProblem](AbstractProblem):
    """A problem seen through a map of its point; what it does not map is the inner problem's own."""

    inner: P

    @abstractmethod
    def point(self, z: Vector, context: Any) -> Vector:
        """The inner problem's point."""

    def inner_context(self, context: Any) -> Any:
        """The inner problem's context."""
        return context

    def outputs(self, z: Vector, context: Any = None) -> Float[Array, "n k"]:
        return self.inner.outputs(self.point(z, context), self.inner_context(context))

    def regulariser(self, z: Vector, context: Any = None) -> Float[Array, ""] | None:
        return self.inner.regulariser(self.point(z, context), self.inner_context(context))

    def weights(self, context: Any = None) -> Float[Array, " n"]:
        return self.inner.weights(self.inner_context(context))

    def penalty(self, u: Float[Array, " k"]) -> Float[Array, ""]:
        return self.inner.penalty(u)

    def curvature(self, u: Float[Array, " k"]) -> Float[Array, "k k"]:
        return self.inner.curvature(u)

    def majoriser(self, u: Float[Array, " k"]) -> Float[Array, "k k"]:
        return self.inner.majoriser(u)

    def resolution(self) -> Float[Array, ""]:
        return self.inner.resolution()


class Evaluation(eqx.Module):
    """Value, gradient and a curvature of a problem at a point: of Gauss-Newton's kind, or the Hessian."""

    value: Float[Array, ""]
    gradient: Float[Array, " p"]
    curvature: Float[Array, "p p"]


def evaluate(problem: AbstractProblem, z: Vector, mixing: Float[Array, ""], context: Any = None) -> Evaluation:
    """F, its exact gradient, and `J' ((1 - mixing) curvature + mixing majoriser) J`.

    `mixing` slides the curvature from the exact one of a linear law (fast near the optimum, possibly indefinite) to
    the majoriser (safe far from it).
    """

    def both(z: Vector) -> tuple[Array, Array]:
        u = problem.used_outputs(z, context)
        return u, u

    jacobian, u = jax.jacfwd(both, has_aux=True)(z)
    weight = problem.weights(context)
    rho, slope = jax.vmap(jax.value_and_grad(problem.penalty))(u)
    curvature = (1 - mixing) * jax.vmap(problem.curvature)(u) + mixing * jax.vmap(problem.majoriser)(u)
    rows = jacobian.reshape(-1, z.shape[0])
    if u.shape[1] == 1:
        scaled = rows * (weight * curvature[:, 0, 0])[:, None]
    else:
        scaled = jnp.einsum("n,nkl,nlp->nkp", weight, curvature, jacobian).reshape(rows.shape)
    found = Evaluation(
        value=jnp.sum(weight * rho),
        gradient=(weight[:, None] * slope).reshape(-1) @ rows,
        # A TPU's default product is bfloat16, too coarse for normal equations.
        curvature=jnp.matmul(rows.T, scaled, precision=jax.lax.Precision.HIGHEST),
    )
    if problem.regulariser(z, context) is None:
        return found
    return jax.tree.map(jnp.add, found, expand(lambda z: problem.regulariser(z, context), z))


def expand(f: Callable[[Vector], Any], z: Vector) -> Evaluation:
    """Value, gradient and Hessian of a smooth f: one pass of code to compile, where three calls would make three."""

    def slope(z: Vector) -> tuple[Array, tuple[Array, Array]]:
        value, gradient = jax.value_and_grad(f)(z)
        return gradient, (value, gradient)

    hessian, (value, gradient) = jax.jacfwd(slope, has_aux=True)(z)
    return Evaluation(value, gradient, hessian)


class Split(eqx.Module):
    """The free parameters of a tree as one unconstrained vector; the others stay at the template's values.

    `size`: how many times as large as usual the losses are that the tree describes; None where that is not known. The
    coordinates are those of the same tree for losses of the usual size, for which priors are stated.
    """

    template: Any
    free: tuple[str, ...] = eqx.field(static=True)
    size: Float[Array, ""] | None = None

    def _free(self) -> list[Declared]:
        return [d for d in declared(self.template) if d.name in self.free]

    def _usual(self) -> Any:
        """The template for losses of the usual size."""
        return self.template if self.size is None else scaled(self.template, 1 / self.size, self.free)

    def vector(self) -> Vector:
        """Unconstrained coordinates of the template's free parameters, finite where rounding put one on an edge too."""
        usual = (d for d in declared(self._usual()) if d.name in self.free)
        parts = [d.spec.support.unconstrain(d.value).reshape(-1) for d in usual]
        z = jnp.concatenate(parts) if parts else jnp.zeros(0)
        # As far out as the precision has numbers: the logarithm of the least one.
        far = -jnp.log(jnp.finfo(z.dtype).tiny)
        return jnp.where(jnp.isinf(z), jnp.sign(z) * far, z)

    def tree(self, z: Vector) -> Any:
        """The template with its free parameters at z, constrained to their supports."""
        leaves, start = [], 0
        for d in declared(self.template):
            if d.name not in self.free:
                leaves.append(d.value)
                continue
            shape = coordinates(d.spec.support, d.value.shape)
            size = int(np.prod(shape, dtype=int))
            leaves.append(d.spec.support.constrain(z[start : start + size].reshape(shape)))
            start += size
        found = jax.tree.unflatten(jax.tree.structure(self.template), leaves)
        return found if self.size is None else scaled(found, self.size, self.free)

    def log_density(self, z: Vector) -> Float[Array, ""]:
        """Log density of the free parameters' priors, as a density of the unconstrained vector."""
        found, start = jnp.zeros((), z.dtype), 0
        for d in self._free():
            shape = coordinates(d.spec.support, d.value.shape)
            size = int(np.prod(shape, dtype=int))
            part = z[start : start + size].reshape(shape)
            prior = jnp.sum(d.spec.prior.log_prob(d.spec.support.constrain(part)))
            found = found + prior + d.spec.support.log_det(part)
            start += size
        return found

    def at(self, z: Vector) -> "Split":
        """The same split with the template moved to z."""
        return Split(self.tree(z), self.free, self.size)

    def names(self) -> tuple[str, ...]:
        """One name per coordinate: `alpha`, `E[0]`, `E[1]`."""
        names: list[str] = []
        for d in self._free():
            shape = coordinates(d.spec.support, d.value.shape)
            names += [d.name + "".join(f"[{i}]" for i in index) for index in np.ndindex(shape)]
        return tuple(names)


def split(tree: Any, fixed: Iterable[str] = ()) -> Split:
    """All estimated parameters of `tree` free, except those named in `fixed`. Raises `KeyError` on a wrong name."""
    found = declared(tree)
    names = {d.name for d in found}
    unknown = sorted(set(fixed) - names)
    if unknown:
        raise KeyError(f"no parameter {unknown} to fix; there are {sorted(names)}")
    held = set(fixed)
    return Split(tree, tuple(d.name for d in found if d.spec.estimated and d.name not in held))
