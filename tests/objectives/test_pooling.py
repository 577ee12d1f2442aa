"""Joint laws: names, shapes, and values equal to each group's own law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.core.law import signature
from jaxscale.core.parametric import declared, replace, values
from jaxscale.core.runs import Runs, predict
from jaxscale.laws.loss.chinchilla import Chinchilla
from jaxscale.laws.loss.gadre import Gadre
from jaxscale.objectives import Model, Pooled, Tied, log_huber

N, D = np.array([1e8, 1e9, 1e10, 3e9]), np.array([1e10, 2e10, 1e11, 5e10])
GROUP = np.array([0, 1, 1, 2])


def pooled() -> Pooled:
    law = Pooled(Chinchilla(), split=("E", "A"), groups=("c4", "rpj", "rw"))
    return replace(law, {"E": [1.5, 1.7, 1.9], "A": [300.0, 400.0, 500.0]})


def test_pooled_names_and_shapes() -> None:
    law = pooled()
    assert {name: v.shape for name, v in values(law).items()} == {
        "E": (3,), "A": (3,), "B": (), "alpha": (), "beta": ()
    }  # fmt: skip
    assert list(signature(law).inputs) == ["N", "D", "group"]
    assert signature(law).output == signature(Chinchilla()).output
    assert [d.name for d in declared(Model(law, log_huber()))][:5] == ["E", "A", "B", "alpha", "beta"]


def test_pooled_predicts_as_its_members() -> None:
    law = pooled()
    runs = Runs.of({"N": N, "D": D}, np.ones(4), group=GROUP)
    found = predict(law, runs)
    for row, group in enumerate(GROUP):
        alone = Chinchilla(E=[1.5, 1.7, 1.9][group], A=[300.0, 400.0, 500.0][group])
        expected = alone(N=runs.inputs["N"][row], D=runs.inputs["D"][row])
        np.testing.assert_allclose(found[row], expected, rtol=8 * float(jnp.finfo(found.dtype).eps))


def test_pooled_gradients_stay_in_their_group() -> None:
    law = pooled()
    gradient = jax.grad(lambda x: x(group=jnp.asarray(1), N=jnp.asarray(1e9), D=jnp.asarray(1e10)))(law)
    np.testing.assert_array_equal(np.asarray(values(gradient)["E"]), [0, 1, 0])


def test_pooled_refuses() -> None:
    with pytest.raises(BadInput, match=r"has no parameter \['gamma'\]"):
        Pooled(Chinchilla(), split=("gamma",), groups=("a", "b"))
    with pytest.raises(BadInput, match="expected at least two groups, got"):
        Pooled(Chinchilla(), split=("E",), groups=("a",))


def tied() -> Tied:
    # Labels not in alphabetical order: the order of groups is that of `Runs.group`, not of the names.
    return Tied({"z": Chinchilla(E=1.8), "a": Chinchilla(E=1.2, alpha=0.9)}, tie=("alpha", "beta"))


def test_tied_names() -> None:
    names = [d.name for d in declared(tied())]
    assert names == ["a.E", "a.A", "a.B", "z.E", "z.A", "z.B", "alpha", "beta"]
    leaves = jax.tree.leaves(tied())
    assert len(leaves) == 8
    assert float(dict(zip(names, leaves, strict=True))["a.E"]) == pytest.approx(1.2)


def test_tied_predicts_as_its_members(eps: float) -> None:
    law = tied()
    runs = Runs.of({"N": N, "D": D}, np.ones(4), group=[0, 1, 1, 0])
    found = np.asarray(predict(law, runs))
    shared = {"alpha": Chinchilla().alpha}  # from the first law: z
    for row, label in enumerate(["z", "a", "a", "z"]):
        alone = replace(Chinchilla(), {**shared, "E": 1.8 if label == "z" else 1.2})
        np.testing.assert_allclose(found[row], alone(runs.inputs["N"][row], runs.inputs["D"][row]), rtol=8 * eps)


def test_tied_refuses_a_parameter_that_a_law_lacks() -> None:
    with pytest.raises(BadInput, match=r"the law of 'g' has no parameter \['alpha'\]"):
        Tied({"c": Chinchilla(), "g": Gadre()}, tie=("alpha",))


def test_tied_laws_may_name_different_inputs() -> None:
    law = Tied({"c": Chinchilla(), "g": Gadre()}, tie=("E",))
    assert list(signature(law).inputs) == ["N", "D", "C", "M", "group"]
