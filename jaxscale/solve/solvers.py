"""Which solver: the default, one of ours, a transformation of optax, or one by its name on the command line."""

import dataclasses
from typing import Any

from jaxscale.core.errors import BadInput
from jaxscale.solve.batch import Solver
from jaxscale.solve.gauss_newton import GaussNewton

# Name, and what may follow after colons: this table is also the help text.
_NAMES = {"gauss-newton": ("max_steps",), "lbfgs": ("memory", "max_steps"), "adam": ("learning_rate", "max_steps")}
_WORDS = {"max_steps": "steps", "memory": "memory", "learning_rate": "rate"}


def solver_names() -> list[str]:
    """What `solver_from_name` understands."""
    return [":".join((name, *(_WORDS[f] for f in fields))) for name, fields in _NAMES.items()]


def as_solver(given: Any) -> Solver:
    """What `fit(solver=...)` takes, as a solver: None (Gauss-Newton), a solver, or a transformation of optax.

    Raises `BadInput` on anything else. A solver has checked its settings when it was made.
    """
    if given is None:
        return GaussNewton()
    if not hasattr(given, "advance") and callable(getattr(given, "init", None)) and hasattr(given, "update"):
        from jaxscale.solve.first_order import Optax  # seconds to import, which Gauss-Newton does not need

        return Optax(given)
    if isinstance(given, type) or not hasattr(given, "advance"):
        raise BadInput(
            f"solver: expected GaussNewton(), LBFGS(), Adam() or a transformation such as optax.adam(0.1), got "
            f"{given!r}; make one of these"
        )
    return given


def settings_of(solver: Solver) -> dict[str, Any]:
    """What a solver was told that text can hold; a transformation of optax is a closure and has no name."""
    own = {f.name: getattr(solver, f.name) for f in dataclasses.fields(solver)}  # pyright: ignore[reportArgumentType]
    return {name: value for name, value in own.items() if name != "transformation"}


def kept(solver: Solver) -> tuple[Solver, tuple[str, ...]]:
    """The solver that a file can keep, and what is to be said of it: a user's transformation is code and not kept."""
    if len(settings_of(solver)) == len(dataclasses.fields(solver)):  # pyright: ignore[reportArgumentType]
        return solver, ()
    return GaussNewton(rtol=solver.rtol), (
        "The fit was made by a transformation of optax, which a file cannot keep: refits of the saved fit are by "
        "Gauss-Newton.",
    )


def solver_from_name(text: str, max_steps: int | None = None) -> Solver:
    """`gauss-newton`, `lbfgs`, `adam:0.1:5000` (rate and steps). Raises `BadInput` on anything else.

    `max_steps` stands before those of the name and the solver's own.
    """
    name, *parts = text.split(":")
    if name not in _NAMES:
        raise BadInput(f"solver: expected one of {', '.join(solver_names())}, got {text!r}; write e.g. lbfgs")
    fields = _NAMES[name]
    if len(parts) > len(fields):
        form = next(form for form in solver_names() if form.startswith(name))
        raise BadInput(f"solver: expected {form}, got {text!r}; leave out what does not belong")
    settings = {field: _number(field, part, text) for field, part in zip(fields, parts, strict=False)}
    settings |= {} if max_steps is None else {"max_steps": max_steps}
    try:
        if name == "gauss-newton":
            return GaussNewton(**settings)
        from jaxscale.solve.first_order import LBFGS, Adam

        return (LBFGS if name == "lbfgs" else Adam)(**settings)
    except BadInput as error:
        raise BadInput(f"solver: {error}") from None


def _number(field: str, part: str, text: str) -> Any:
    try:
        return float(part) if field == "learning_rate" else int(part)
    except ValueError:
        kind, what = "a number" if field == "learning_rate" else "a whole number", _WORDS[field]
        raise BadInput(f"solver: expected {kind} for {what}, got {part!r} in {text!r}; write adam:0.1:5000") from None
