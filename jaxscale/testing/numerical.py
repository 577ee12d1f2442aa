"""Checks of what a law computes: bijections, finiteness, precision, tracing, batching, linearity."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxscale.core.law import AbstractLaw, class_signature, from_published, without_value
from jaxscale.core.parametric import declared, replace, specs
from jaxscale.core.parametric import values as values_of
from jaxscale.testing.bijection import round_trip
from jaxscale.testing.check import check
from jaxscale.testing.draws import law_and_inputs
from jaxscale.testing.recovery import verdict
from jaxscale.testing.rounding import count_primitives, evaluated, rounding, value

_DRAWS = 1000
_LOOP = 8
_FLOAT32 = 2e-6


def _show(laws: Any, inputs: dict[str, Array], index: int) -> str:
    law = jax.tree.map(lambda leaf: leaf[index], laws)
    return f"{law} at { ({name: np.asarray(x[index]).tolist() for name, x in inputs.items()}) }"


def _first(bad: Any) -> int | None:
    where = np.flatnonzero(np.asarray(bad))
    return int(where[0]) if where.size else None


@check
def bijective(law_class: type[AbstractLaw]) -> Iterator[str]:
    """On prior draws, `constrain` undoes `unconstrain` and `log_det` agrees with automatic differentiation."""
    laws, _ = law_and_inputs(law_class, _DRAWS)
    for d in declared(laws):
        z, back, jacobian, log_det, expected = round_trip(d.spec.support, d.value)
        eps = float(np.finfo(z.dtype).eps)
        x, size = np.asarray(d.value).reshape(back.shape), z.shape[-1]
        # One rounding of z moves x by |J| |z| eps; a handful of primitives stand on the way there and back.
        reach = np.abs(x) + np.einsum("nij,nj->ni", np.abs(jacobian), np.abs(z))
        if (i := _first(np.any(~(np.abs(back - x) <= 16 * eps * reach), axis=1))) is not None:
            yield f"expected constrain(unconstrain(x)) = x for {d.name}, got {back[i]} from {x[i]}"
        # Automatic differentiation may find a derivative as a difference of numbers as large as x.
        lost = np.abs(x) / np.maximum(np.max(np.abs(jacobian), axis=2), np.finfo(z.dtype).tiny)
        slack = 16 * eps * size * (1 + np.sum(np.abs(z), axis=1) + np.sum(lost, axis=1))
        if (i := _first(~(np.abs(log_det - expected) <= slack))) is not None:
            yield f"expected log_det {expected[i]} of {d.name} (autodiff) at z = {z[i]}, got {log_det[i]}"


@check
def prior_inside(law_class: type[AbstractLaw]) -> Iterator[str]:
    """Prior draws lie in the support and have a finite density."""
    laws, _ = law_and_inputs(law_class, _DRAWS)
    for d in declared(laws):
        if not bool(jnp.all(d.spec.support.contains(d.value))):
            yield f"expected draws of {d.spec.prior} inside {d.spec.support} for {d.name}, got some outside"
        elif d.spec.estimated and not bool(jnp.all(jnp.isfinite(d.spec.prior.log_prob(d.value)))):
            yield f"expected a finite density of {d.spec.prior} at its own draws for {d.name}, got some without"


@check
def finite(law_class: type[AbstractLaw]) -> Iterator[str]:
    """Value and gradient are finite at the cases and at 1,000 prior draws over wide inputs."""
    laws, inputs = law_and_inputs(law_class, _DRAWS)
    points = [(laws, inputs)]
    for case in law_class.cases:
        law = from_published(law_class, case.published) if case.published else law_class()
        points.append(
            jax.tree.map(lambda leaf: leaf[None], (law, {k: jnp.asarray(v, float) for k, v in case.inputs.items()}))
        )
    for laws, inputs in points:
        y, gradients, _ = evaluated(laws, inputs)
        if (i := _first(~np.isfinite(y))) is not None:
            yield f"expected a finite value, got {y[i]} from {_show(laws, inputs, i)}"
            continue
        flat = [np.all(np.isfinite(g.reshape(len(y), -1)), axis=1) for g in jax.tree.leaves(gradients)]
        if (i := _first(~np.all(flat, axis=0))) is not None:
            yield f"expected a finite gradient, got one that is not from {_show(laws, inputs, i)}"


@check
def dtype_kept(law_class: type[AbstractLaw]) -> Iterator[str]:
    """float32 parameters and inputs give float32, in the axes of the output, whatever jax's default is."""
    low = jax.eval_shape(lambda tree: _cast(tree, jnp.float32), law_and_inputs(law_class, _DRAWS))
    law, inputs = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), low)
    out = jax.eval_shape(lambda law, inputs: law(**inputs), law, inputs)
    axes = class_signature(law_class).output.axes
    if out.dtype != jnp.float32 or out.ndim != len(axes):
        what = f"float32 with the axes {axes}" if axes else "a float32 scalar"
        yield f"expected {what} from float32 parameters and inputs, got {out.dtype} of shape {out.shape}"


