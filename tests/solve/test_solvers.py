"""Which solver: what is taken, what is refused and with which words."""

from typing import Any

import optax
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.solve.first_order import LBFGS, Adam, Optax
from jaxscale.solve.gauss_newton import GaussNewton
from jaxscale.solve.solvers import as_solver, kept, settings_of, solver_from_name, solver_names


@pytest.mark.parametrize(
    ("text", "solver"),
    [
        ("gauss-newton", GaussNewton()),
        ("gauss-newton:50", GaussNewton(max_steps=50)),
        ("lbfgs", LBFGS()),
        ("lbfgs:20:1000", LBFGS(memory=20, max_steps=1000)),
        ("adam", Adam()),
        ("adam:0.03", Adam(learning_rate=0.03)),
        ("adam:3e-2:200", Adam(learning_rate=0.03, max_steps=200)),
    ],
)
def test_names(text: str, solver: Any) -> None:
    found = solver_from_name(text)
    # Equal and of equal hash: a second solver of the same settings compiles nothing.
    assert type(found) is type(solver)
    assert found == solver
    assert hash(found) == hash(solver)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("newton", "expected one of gauss-newton:steps, lbfgs:memory:steps, adam:rate:steps, got 'newton'"),
        ("", "expected one of"),
        ("lbfgs:1:2:3", "expected lbfgs:memory:steps"),
        ("adam:fast", "expected a number for rate, got 'fast'"),
        ("adam:0.1:1e3", "expected a whole number for steps, got '1e3'"),
        ("adam:", "expected a number for rate, got ''"),
        ("adam:0", "Adam: learning_rate: expected a number of at least 1e-30, got 0.0"),
        ("adam:-0.1", "of at least 1e-30, got -0.1"),
        ("adam:nan", "of at least 1e-30, got nan"),
        ("adam:inf", "of at most 1e+06, got inf"),
        ("adam:0.1:0", "Adam: max_steps: expected a whole number of at least 1, got 0"),
        ("lbfgs:0", "LBFGS: memory: expected a whole number of at least 1"),
        ("gauss-newton:" + "9" * 30, "GaussNewton: max_steps: expected a whole number of at most 2.147e+09"),
    ],
)
def test_what_is_no_solver_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput, match="solver: ") as error:
        solver_from_name(text)
    assert said in str(error.value)


def test_the_form_of_each_name_is_its_help() -> None:
    for form in solver_names():
        assert solver_from_name(form.partition(":")[0]) is not None


def test_what_python_takes() -> None:
    assert as_solver(None) == GaussNewton()
    own = optax.sgd(0.1, momentum=0.9)
    assert as_solver(own) == as_solver(own) == Optax(own)
    assert hash(as_solver(own)) == hash(Optax(own))
    assert isinstance(as_solver(optax.MultiSteps(own, 2)), Optax)
    for wrong in ("adam", LBFGS, optax.adam, 3):
        with pytest.raises(BadInput, match="expected GaussNewton"):
            as_solver(wrong)


def test_a_file_keeps_what_is_no_code() -> None:
    assert kept(Adam(rtol=1e-6)) == (Adam(rtol=1e-6), ())
    solver, said = kept(Optax(optax.adam(0.1), rtol=1e-6))
    assert solver == GaussNewton(rtol=1e-6)
    assert "cannot keep" in said[0]
    assert settings_of(Optax(optax.adam(0.1), max_steps=7)) == {"max_steps": 7, "rtol": None}
