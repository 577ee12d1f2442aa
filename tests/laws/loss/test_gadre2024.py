"""Gadre: the same law as Chinchilla with equal exponents; predictions of the paper's large runs."""

import csv
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.law import from_published
from jaxscale.laws.loss.gadre2024 import Gadre
from jaxscale.laws.loss.hoffmann2022 import Chinchilla

# Printed A, B, alpha, E of the same three fits in the N, D form; and D/N at their optimum.
FITS = {
    "c4": (113.7, 152.5, 0.2425, 1.508, 3.4),
    "redpajama": (166.2, 287.2, 0.2729, 1.837, 7.4),
    "refinedweb": (125.1, 196.0, 0.2544, 1.735, 5.8),
}


@pytest.mark.parametrize("name", FITS)
def test_equals_chinchilla_with_equal_exponents(name: str) -> None:
    A, B, alpha, E, _ = FITS[name]
    N, D = jnp.asarray(1e9), jnp.asarray(2e10)
    C = 6 * N * D
    want = float(Chinchilla(E=E, A=A, B=B, alpha=alpha, beta=alpha)(N, D))
    got = float(from_published(Gadre, name)(C, D / N))
    # A, B, a and b carry four digits (half a unit is at most 5e-4 of each): the reducible part agrees to 1e-3.
    assert abs(got - want) < 1e-3 * (want - E)


@pytest.mark.parametrize("name", FITS)
def test_optimum_has_the_known_ratio_and_is_stationary(name: str, eps: float) -> None:
    law = from_published(Gadre, name)
    N, D = law.compute_optimal(jnp.asarray(1e21))
    assert abs(float(D / N) - FITS[name][-1]) < 0.06  # printed to one decimal, from four-digit a and b
    rtol = 8 * eps * np.log(1e21)
    np.testing.assert_allclose(float(6 * N * D), 1e21, rtol=rtol)
    up, down = float(law.a * (D / N) ** law.eta), float(law.b * (D / N) ** -law.eta)
    np.testing.assert_allclose(up, down, rtol=rtol)


@pytest.mark.parametrize("name", FITS)
def test_overtraining_cost_is_the_ratio_of_reducible_losses(name: str, eps: float) -> None:
    law = from_published(Gadre, name)
    C = jnp.asarray(1e21)
    N, D = law.compute_optimal(C)
    least = float(law.a * (D / N) ** law.eta + law.b * (D / N) ** -law.eta)
    for M in (0.1, float(D / N), 20.0, 640.0):
        at = float(law.a * M**law.eta + law.b * M**-law.eta)
        np.testing.assert_allclose(float(law.overtraining_cost(jnp.asarray(M))), at / least, rtol=64 * eps)


@pytest.mark.parametrize(("run", "error"), [("rpj-open_lm_1b-32.0", 0.7103), ("rpj-open_lm_7b-1.0", 0.7320)])
def test_predicts_the_large_redpajama_runs_as_published(data_dir: Path, run: str, error: float) -> None:
    with (data_dir / "gadre_overtraining" / "data.csv").open() as file:
        row = next(r for r in csv.DictReader(file) if r["name"] == run)
    law = from_published(Gadre, "redpajama")
    C, M = (jnp.asarray(float(row[key])) for key in ("flops", "tokens_per_param"))
    got, slopes = jax.value_and_grad(lambda law: law(C, M))(law)
    loss = float(row["loss_c4_val"])
    # Half a unit of the last printed digit of each coefficient, carried to the loss, in percent.
    half = {"E": 5e-4, "a": 0.05, "b": 0.05, "eta": 2.5e-5}
    slack = 100 / loss * sum(abs(float(getattr(slopes, name))) * unit for name, unit in half.items())
    assert abs(100 * abs(float(got) / loss - 1) - error) < slack