def _cast[T](tree: T, dtype: Any) -> T:
    return jax.tree.map(lambda leaf: leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, tree)


@check
def float32_agrees(law_class: type[AbstractLaw]) -> Iterator[str]:
    """float32 and float64 differ by rounding alone. Needs `jax_enable_x64`; without it there is nothing to compare."""
    if jax.dtypes.canonicalize_dtype(np.float64) != np.float64:
        return
    low = _cast(law_and_inputs(law_class, _DRAWS), np.float32)
    got, expected = (evaluated(*at).value for at in (low, _cast(low, np.float64)))
    off = ~(np.abs(got.astype(np.float64) - expected) <= rounding(*low))
    if (i := _first(off)) is not None:
        pair = f"expected {float(expected[i]):.9g} within rounding in float32, got {float(got[i]):.9g}"
        yield f"{pair} from {_show(*low, i)}"


@check
def float32_suffices(law_class: type[AbstractLaw]) -> Iterator[str]:
    """At the default and at every complete published set, float32 is within 2e-6 of float64 all over the law's domain.

    Compared are log y (y itself where y may be negative) and its derivatives by the logarithms of inputs and
    estimated parameters, relative where these exceed one. Needs `jax_enable_x64`.
    """
    if jax.dtypes.canonicalize_dtype(np.float64) != np.float64:
        return
    _, inputs = law_and_inputs(law_class, _DRAWS)
    logarithmic = class_signature(law_class).output.positive
    published = {name: from_published(law_class, name) for name in law_class.published}
    sets = {"the default": law_class(), **{name: law for name, law in published.items() if not without_value(law)}}
    for whose, law in sets.items():
        laws = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (_DRAWS, *leaf.shape)), law)
        low = _cast((laws, inputs), np.float32)
        got, expected = (_elasticities(*at, logarithmic) for at in (low, _cast(low, np.float64)))
        for what, ours, theirs in zip(("a value", "derivatives"), got, expected, strict=True):
            ours, theirs = (np.asarray(a, np.float64).reshape(_DRAWS, -1) for a in (ours, theirs))
            if logarithmic and what == "a value":  # in float64: in float32 the logarithm of 1e12 rounds by 1e-6
                ours, theirs = np.log(ours), np.log(theirs)
            off = np.abs(ours - theirs) / np.maximum(1, np.abs(theirs) if what == "derivatives" else 0)
            if (i := _first(~np.all(off <= _FLOAT32, axis=1))) is not None:
                yield (
                    f"expected {what} within {_FLOAT32:g} of float64 for {whose}, got {np.max(off[i]):.2g} off "
                    f"({ours[i]} for {theirs[i]}) from {_show(*low, i)}; worst of all {np.nanmax(off):.2g}"
                )


