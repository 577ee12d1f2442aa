"""Charles et al. 2025 (DiLoCo) on their own table of losses: 28 losses of seven sizes and four numbers of replicas.

The set is facts from the tables of a paper, without repository or commit, so it is no registered data set and is read
as it lies. With N = 12 depth width^2 + 32,000 width (the vocabulary is inferred) every power law and every residual
comes out within what rounding the losses to three decimals allows; nominal sizes leave A .1 to .2 % off.

Not reproduced: two of the held-out errors of the parametric forms. Certified global optima give .0120, .0036, .0032,
.0047 for the printed .0044, .0035, .0025, .0043. The paper chose the initialisation by that very error, so its numbers
need not be optima: its own joint power law has a mean residual of .012 on the same models, as ours. The order of the
forms with a floor is the paper's. The width of its Huber loss is not known; these hold for 1e-3.
"""

from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale import AbstractLaw, Fit, fit, log_huber
from jaxscale.core.evaluate import predict
from jaxscale.core.law import from_published
from jaxscale.core.runs import Runs
from jaxscale.laws.architecture.charles2025 import DiLoCoLoss, DiLoCoLossAdditive, DiLoCoLossExponent, DiLoCoLossFloor
from jaxscale.objectives.penalty import least_squares
from jaxscale.studies.tables.tables import read_table

HELD_OUT = 2.4e9
VOCABULARY = 32_000
ROUNDED = 5e-4  # half a unit in the last digit of a loss
HALF = {"A": 5e-4, "alpha": 5e-5, "beta": 5e-5}
REPLICAS = (1, 2, 4, 8)
# Per M: the residual |ln L| at 2.4B of the independent and of the joint power law (the paper's table of residuals).
RESIDUALS = {1: (0.011, 0.019), 2: (0.0099, 0.013), 4: (0.012, 0.0082), 8: (0.014, 0.0076)}


@pytest.fixture(scope="module")
def table(data_dir: Path) -> dict[str, np.ndarray]:
    columns = read_table(data_dir / "diloco_tables" / "data.csv")
    tuned = columns["table"] == "table4_tuned"
    return {name: column[tuned] for name, column in columns.items()}


def some(table: dict[str, np.ndarray], rows: np.ndarray) -> Runs:
    depth, width, M, loss = (table[name][rows].astype(float) for name in ("depth", "width", "replicas", "loss"))
    return Runs.of({"N": 12 * depth * width**2 + VOCABULARY * width, "M": np.maximum(M, 1)}, loss)


def slack(runs: Runs, at: np.ndarray | None = None) -> np.ndarray:
    """What rounding the losses can do to log A, alpha (and beta, where M varies), or to the prediction `at` a row."""
    logs = [np.log(np.asarray(runs.inputs[name])) for name in ("N", "M")]
    design = np.stack([np.ones(runs.size), *(column for column in logs if np.ptp(column) > 0)], axis=1)
    inverse = np.linalg.pinv(design)
    rounding = ROUNDED / np.asarray(runs.target)
    return np.abs(inverse) @ rounding if at is None else np.abs(at[: design.shape[1]] @ inverse) @ rounding


@pytest.mark.x64
def test_joint_power_law(table: dict[str, np.ndarray], beside: Callable[[str, object, object], None]) -> None:
    runs = some(table, table["replicas"] > 0)
    found = fit(DiLoCoLoss(), runs, least_squares())
    assert found.certificate.certified
    check("joint", found, slack(runs), beside)


def check(name: str, found: Fit, rounding: np.ndarray, beside: Callable[[str, object, object], None]) -> None:
    printed = DiLoCoLoss.published[name].values
    for (parameter, half), moved in zip(HALF.items(), rounding, strict=False):
        ours = float(found.params[parameter])
        beside(f"{name}, {parameter}", f"{ours:.5g}", f"{printed[parameter]:.5g}")
        assert abs(ours - printed[parameter]) < half + moved * (ours if parameter == "A" else 1)
        assert ours == pytest.approx(printed[parameter], rel=0.003)


