"""Objectives by the names used on the command line and in files."""

from collections.abc import Callable

from jaxscale.core.errors import BadInput
from jaxscale.objectives import likelihood, penalty
from jaxscale.objectives.correlated import CORRELATED, CorrelatedNoise
from jaxscale.objectives.noise import InputNoise
from jaxscale.objectives.objective import AbstractObjective

# Name, what may follow after colons, and the constructor: this table is also the help text.
_NAMES: dict[str, tuple[str, Callable[..., AbstractObjective]]] = {
    "log-huber": (":delta", penalty.log_huber),
    "log-lad": ("", penalty.log_lad),
    "log-squares": ("", penalty.least_squares),
    "raw-huber": (":delta", penalty.raw_huber),
    "raw-squares": ("", penalty.raw_least_squares),
    "lower-envelope": (":delta:above", penalty.lower_envelope),
    "gaussian": (":input...", likelihood.gaussian),
    "student-t": (":df:input...", likelihood.student_t),
    "huber-density": (":d:input...", likelihood.huber_density),
}


def objective_names() -> list[str]:
    """What `objective_from_name` understands."""
    return [name + form for name, (form, _) in _NAMES.items()]


def objective_from_name(text: str) -> AbstractObjective:
    """`log-huber:1e-3`, `log-lad`, `student-t:5:N` (noise growing with N). Raises `BadInput` on anything else."""
    name, *parts = text.split(":")
    if name not in _NAMES:
        raise BadInput(f"objective: expected one of {objective_names()}, got {text!r}")
    form, build = _NAMES[name]
    numbers = [_number(part, text) for part in parts if not part.isidentifier()]
    inputs = [part for part in parts if part.isidentifier()]
    allowed = form.count(":") - form.count("input")
    if len(numbers) > allowed or (inputs and "input" not in form):
        raise BadInput(f"objective: expected {name}{form}, got {text!r}; leave out what does not belong")
    try:
        noise = CorrelatedNoise() if inputs == [CORRELATED] else InputNoise(inputs)
        return build(*numbers, **({"noise": noise} if inputs else {}))
    except ValueError as error:
        raise BadInput(f"objective {text!r}: {error}") from None


def _number(part: str, text: str) -> float:
    try:
        return float(part)
    except ValueError:
        raise BadInput(f"objective: expected a number, got {part!r} in {text!r}; write e.g. log-huber:1e-3") from None
