"""Ranges of settings: every number that a public function or a settings class takes is refused, or it works."""

import inspect
import math
import os
import random
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxscale
from jaxscale.core import priors, supports
from jaxscale.core.errors import BadInput
from jaxscale.core.ranges import SEED, Range, checked, many, memory, ranges_of
from jaxscale.infer.posterior.batched import LaneSettings
from jaxscale.infer.posterior.diagnosis import Gates
from jaxscale.infer.posterior.importance import Importance
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives import penalty
from jaxscale.solve.first_order import LBFGS, Adam, Optax
from jaxscale.solve.gauss_newton import GaussNewton

NASTY = (math.nan, math.inf, -math.inf, -1, 0, 1e308, -1e308, 1e-320, 2**70, -(2**70), 2.5, "3", None, True, [1], 1j)
# A verb's own objects, such as a fit, are not read before its settings are: nothing stands for them here.
VERBS = [
    getattr(jaxscale, name)
    for name in jaxscale.__all__
    if name not in ("numpyro_model", "discrepancy_model") and inspect.isfunction(getattr(jaxscale, name))
]
SETTINGS: list[Any] = [
    *(jaxscale.NUTS, jaxscale.Envelope, jaxscale.IsoFlop, jaxscale.SixND, supports.Interval),
    *(LaneSettings, Importance, Gates, GaussNewton, LBFGS, Adam),
    *(priors.Normal, priors.LogNormal, priors.Uniform, priors.HalfNormal, priors.Beta),
]
BUILDERS = (jaxscale.log_huber, penalty.raw_huber, jaxscale.lower_envelope, jaxscale.student_t, jaxscale.huber_density)


def declared(things: Any) -> list[tuple[Any, str, Range, tuple[Any, ...]]]:
    return [(thing, *found) for thing in things for found in ranges_of(thing)]


def within(value: Any, allowed: Range) -> bool:
    """Whether the range's own ends hold it, by Python's comparisons."""
    if isinstance(value, bool) or not isinstance(value, int | float) or (allowed.whole and isinstance(value, float)):
        return False
    return allowed.low <= value <= allowed.high


@pytest.mark.parametrize(("verb", "name", "allowed", "others"), declared([*VERBS, penalty.raw_huber]))
def test_a_verb_refuses_what_is_no_such_number(verb: Any, name: str, allowed: Range, others: tuple[Any, ...]) -> None:
    required = [
        p.name
        for p in inspect.signature(verb).parameters.values()
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD and p.name != name
    ]
    usual = {other: int(r.low) for other, r, _ in ranges_of(verb) if other in required}
    for value in NASTY:
        if within(value, allowed) or (others and not isinstance(value, int | float | complex | str)):
            continue
        with pytest.raises(BadInput, match=rf"{verb.__name__}: {name}: expected a "):
            verb(**dict.fromkeys(required) | usual | {name: value})


@pytest.mark.parametrize("settings", SETTINGS)
def test_settings_are_refused_or_a_thing_that_works(settings: Any) -> None:
    fields = [*ranges_of(settings)]
    assert fields
    usual = {"mean": 0.0, "low": 0.0, "high": 1.0} | dict.fromkeys(("sd", "median", "sigma", "scale", "a", "b"), 1.0)
    given = {name: usual[name] for name, *_ in fields if name in usual}
    for name, allowed, others in fields:
        for value in NASTY:
            try:
                made = settings(**(given | {name: value}))
            except BadInput:
                continue
            assert within(value, allowed) or (value is None and type(None) in others)
            if hasattr(made, "quantile"):
                assert np.all(np.isfinite(np.asarray(made.quantile(jnp.asarray([0.1, 0.5, 0.9])))))


@pytest.mark.parametrize("build", BUILDERS)
def test_an_objective_of_any_width_that_it_takes_is_finite(build: Any) -> None:
    """Drawn over the whole range, its ends among it, in both precisions: values and slopes of runs far and near."""
    draw = random.Random(build.__name__)
    for name, allowed, _ in ranges_of(build):
        low, high = math.log(allowed.low), math.log(allowed.high)
        for value in (allowed.low, allowed.high, *(math.exp(draw.uniform(low, high)) for _ in range(4))):
            objective = build(**{name: min(max(value, allowed.low), allowed.high)})
            for t in (0.0, 1e-8, 0.1, 3.0):
                u = jnp.asarray([t, 0.0] if build in BUILDERS[3:] else [t])
                value_of, slope = jax.value_and_grad(objective.penalty)(u)
                assert bool(jnp.isfinite(value_of) & jnp.all(jnp.isfinite(slope))), (name, value, t)


def test_every_public_number_is_declared() -> None:
    """Else a new one would pass unseen. Those that remain are not settings, or are checked with what they belong to."""
    elsewhere = {
        *("group", "ratio", "between", "noise", "cut", "init", "given"),  # of laws, of data, of a declaration
    }
    for verb in VERBS:
        ranged = {name for name, *_ in ranges_of(verb)}
        for name, p in inspect.signature(verb).parameters.items():
            words = str(p.annotation)
            number = "<class 'int'>" in words or "<class 'float'>" in words or words.startswith(("int |", "float |"))
            assert not number or name in ranged | elsewhere, f"{verb.__name__}: {name}"


def test_spreads_of_partial_parameters_and_a_transformations_steps_are_ranged() -> None:
    """Settings of constructors of their own, each value by itself."""
    (spread,) = (allowed for name, allowed, _ in ranges_of(jaxscale.Pooled.__init__) if name == "spread")
    ranged = {name: (allowed, others) for name, allowed, others in ranges_of(Optax)}
    assert set(ranged) == {"max_steps", "rtol"}
    for value in NASTY:
        for given in (value, {"A": value, "B": 0.5}):
            if within(value, spread):
                assert jaxscale.Pooled(Chinchilla(), (), "xy", ("A", "B"), given).scale[0] == value
                continue
            with pytest.raises(BadInput, match=r"Pooled: spread of A: expected a number of at "):
                jaxscale.Pooled(Chinchilla(), (), "xy", ("A", "B"), given)
        for name, (allowed, others) in ranged.items():
            if not within(value, allowed) and not (value is None and others):
                with pytest.raises(BadInput, match=f"Optax: {name}: expected a"):
                    Optax(optax.sgd(0.1), **{name: value})


def test_many_are_as_many_as_memory_holds() -> None:
    assert memory() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    most = many(1).high
    many(1).check(int(most), "draws")
    with pytest.raises(BadInput, match=r"draws: expected a whole number of at most .*, as each takes 256 bytes"):
        many(1).check(int(most) + 1, "draws")


def test_numbers_of_arrays_pass_and_so_do_traces_and_keys() -> None:
    @checked
    def twice(x: Annotated[float, Range(0.0, 1.0)], key: jax.Array | Annotated[int, SEED] = 0) -> Any:
        return 2 * x

    assert twice(np.float32(0.5)) == 1.0
    assert twice(jnp.asarray(0.5)) == 1.0
    assert jax.jit(twice)(jnp.asarray(0.5)) == 1.0
    assert twice(0.25, jax.random.key(3)) == 0.5
    for key in (-1, 2**63, 0.5):
        with pytest.raises(BadInput, match="twice: key"):
            twice(0.25, key)  # type: ignore[arg-type]
