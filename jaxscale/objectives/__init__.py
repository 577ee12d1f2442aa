"""Floor 2: a law and runs become one penalty per run.

Residuals, robust shapes, likelihoods with a noise model. Knows the vocabulary of `core` and no law or study by name;
reduces nothing, so that weights, bootstrap, held-out scores and influence need no second path.
"""

from jaxscale.objectives.correlated import CorrelatedNoise
from jaxscale.objectives.likelihood import Likelihood, gaussian, huber_density, student_t
from jaxscale.objectives.model import Model
from jaxscale.objectives.noise import ConstantNoise, InputNoise
from jaxscale.objectives.objective import AbstractObjective
from jaxscale.objectives.parse import objective_from_name
from jaxscale.objectives.penalty import Penalty, least_squares, log_huber, log_lad, lower_envelope

__all__ = [
    "AbstractObjective",
    "ConstantNoise",
    "CorrelatedNoise",
    "InputNoise",
    "Likelihood",
    "Model",
    "Penalty",
    "gaussian",
    "huber_density",
    "least_squares",
    "log_huber",
    "log_lad",
    "lower_envelope",
    "objective_from_name",
    "student_t",
]
