"""The simulated study: the same every time, labelled, and as noisy as it says."""

import numpy as np

from jaxscale.testing import simulated


def test_the_study_is_the_same_every_time_and_labelled():
    a, b = simulated.simulate(), simulated.simulate()
    np.testing.assert_array_equal(a.study.columns["loss"], b.study.columns["loss"])
    assert len(a.study) == 120
    assert "simulated" in a.study.provenance
    # 30 times the largest fitted compute, up to the rounding of the tokens.
    reach = np.max(6 * a.study.columns["N"] * a.study.columns["D"])
    compute = 6 * a.heldout.columns["N"] * a.heldout.columns["D"]
    np.testing.assert_allclose(compute / reach, 30.0, rtol=1e-3)


def test_the_study_s_noise_is_what_it_says():
    made = simulated.simulate()
    off = np.log(
        made.study.columns["loss"] / simulated.exact(made.truth, made.study.columns["N"], made.study.columns["D"])
    )
    # 120 draws of Student's t with 4 degrees of freedom: within a factor of two of its standard deviation.
    assert simulated.NOISE / 2 < np.std(off) < simulated.NOISE * 2
