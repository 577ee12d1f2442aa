"""The annealing law: curves give its parameters back, and a curve is its points."""

import jax.numpy as jnp
import numpy as np

from jaxscale.core import schedule as sch
from jaxscale.core.evaluate import predict
from jaxscale.core.parametric import values
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import fit
from jaxscale.laws.schedule.tissue2024 import AnnealingS1S2

PLANS = [
    [sch.warmup(100, 1e-3), sch.constant(3900, 1e-3)],
    [sch.warmup(100, 1e-3), sch.cosine(3900, 1e-3, 1e-4)],
    [sch.warmup(100, 1e-3), sch.constant(2000, 1e-3), sch.exponential(500, 1e-3, 1e-4)],
    [sch.warmup(100, 1e-3), sch.constant(1000, 1e-3), sch.constant(2000, 3e-4)],
]
LENGTHS = np.array([40, 40, 26, 31])


def curves(law: AnnealingS1S2) -> Runs:
    """Every hundredth step; the shorter curves are filled up at weight zero by losses that are wrong."""
    place = np.arange(1, 41)[None, :]
    S, there = 100.0 * np.minimum(place, LENGTHS[:, None]), place <= LENGTHS[:, None]
    runs = Runs.of({"schedule": sch.schedules(PLANS), "S": S}, np.full((4, 40), 9.0), weight=there.astype(float))
    target = jnp.where(jnp.asarray(there), predict(law, runs), 9)
    return Runs.of(runs.inputs, target, weight=runs.weight)


def test_curves_give_the_parameters_back(eps: float) -> None:
    truth = AnnealingS1S2().replace(L0=2.6, A=0.4, alpha=0.6, C=0.3)
    found = fit(AnnealingS1S2(), curves(truth))
    condition = found.identifiability.condition
    for name, value in values(truth).items():
        assert abs(float(found.params[name]) / float(value) - 1) < 64 * eps * condition, name
    assert found.runs.target.shape == (160,)
    assert found.log_residuals().shape == (160,)


def test_a_curve_is_its_points(eps: float) -> None:
    """So a curve may be thinned: what is left of it does not change."""
    law, plan = AnnealingS1S2(), jnp.asarray(sch.schedule(*PLANS[1]))
    steps = jnp.arange(1.0, 4001.0)
    # Sums of 4,000 areas of one length against one product.
    np.testing.assert_allclose(law(plan, steps[::500]), law(plan, steps)[::500], rtol=8 * eps)
    one = np.concatenate([law(plan, steps[i : i + 1]) for i in (0, 1500, 3999)])
    np.testing.assert_allclose(one, law(plan, steps)[np.array([0, 1500, 3999])], rtol=8 * eps)


def test_the_drop_is_what_a_fall_comes_to(eps: float) -> None:
    """Long after a jump from 1e-3 to nothing, S2 is 1e-3 / (1 - lambda)."""
    law = AnnealingS1S2()
    plan = jnp.asarray(sch.schedule(sch.constant(1000, 1e-3), sch.constant(60000, 0.0)))
    before, after = law(plan, jnp.asarray([1000.0, 61000.0]))
    np.testing.assert_allclose(before - after, 1e-3 * law.drop, rtol=64 * eps * float(before) / 0.45)
