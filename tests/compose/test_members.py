"""Draws for one group: an unseen one scatters as the population does, a known one predicts as the joint law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.compose import Pooled, Tied
from jaxscale.compose.members import member, new_group
from jaxscale.core.ensemble import Ensemble
from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import replace, values
from jaxscale.laws.breaks.caballero2023 import BrokenPowerLaw
from jaxscale.laws.loss.hoffmann2022 import Chinchilla

DRAWS = 20_000
GROUPS = ("c4", "rpj", "rw")
SIGMAS = 4.5  # a check fails by chance once in 150,000 keys, and the key is fixed


def repeated(law: AbstractLaw, draws: int = DRAWS) -> Ensemble:
    many = jax.tree.map(lambda x: jnp.broadcast_to(x, (draws, *x.shape)), law)
    return Ensemble(many, jnp.zeros(draws), jnp.zeros(draws, jnp.int32), "posterior")


def hierarchy() -> Pooled:
    law = Pooled(Chinchilla(), groups=GROUPS, partial=("E", "alpha"), spread={"E": 0.1, "alpha": 0.25})
    return replace(law, {"offset.E": [1.0, -1.0, 0.5], "offset.alpha": [0.2, 0.0, -2.0]})


def test_a_new_group_is_log_normal_around_the_mean() -> None:
    found = new_group(repeated(hierarchy()), key=1)
    assert type(found.law) is Chinchilla
    assert (found.size, found.method) == (DRAWS, "posterior")
    draws = {name: np.asarray(x, np.float64) for name, x in values(found.law).items()}
    scores = {}
    for name, spread in (("E", 0.1), ("alpha", 0.25)):
        z = scores[name] = (np.log(draws[name]) - np.log(float(getattr(Chinchilla(), name)))) / spread
        # Of n standard normals: the mean has sd n^-1/2, the sd (2n)^-1/2, the fourth moment (96 / n)^1/2.
        assert abs(z.mean()) < SIGMAS / np.sqrt(DRAWS)
        assert abs(z.std() - 1) < SIGMAS / np.sqrt(2 * DRAWS)
        assert abs(np.mean(z**4) - 3) < SIGMAS * np.sqrt(96 / DRAWS)
    assert abs(np.mean(scores["E"] * scores["alpha"])) < SIGMAS / np.sqrt(DRAWS)
    for name in ("A", "B", "beta"):
        np.testing.assert_array_equal(draws[name], np.float64(getattr(Chinchilla(), name)))


def test_each_draw_scatters_by_its_own_spread() -> None:
    ensemble = repeated(hierarchy())
    spread = jnp.where(jnp.arange(DRAWS) < DRAWS // 2, 0.05, 0.6)
    ensemble = Ensemble(replace(ensemble.law, {"spread.E": spread}), ensemble.value, ensemble.code)
    logs = np.log(np.asarray(new_group(ensemble, jax.random.key(2)).params()["E"], np.float64))
    for half, sd in ((logs[: DRAWS // 2], 0.05), (logs[DRAWS // 2 :], 0.6)):
        assert abs(half.std() - sd) < SIGMAS * sd / np.sqrt(DRAWS)


def test_predictions_are_those_of_the_drawn_laws(eps: float) -> None:
    found = new_group(repeated(hierarchy(), 5))
    x = {name: np.asarray(v, np.float64) for name, v in found.params().items()}
    expected = x["E"] + x["A"] * 1e9 ** -x["alpha"] + x["B"] * 1e10 ** -x["beta"]
    np.testing.assert_allclose(found(N=1e9, D=1e10), expected, rtol=8 * 26 * eps)
    assert np.ptp(expected) > 0


def test_a_draw_depends_on_key_and_index_alone() -> None:
    long, short = new_group(repeated(hierarchy(), 64), 3), new_group(repeated(hierarchy(), 7), 3)
    np.testing.assert_array_equal(long.params()["E"][:7], short.params()["E"])
    assert not np.array_equal(new_group(repeated(hierarchy(), 7), 4).params()["E"], short.params()["E"])


def test_vectors_and_laws_without_a_population(eps: float) -> None:
    broken = BrokenPowerLaw.with_breaks(2)
    found = new_group(repeated(Pooled(broken, groups=GROUPS, partial=("d",)), 100)).params()["d"]
    assert found.shape == (100, 2)
    assert np.all(np.diff(found, axis=1) > 0)
    shared = new_group(repeated(Pooled(Chinchilla(), groups=GROUPS), 3))
    np.testing.assert_allclose(shared(N=1e9, D=1e10), Chinchilla()(jnp.asarray(1e9), jnp.asarray(1e10)), rtol=8 * eps)


def test_a_known_group_predicts_as_the_joint_law(eps: float) -> None:
    pooled = repeated(replace(Pooled(hierarchy().law, ("B",), GROUPS, ("E",)), {"offset.E": [1.0, -1.0, 0.5]}), 3)
    tied = repeated(Tied({"z": Chinchilla(E=1.8), "a": Chinchilla(E=1.2)}, ("alpha",)), 3)
    for ensemble, groups in ((pooled, GROUPS), (tied, ("z", "a"))):
        for index, label in enumerate(groups):
            expected = ensemble(N=1e9, D=1e10, group=np.asarray(index))
            for group in (index, label):
                alone = member(ensemble, group)
                assert type(alone.law) is Chinchilla
                np.testing.assert_allclose(alone(N=1e9, D=1e10), expected, rtol=8 * eps)


def test_refusals() -> None:
    separate = repeated(Pooled(Chinchilla(), ("A", "B"), GROUPS, ("E",)), 2)
    with pytest.raises(BadInput, match=r"\['A', 'B'\] are separate .* Pooled\(\.\.\., partial="):
        new_group(separate)
    with pytest.raises(BadInput, match="expected draws of a Pooled law, got Chinchilla"):
        new_group(repeated(Chinchilla(), 2))
    with pytest.raises(BadInput, match="got Chinchilla, which has no groups"):
        member(repeated(Chinchilla(), 2), 0)
    for wrong in ("pile", 3, -1):
        with pytest.raises(BadInput, match=f"group: expected one of c4, rpj, rw, got '{wrong}'"):
            member(separate, wrong)
