"""Held-out scores against fits of the subset, and on runs that a law describes exactly."""

from typing import Any

import jax
import numpy as np
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.core.runs import Runs
from jaxscale.infer.backtest.heldout import held_out
from jaxscale.infer.fit.fit import fit
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives.penalty import raw_least_squares


def test_equals_a_fit_of_the_subset(line: Any, laws: dict[str, Any], eps: float) -> None:
    scored = held_out(laws["Line"](), line.runs, raw_least_squares(), by="x", cut=1.0, starts=2)
    below = line.x < 1.0
    slope, level = np.polyfit(line.x[below], line.y[below], 1)
    expected = level + slope * line.x[~below]
    np.testing.assert_array_equal(scored.rows, np.flatnonzero(~below))
    np.testing.assert_allclose(scored.predicted, expected, rtol=line.tolerance(eps))
    error = scored.predicted / line.y[~below] - 1
    assert scored.mean == pytest.approx(np.abs(error).mean())
    assert scored.max == pytest.approx(np.abs(error).max())
    assert scored.rmse_log == pytest.approx(np.sqrt(np.mean(np.log1p(error) ** 2)))
    assert scored.trained == below.sum()
    np.testing.assert_allclose(scored.decades, np.log10(line.x[~below] / line.x[below].max()), rtol=8 * eps, atol=eps)


def exact_runs() -> Runs:
    size, tokens = (g.ravel() for g in np.meshgrid(np.logspace(8, 10, 5), np.logspace(9.5, 11.5, 5)))
    law = Chinchilla()
    inputs = {"N": size, "D": tokens}
    runs = Runs.of(inputs, np.ones(25))
    return Runs.of(inputs, jax.vmap(lambda N, D: law(N=N, D=D))(runs.inputs["N"], runs.inputs["D"]))


@pytest.mark.x64
def test_an_exact_law_extrapolates_exactly() -> None:
    runs = exact_runs()
    compute = 6 * np.asarray(runs.inputs["N"]) * np.asarray(runs.inputs["D"])
    for cut in (1e20, 1e21):
        scored = held_out(Chinchilla(), runs, cut=cut, starts=8)
        assert scored.scale == "6 N D"
        assert scored.trained == np.sum(compute < cut)
        # Losses to a few eps, times the condition of the extrapolation (a thousand or so).
        assert scored.max < 1e-9
        assert scored.decades.max() == pytest.approx(np.log10(compute.max() / compute[compute < cut].max()))
        assert f"of 6 N D < {cut:.3g} fitted" in str(scored)


def test_a_function_as_scale(line: Any, laws: dict[str, Any]) -> None:
    last = np.arange(60)
    scored = held_out(
        laws["Line"](), Runs.of({"x": line.x + 3}, line.y), raw_least_squares(), by=lambda _: last, cut=50, starts=2
    )
    np.testing.assert_array_equal(scored.rows, np.arange(50, 60))
    beyond = np.log10((line.x[50:] + 3) / (line.x[:50] + 3).max())
    within = np.log10((line.x[:50] + 3).min() / (line.x[50:] + 3))
    np.testing.assert_allclose(scored.decades, np.maximum(np.maximum(beyond, within), 0), atol=1e-6)


def test_what_cannot_be_cut_is_refused(line: Any, laws: dict[str, Any]) -> None:
    law = laws["Line"]()
    with pytest.raises(BadInput, match="expected runs on both sides of x = 99, got 60 below and 0"):
        held_out(law, line.runs, by="x", cut=99)
    with pytest.raises(BadInput, match=r"expected `by` to be one of \['x'\], got 'C'"):
        held_out(law, line.runs, by="C", cut=1.0)
    with pytest.raises(BadInput, match="one number for each of 60 runs"):
        held_out(law, line.runs, by=lambda _: np.zeros(3), cut=1.0)
    with pytest.raises(BadInput, match="expected at least 3 runs for 2 free parameters, got 2"):
        held_out(law, line.runs, by="x", cut=float(np.sort(line.x)[2]))


def test_the_held_out_targets_do_not_matter(line: Any, laws: dict[str, Any]) -> None:
    changed = Runs.of({"x": line.x}, np.where(line.x < 1.0, line.y, 7.0))
    first, second = (fit_of(laws, runs) for runs in (line.runs, changed))
    np.testing.assert_array_equal(first, second)


def fit_of(laws: dict[str, Any], runs: Runs) -> list[float]:
    scored = held_out(laws["Line"](), runs, raw_least_squares(), by="x", cut=1.0, starts=0)
    return [float(v) for v in scored.fit.params.values()]


def test_fit_is_the_one_used(line: Any, laws: dict[str, Any]) -> None:
    scored = held_out(laws["Line"](), line.runs, raw_least_squares(), by="x", cut=1.0, starts=2)
    weight = np.asarray(line.x < 1.0, float)
    again = fit(laws["Line"](), Runs.of({"x": line.x}, line.y, weight=weight), raw_least_squares(), starts=2)
    assert scored.fit.value == again.value
