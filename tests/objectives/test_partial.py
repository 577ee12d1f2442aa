"""Partial pooling: between the shared and the separate law, with the values and priors of the written-out hierarchy."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxscale.compose import Pooled
from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.core.parametric import constrain, declared, log_prior, param, replace, unconstrain, values
from jaxscale.core.runs import Runs
from jaxscale.infer.search.problem import FitProblem
from jaxscale.infer.search.starts import first_starts
from jaxscale.laws.breaks.caballero2023 import BrokenPowerLaw
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives import Model, gaussian
from jaxscale.solve.problem import split

GROUPS = ("c4", "rpj", "rw")
OFFSET = {"A": np.array([0.5, -1.0, 2.0]), "alpha": np.array([-0.3, 0.0, 0.7])}
SPREAD = {"A": 0.4, "alpha": 0.1}
POINTS = {"N": np.array([1e8, 1e9, 1e10, 3e9]), "D": np.array([1e10, 2e10, 1e11, 5e10])}
GROUP = np.array([0, 1, 1, 2])


def partial() -> Pooled:
    return Pooled(Chinchilla(), split=("E",), groups=GROUPS, partial=("alpha", "A"), spread={"A": 0.3, "alpha": 0.2})


def moved() -> Pooled:
    return replace(partial(), {f"offset.{n}": o for n, o in OFFSET.items()} | {"spread.A": 0.4, "spread.alpha": 0.1})


def runs() -> Runs:
    return Runs.of(POINTS, np.ones(4), group=GROUP)


def written_out(x: dict[str, Any], row: int) -> Any:
    """The hierarchy by hand, in NumPy."""
    n, d, g = POINTS["N"][row], POINTS["D"][row], GROUP[row]
    a = np.exp(np.log(x["A"]) + x["spread.A"] * x["offset.A"][g])
    alpha = np.exp(np.log(x["alpha"]) + x["spread.alpha"] * x["offset.alpha"][g])
    return x["E"][g] + a * n**-alpha + x["B"] * d ** -x["beta"]


def rounding(eps: float) -> float:
    """Powers at inputs near exp(25): each exponential turns the rounding of its argument into relative error."""
    return 8 * 26 * eps


def test_names_in_the_order_of_the_leaves() -> None:
    law = partial()
    names = ["E", "A", "B", "alpha", "beta", "spread.A", "spread.alpha", "offset.A", "offset.alpha"]
    assert [d.name for d in declared(law)] == names
    assert [d.name for d in declared(Model(law, gaussian()))][: len(names)] == names
    assert [v.shape for v in values(law).values()] == [(3,), (), (), (), (), (), (), (3,), (3,)]
    assert all(leaf is d.value for leaf, d in zip(jax.tree.leaves(law), declared(law), strict=True))
    assert all(not leaf.weak_type for leaf in jax.tree.leaves(law))
    assert list(signature(law).inputs) == ["N", "D", "group"]
    assert law.by_group == ("E", "offset.alpha", "offset.A")
    assert float(values(law)["spread.alpha"]) == pytest.approx(0.2)
    assert all(np.all(np.asarray(d.spec.init) == d.value) for d in declared(law) if d.name != "E" and "." in d.name)


def test_without_spread_or_offset_it_is_the_shared_law(eps: float) -> None:
    shared = Pooled(Chinchilla(), split=("E",), groups=GROUPS)
    none = replace(moved(), {"spread.A": 0.0, "spread.alpha": 0.0})
    expected = predict(shared, runs())
    for law in (partial(), none):
        np.testing.assert_allclose(predict(law, runs()), expected, rtol=rounding(eps))


def test_shifted_groups_are_those_of_the_separate_law(eps: float) -> None:
    law = moved()
    base = values(Chinchilla())
    own = {name: float(base[name]) * np.exp(SPREAD[name] * OFFSET[name]) for name in SPREAD}
    separate = replace(Pooled(Chinchilla(), split=("E", "A", "alpha"), groups=GROUPS), own)
    np.testing.assert_allclose(predict(law, runs()), predict(separate, runs()), rtol=rounding(eps))
    for name, value in law.group_values().items():
        np.testing.assert_allclose(value, values(separate)[name], rtol=rounding(eps))
    for g in range(3):
        mine, theirs = law.member(g), separate.member(g)
        assert type(mine) is Chinchilla
        for name, value in values(mine).items():
            np.testing.assert_allclose(value, values(theirs)[name], rtol=rounding(eps))


def test_vectors_shift_entry_by_entry(eps: float) -> None:
    broken = BrokenPowerLaw.with_breaks(2)
    law = Pooled(broken, groups=("a", "b"), partial=("c", "d"), spread=0.5)
    assert values(law)["offset.c"].shape == values(law)["offset.d"].shape == (2, 2)
    assert values(law)["spread.d"].shape == (2,)
    # The first coordinate of an ordered vector is the logarithm of its first entry, the others are ratios.
    law = replace(law, {"spread.d": [0.5, 0.25], "offset.c": [[0, 0], [1, -2]], "offset.d": [[0, 0], [3.0, 0]]})
    np.testing.assert_allclose(law.member(1).d, np.asarray(broken.d) * np.exp(1.5), rtol=rounding(eps))  # type: ignore[attr-defined]
    np.testing.assert_allclose(law.member(1).c, np.asarray(broken.c) + np.array([0.5, -1.0]), rtol=8 * eps)  # type: ignore[attr-defined]
    np.testing.assert_allclose(law.member(0).d, broken.d, rtol=rounding(eps))  # type: ignore[attr-defined]


def test_prior_is_that_of_the_hierarchy(eps: float) -> None:
    law = moved()
    base = Chinchilla()
    without = float(log_prior(base)) + 2 * float(p.LogNormal(1.7, 0.5).log_prob(base.E))
    new = stats.halfnorm.logpdf(0.4, scale=0.3) + stats.halfnorm.logpdf(0.1, scale=0.2)
    new += sum(stats.norm.logpdf(o).sum() for o in OFFSET.values())
    assert float(log_prior(law)) == pytest.approx(without + new, abs=16 * eps * (abs(without) + abs(new)) + 64 * eps)


def test_gradient_is_that_of_complex_differences(eps: float) -> None:
    """Im f(x + ih) / h has no cancellation, so that the difference is exact to rounding."""
    law, h = moved(), 1e-30
    at = {name: np.asarray(v, np.complex128) for name, v in values(law).items()}
    one = jax.jit(jax.grad(lambda law, g, inputs: law(group=g, **inputs)))
    for row in range(4):
        gradient = values(one(law, jnp.asarray(GROUP[row]), {n: jnp.asarray(x[row], float) for n, x in POINTS.items()}))
        for name, x in at.items():
            for index in np.ndindex(x.shape):
                step = np.zeros(x.shape, np.complex128)
                step[index] = 1j * h
                expected = written_out({**at, name: x + step}, row).imag / h
                np.testing.assert_allclose(gradient[name][index], expected, rtol=rounding(eps), err_msg=name)


def test_constrain_undoes_unconstrain(eps: float) -> None:
    law = moved()
    back = constrain(unconstrain(law))
    for name, value in values(law).items():
        np.testing.assert_allclose(values(back)[name], value, rtol=64 * eps, atol=0)
    assert len(split(law).names()) == 3 + 4 + 2 + 6


def test_one_trace_for_two_values() -> None:
    traces = []

    @jax.jit
    def run(law: Pooled, runs: Runs) -> Any:
        traces.append(None)
        return predict(law, runs)

    data = runs()
    first = run(partial(), data)
    second = run(moved(), data)
    assert len(traces) == 1
    assert not np.array_equal(first, second)


class Bent(AbstractLaw):
    """A law linear in parameters of three supports."""

    m: q.Pure = param(s.positive, init=0.5, prior=p.LogNormal(0.5, 1.0), doc="positive", linear=True)
    r: q.Pure = param(s.real, init=0.2, prior=p.Normal(0.0, 1.0), doc="real", linear=True)
    w: q.Pure = param(s.unit_interval, init=0.3, prior=p.Uniform(0.0, 1.0), doc="a share", linear=True)

    def __call__(self, x: q.Pure) -> q.Pure:
        return self.m + self.r * x + self.w * x**2


def test_means_stay_linear_where_the_prediction_is(eps: float) -> None:
    law = Pooled(Bent(), groups=("a", "b"), partial=("m", "r", "w"))
    assert [d.name for d in declared(law) if d.spec.linear] == ["m", "r"]
    law = replace(law, {f"offset.{n}": [1.0, -2.0] for n in "mrw"})

    def slopes(law: Pooled) -> Any:
        return values(jax.grad(lambda law: law(x=jnp.asarray(2.0), group=jnp.asarray(1)))(law))

    here, there = slopes(law), slopes(replace(law, {"m": 3.0, "r": -1.0}))
    for name, expected in (("m", np.exp(-2 * 0.3)), ("r", 2.0)):
        np.testing.assert_allclose(here[name], expected, rtol=16 * eps)
        np.testing.assert_allclose(there[name], expected, rtol=16 * eps)
    assert abs(float(here["w"] - slopes(replace(law, {"w": 0.8}))["w"])) > 0.1


def test_cold_starts_spread_the_offsets() -> None:
    law = moved()
    target = predict(law, runs())
    data = Runs.of({n: np.tile(x, 4) for n, x in POINTS.items()}, np.tile(target, 4), group=np.tile(GROUP, 4))
    problem = FitProblem(split(Model(law, gaussian())), data)
    found = first_starts(problem, 16, seed=0)[1:]
    assert found.shape == (16, len(problem.split.names()))
    assert np.isfinite(found).all()
    where = problem.split.names().index("offset.alpha[2]")
    assert np.ptp(found[:, where]) > 1


def test_only_a_hierarchy_needs_a_prior() -> None:
    assert partial().needs_prior
    assert not Pooled(Chinchilla(), split=("E",), groups=GROUPS).needs_prior
    assert not Chinchilla().needs_prior


def test_refusals() -> None:
    def make(**more: Any) -> Pooled:
        return Pooled(Chinchilla(), **{"groups": GROUPS, **more})

    with pytest.raises(BadInput, match=r"partial: Chinchilla has no parameter \['gamma'\]; it has \['E'"):
        make(partial=("E", "gamma"))
    with pytest.raises(BadInput, match=r"every parameter in one of them, got \['A'\] in both"):
        make(split=("E", "A"), partial=("A",))
    for bad in (0.0, -0.1, float("nan"), float("inf")):
        with pytest.raises(BadInput, match="spread of A: expected a number of at "):
            make(partial=("A",), spread=bad)
    with pytest.raises(BadInput, match=r"spread: expected one for each of \['A'\], got \['B'\]"):
        make(partial=("A",), spread={"B": 0.1})
    with pytest.raises(BadInput, match=r"groups: expected at least two groups, got \['one'\]"):
        make(partial=("A",), groups=("one",))
    with pytest.raises(BadInput, match=r"\['E'\] are separate \(split\) and have no population"):
        partial().unseen(jax.random.key(0))
