"""Posteriors against reference posteriors, which plain NumPyro NUTS made after posteriordb's rules.

Oracle: the moments and quantiles stored by `python -m benchmarks.reference NAME`. Both sides have Monte-Carlo
errors; a difference beyond 4 combined ones has a chance of 6e-5, over the some 230 comparisons 1 in 70.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from scipy.stats import norm

from jaxscale.core.law import AbstractLaw
from jaxscale.infer.posterior.sample import sample

reference = pytest.importorskip("benchmarks.reference", reason="run pytest from the repository's root")

LIMIT = 4.0
RECORDS = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parent / "references").glob("*.json")}


def farthest(ours: Any, theirs: Any) -> float:
    return max(abs(x) for x in reference.distances(ours, theirs).values())


# 14 runs hardly hold three parameters: whether the curved chart's draws look well there is luck, so more than one key.
KEYS = {"hestness": (1, 2, 3, 4)}


@pytest.fixture
def _priors_as_declared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As the references have them: not taken for the size of the runs' losses."""
    jax.clear_caches()
    monkeypatch.setattr(AbstractLaw, "scaling", lambda self, c: {})
    yield
    jax.clear_caches()


@pytest.mark.slow
@pytest.mark.usefixtures("_priors_as_declared")
@pytest.mark.parametrize(("name", "key"), [(name, key) for name in sorted(RECORDS) for key in KEYS.get(name, (1,))])
def test_posterior_agrees_with_its_reference(name: str, key: int, data_dir: Path) -> None:
    record, pair = RECORDS[name], reference.pairs()[name]
    study = pair.study()
    assert study.provenance["sha256"] == record["data"]["sha256"]
    found = sample(pair.law(study), pair.runs(study), pair.likelihood, key=key, fixed=pair.fixed)
    assert found.engine == ("nuts:dense" if name == "hestness" else "nuts:curved")
    assert found.diagnosis.passed, found.remarks
    ours = reference.summary(found.z.astype(np.float64), found.fit.problem.split.names())
    print(name, key, found.engine, found.diagnosis.leapfrogs, found.seconds)
    apart = reference.distances(ours, record["parameters"])
    assert {at: x for at, x in apart.items() if abs(x) > LIMIT} == {}


def test_there_are_four_and_all_keep_the_rules() -> None:
    assert RECORDS.keys() == reference.pairs().keys()
    assert len(RECORDS) == 4
    for name, record in RECORDS.items():
        assert reference.broken(record["diagnostics"]) == [], name
        assert record["settings"]["chains"] * record["settings"]["kept"] == 10_000


def test_a_shifted_or_widened_posterior_is_caught() -> None:
    """4,000 against 10,000 independent draws: a shift of .2 sd is 10.7 Monte-Carlo errors, 10 % of width 7.6."""
    random = np.random.default_rng(0)
    theirs = reference.summary(random.standard_normal((10, 1000, 1)), ("x",))
    draws = random.standard_normal((4, 1000, 1))
    assert farthest(reference.summary(draws, ("x",)), theirs) < LIMIT
    assert farthest(reference.summary(draws + 0.2, ("x",)), theirs) > LIMIT
    assert farthest(reference.summary(1.1 * draws, ("x",)), theirs) > LIMIT


def test_monte_carlo_errors_of_independent_draws() -> None:
    """Closed forms: sd / sqrt(m), sd / sqrt(2 m), sqrt(q (1 - q) / m) / density."""
    m = 40_000
    found = reference.summary(np.random.default_rng(1).standard_normal((10, m // 10, 1)), ("x",))["x"]
    exact = {"mean": 1 / np.sqrt(m), "sd": 1 / np.sqrt(2 * m)}
    exact |= {f"q{q}": np.sqrt(q * (1 - q) / m) / norm.pdf(norm.ppf(q)) for q in reference.QUANTILES}
    assert found.keys() == exact.keys()
    for key, error in exact.items():
        # An error from an effective size, itself estimated from some 30 autocorrelations of 1 / sqrt(m) each;
        # a quantile's also from a difference of order statistics, whose relative error is m^(-1/4).
        assert found[key]["mcse"] == pytest.approx(error, rel=4 * m**-0.25 if key[0] == "q" else 4 * np.sqrt(30 / m))


def test_rules_are_broken_by_what_they_forbid() -> None:
    random = np.random.default_rng(2)
    draws, steps = random.standard_normal((10, 1000, 2)), np.ones((10, 1000))
    calm, energy = np.zeros((10, 1000), bool), random.standard_normal((10, 1000))

    def rules(z: np.ndarray = draws, diverging: np.ndarray = calm, energy: np.ndarray = energy) -> list[str]:
        return reference.broken(reference.diagnostics(z, diverging, energy, steps))

    assert rules() == []
    assert rules(diverging=np.arange(10_000).reshape(10, 1000) == 7) == ["no divergences"]
    assert rules(energy=np.cumsum(energy, axis=1)) == ["E-BFMI above .3"]
    assert rules(z=0.5 * draws + np.sqrt(0.75) * np.roll(draws, 1, axis=1)) == ["lag-1 autocorrelation below .05"]
    assert rules(z=draws + (np.arange(10) == 0)[:, None, None]) == ["R-hat below 1.01"]