def _elasticities(laws: Any, inputs: dict[str, Any], logarithmic: bool) -> tuple[np.ndarray, np.ndarray]:
    """Per draw: y, and p d/dp of log y (or y) for every estimated parameter and floating input, of shape (n, k)."""
    y, plain, by_log = evaluated(laws, inputs)
    by_law, by_input = by_log if logarithmic else plain
    slopes = values_of(by_law)
    pairs = [(d.value, slopes[d.name]) for d in declared(laws) if d.spec.estimated]
    pairs += [(inputs[name], slope) for name, slope in by_input.items()]
    return y, np.concatenate([(p * g).reshape(len(y), -1) for p, g in pairs], axis=1)


@check
def identifiability_stated(law_class: type[AbstractLaw]) -> Iterator[str]:
    """The docstring of a law of this package says which parameters runs over its domain determine. Needs x64."""
    if jax.dtypes.canonicalize_dtype(np.float64) != np.float64 or not law_class.__module__.startswith("jaxscale.laws."):
        return
    said, sentence = " ".join((law_class.__doc__ or "").split()), verdict(law_class)
    if sentence not in said:
        yield f"expected the sentence below in the docstring of the class, got none or another\n{sentence}"


@check
def traced_once(law_class: type[AbstractLaw]) -> Iterator[str]:
    """Two laws of different values, built from Python numbers, share one trace."""
    traces = []

    def counted(law: AbstractLaw, inputs: dict[str, Array]) -> Array:
        traces.append(None)
        return law(**inputs)

    run = jax.jit(counted)
    laws, inputs = law_and_inputs(law_class, _DRAWS)
    for i in range(2):
        plain = {name: value[i].tolist() for name, value in values_of(laws).items() if name in specs(law_class)}
        plain = {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}
        run.trace(law_class(**plain), {name: x[i] for name, x in inputs.items()})
    if len(traces) != 1:
        yield f"expected one trace for two laws of different values, got {len(traces)}; are all fields param(...)?"


@check
def batch_is_loop(law_class: type[AbstractLaw]) -> Iterator[str]:
    """vmap over laws and inputs gives what a loop gives, to rounding."""
    laws, inputs = law_and_inputs(law_class, _DRAWS)
    batch = evaluated(laws, inputs).value
    # Primitive by primitive: what many laws share is compiled once.
    loop = np.stack([value(*jax.tree.map(lambda leaf, i=i: leaf[i], (laws, inputs))) for i in range(_LOOP)])
    if (i := _first(~(np.abs(batch[:_LOOP] - loop) <= rounding(laws, inputs)[:_LOOP]))) is not None:
        yield f"expected vmap to give {loop[i]} as a loop does, got {batch[i]} from {_show(laws, inputs, i)}"


@check
def linear_is_affine(law_class: type[AbstractLaw]) -> Iterator[str]:
    """The derivatives by the parameters declared `linear=True` do not depend on these parameters."""
    names = [name for name, spec in specs(law_class).items() if spec.linear]
    if not names:
        return
    laws, inputs = law_and_inputs(law_class, _DRAWS)
    others = replace(laws, {name: np.roll(values_of(laws)[name], 1, axis=0) for name in names})
    here, there = (values_of(evaluated(at, inputs).gradient[0]) for at in (laws, others))
    one = jax.tree.map(lambda leaf: leaf[0], (laws, inputs))
    # Both sides round the same coefficients; they may differ by the order of operations only.
    slack = float(np.finfo(here[names[0]].dtype).eps) * count_primitives(jax.make_jaxpr(jax.grad(value))(*one))
    for name in names:
        off = ~(np.abs(here[name] - there[name]) <= slack * np.abs(here[name]))
        if (i := _first(off.reshape(len(off), -1).any(axis=1))) is not None:
            yield (
                f"expected the output affine in {names} jointly, got a derivative by {name} of {here[name][i]} and, "
                f"with other values of them, {there[name][i]}, from {_show(laws, inputs, i)}"
            )
