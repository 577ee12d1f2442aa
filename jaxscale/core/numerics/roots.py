"""Roots in one unknown with few evaluations, for functions that each cost a minimisation."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

type Scalar = Float[Array, ""]


class Root(NamedTuple):
    """Where f changes its sign, NaN where it does not; and the values of f at both ends, without derivatives."""

    at: Scalar
    f_low: Scalar
    f_high: Scalar


def root(f: Callable[[Scalar], Scalar], low: Scalar, high: Scalar) -> Root:
    """A root of f between `low` and `high`, to rounding.

    Differentiable by the implicit function theorem with respect to all that f closes over.
    """
    low, high = jax.lax.stop_gradient((low, high))
    found, (f_low, f_high) = jax.lax.custom_root(
        f,
        low,
        lambda g, start: _search(g, start, high),
        lambda linear, y: y / linear(jnp.ones_like(y)),
        has_aux=True,
    )
    return Root(jnp.where((f_low > 0) != (f_high > 0), found, jnp.nan), f_low, f_high)


class _Bracket(NamedTuple):
    """The newest point, the end of the other sign, and the point given up last; their values; the next step."""

    x: tuple[Scalar, Scalar, Scalar]
    f: tuple[Scalar, Scalar, Scalar]
    step: Scalar
    steps: Array


def _search(f: Callable[[Scalar], Scalar], low: Scalar, high: Scalar) -> tuple[Scalar, tuple[Scalar, Scalar]]:
    """The method of Chandrupatla (1997): about ten evaluations where bisection takes one per bit.

    Stays at `low` where there is no root, so that no NaN enters derivatives.
    """
    info = jnp.finfo(low.dtype)

    def best(at: _Bracket) -> Scalar:
        return jnp.where(jnp.abs(at.f[0]) < jnp.abs(at.f[1]), at.x[0], at.x[1])

    def resolution(at: _Bracket) -> Scalar:
        """Of x, as a share of the bracket."""
        return info.eps * jnp.maximum(jnp.abs(best(at)), 1) / jnp.maximum(jnp.abs(at.x[1] - at.x[0]), info.tiny)

    def unfinished(at: _Bracket) -> Array:
        return (resolution(at) < 0.5) & (at.f[0] != 0) & (at.f[1] != 0) & (at.steps < 2 * info.nmant)

    def narrow(at: _Bracket) -> _Bracket:
        (a, b, _), (fa, fb, _) = at.x, at.f
        x = a + at.step * (b - a)
        fx = f(x)
        same = (fx > 0) == (fa > 0)
        points = (x, jnp.where(same, b, a), jnp.where(same, a, b))
        values = (fx, jnp.where(same, fb, fa), jnp.where(same, fa, fb))
        found = _Bracket(points, values, at.step, at.steps + 1)
        edge = jnp.minimum(resolution(found), 0.5)
        return found._replace(step=jnp.clip(_next(found), edge, 1 - edge))

    f_low, f_high = jax.vmap(f)(jnp.stack([low, high]))
    changes = (f_low > 0) != (f_high > 0)
    start = _Bracket((low, high, high), (f_low, f_high, f_high), jnp.full_like(low, 0.5), jnp.asarray(0))
    last = jax.lax.while_loop(lambda at: changes & unfinished(at), narrow, start)
    return jnp.where(changes, best(last), low), (f_low, f_high)


def _next(at: _Bracket) -> Scalar:
    """Inverse quadratic interpolation where it is monotone between the three points, else the middle."""
    (a, b, c), (fa, fb, fc) = at.x, at.f
    xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
    safe = (phi * phi < xi) & ((1 - phi) * (1 - phi) < 1 - xi)
    step = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
    return jnp.where(safe & jnp.isfinite(step), step, jnp.full_like(step, 0.5))
