"""Learning rates relative to the peak, step by step."""

from typing import Literal

import numpy as np

Schedule = Literal["constant", "cosine", "wsd", "wsd_linear", "two_stage"]
FLOOR = 0.1  # of the peak, where cosine, wsd and two_stage end
DECAY = 0.2  # of the steps, the last part of both wsd
WARM_UP = 0.02  # of the steps, and at least 10


def relative(schedule: Schedule, steps: int) -> np.ndarray:
    """The learning rate of each step as a share of the peak (steps,), float64.

    cosine: half a period down to a tenth. wsd: constant, then exponentially to a tenth in the last fifth. wsd_linear:
    constant, then linearly to zero in the last fifth. two_stage: constant, then three tenths from three fifths on.
    All rise linearly over the first 2 % of the steps, and at least 10.
    """
    step = np.arange(steps)
    done = (step + 0.5) / steps
    late = np.clip((done - (1 - DECAY)) / DECAY, 0, 1)
    shape = {
        "constant": np.ones(steps),
        "cosine": FLOOR + (1 - FLOOR) * (1 + np.cos(np.pi * done)) / 2,
        "wsd": FLOOR**late,
        "wsd_linear": 1 - late,
        "two_stage": np.where(done < 0.6, 1.0, 0.3),
    }[schedule]
    return shape * np.minimum(1, (step + 1) / max(10, round(WARM_UP * steps)))