@pytest.mark.x64
@pytest.mark.parametrize("replicas", [0, *REPLICAS])
def test_power_law_of_each_algorithm(
    replicas: int, table: dict[str, np.ndarray], beside: Callable[[str, object, object], None]
) -> None:
    name = f"M{replicas}" if replicas else "data_parallel"
    runs = some(table, table["replicas"] == replicas)
    found = fit(DiLoCoLoss(), runs, least_squares(), fixed={"beta": 0.0})
    check(name, found, slack(runs), beside)


@pytest.mark.x64
def test_residuals_at_the_largest_size(
    table: dict[str, np.ndarray], beside: Callable[[str, object, object], None]
) -> None:
    """Both power laws fitted up to 1.3B predict 2.4B; the printed residuals have two digits."""
    small, tuned = table["params_nominal"] < HELD_OUT, table["replicas"] > 0
    together = some(table, small & tuned)
    joint = fit(DiLoCoLoss(), together, least_squares()).law
    for replicas, printed in RESIDUALS.items():
        mine = table["replicas"] == replicas
        held, apart = some(table, mine & ~small), some(table, mine & small)
        alone = fit(DiLoCoLoss(), apart, least_squares(), fixed={"beta": 0.0}).law
        at = np.array([1.0, np.log(float(held.inputs["N"][0])), np.log(replicas)])
        for what, law, runs, expected in zip(
            ("alone", "joint"), (alone, joint), (apart, together), printed, strict=True
        ):
            ours = float(jnp.abs(jnp.log(predict(law, held)[0] / held.target[0])))
            beside(f"residual at 2.4B, M = {replicas}, {what}", f"{ours:.4f}", f"{expected:.4f}")
            half = 5e-4 if expected >= 0.01 else 5e-5
            assert abs(ours - expected) < half + slack(runs, at) + ROUNDED / float(held.target[0])


@pytest.mark.x64
@pytest.mark.slow
def test_forms_with_a_floor_predict_the_largest_size_better(
    table: dict[str, np.ndarray], beside: Callable[[str, object, object], None]
) -> None:
    small, tuned = table["params_nominal"] < HELD_OUT, table["replicas"] > 0
    held = some(table, tuned & ~small)
    errors: dict[type[AbstractLaw], float] = {}
    printed = {DiLoCoLoss: 0.0044, DiLoCoLossFloor: 0.0035, DiLoCoLossExponent: 0.0025, DiLoCoLossAdditive: 0.0043}
    for law_class, published in printed.items():
        found: Fit = fit(law_class(), some(table, tuned & small), log_huber())
        assert found.certificate.certified
        errors[law_class] = float(jnp.mean(jnp.abs(jnp.log(predict(found.law, held) / held.target))))
        beside(f"held-out error of {law_class.__name__}", f"{errors[law_class]:.4f}", f"{published:.4f}")
        # The paper's is the least over 256 initialisations: it is a lower bound where ours is the optimum.
        assert errors[law_class] > published
    assert sorted(errors, key=errors.__getitem__) == [
        DiLoCoLossExponent,
        DiLoCoLossFloor,
        DiLoCoLossAdditive,
        DiLoCoLoss,
    ]


def test_printed_law_undershoots_the_extrapolated_models(
    data_dir: Path, beside: Callable[[str, object, object], None]
) -> None:
    """4B and 10B, whose hyperparameters the joint law chose: without a floor the joint law is up to 5 % too low."""
    columns = read_table(data_dir / "diloco_tables" / "data.csv")
    rows = (columns["table"] == "table12_extrapolated") & (columns["hyperparameters"] == "joint")
    runs = some(columns, rows)
    error = np.asarray(predict(from_published(DiLoCoLoss, "joint"), runs)) / np.asarray(runs.target) - 1
    for size, replicas, off in zip(runs.inputs["N"], runs.inputs["M"], error, strict=True):
        beside(f"joint law at {float(size) / 1e9:g}B, M = {float(replicas):g}", f"{100 * off:+.2f} %", "a few percent")
    assert np.all((error < 0) & (error > -0.05))
