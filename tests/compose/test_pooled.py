"""Joint laws: names, shapes, and values equal to each group's own law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale import Study, allocate, fit, multiplier
from jaxscale.compose import Pooled, Tied
from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import points_of, predict
from jaxscale.core.law import signature
from jaxscale.core.parametric import declared, replace, values
from jaxscale.core.runs import Runs
from jaxscale.laws.loss.gadre2024 import Gadre
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives import Model, log_huber

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


@pytest.mark.parametrize("law", [pooled(), tied()], ids=["pooled", "tied"])
def test_no_other_group_answers_for_a_wrong_index(law: Pooled | Tied) -> None:
    """Under jit it is NaN; asked by hand it is a sentence with the labels."""
    at = jax.jit(lambda group: law(group=group, N=jnp.asarray(1e9), D=jnp.asarray(1e10)))
    inside = [float(at(jnp.asarray(i))) for i in range(len(law.groups))]
    assert len(set(inside)) == len(law.groups)
    for wrong in (-1, len(law.groups), -len(law.groups), 1000):
        assert np.isnan(float(at(jnp.asarray(wrong))))
        with pytest.raises(BadInput, match=f"group: expected one of {', '.join(law.groups)}, got '{wrong}'"):
            law.member(wrong)
    for i, label in enumerate(law.groups):
        assert float(law.member(label)(N=jnp.asarray(1e9), D=jnp.asarray(1e10))) == pytest.approx(inside[i], rel=1e-5)


@pytest.mark.parametrize("groups", [("4", "16", "64"), ("1", "2", "3"), ("2024-01-01", "2024-02-01", "2024-03-01")])
def test_numbers_and_dates_name_their_group_where_runs_are_planned_and_predicted(groups: tuple[str, ...]) -> None:
    law = replace(Pooled(Chinchilla(), split=("E", "A"), groups=groups), {"A": [300.0, 400.0, 500.0]})
    best = [float(allocate(law.member(label), 1e22).N) for label in groups]
    assert len(set(best)) == 3
    for label, N in zip(groups, best, strict=True):
        assert float(allocate(law, 1e22, group=label).N) == N
        found = points_of(law, {"N": 1e9, "D": 1e10, "group": [label, label]}, ())
        assert groups[int(found["group"][0])] == label
    for wrong in ("5", -1, 7):
        with pytest.raises(BadInput, match=f"group: expected one of {groups[0]}, "):
            allocate(law, 1e22, group=wrong)
        with pytest.raises(BadInput, match=f"group: expected one of {groups[0]}, "):
            points_of(law, {"N": 1e9, "D": 1e10, "group": wrong}, groups)
    with pytest.raises(BadInput, match=r"got none; name the one to ask about: `group=\.\.\.`"):
        allocate(law, 1e22)
    with pytest.raises(BadInput, match="not a joint one"):
        allocate(Chinchilla(), 1e22, group=groups[0])
    with pytest.raises(BadInput, match="expected the law of one group"):
        multiplier(law, law, 1e22)


def test_groups_of_the_data_must_be_those_of_the_law() -> None:
    table = {"N": N, "D": D, "loss": np.array([3.0, 2.9, 2.8, 2.7]), "width": [64, 4, 4, 16]}
    study = Study.read(table, {"N": "N", "D": "D", "loss": "loss"}, group="width")
    assert study.groups == ("64", "4", "16")
    law = Pooled(Chinchilla(), split=("E",), groups=("4", "16", "64"))
    with pytest.raises(BadInput, match=r"make the law with groups=study\.groups"):
        fit(law, study)
    runs = Runs.of({"N": N, "D": D}, np.ones(4), group=[0, 1, 3, -1])
    with pytest.raises(BadInput, match=r"index 0 to 2, of 4, 16, 64, got 3 in run 2"):
        fit(law, runs)


def test_labels_of_too_many_digits_are_not_merged() -> None:
    table = {"N": N, "D": D, "loss": np.ones(4), "id": [2**60 + i for i in range(4)]}
    with pytest.raises(BadInput, match="so many digits"):
        Study.read(table, {"N": "N", "D": "D", "loss": "loss"}, group="id")
