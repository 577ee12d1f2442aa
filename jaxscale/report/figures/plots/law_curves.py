"""A law at a glance: its prediction along one input, without data."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from jaxscale.core.law import AbstractLaw, axis_lengths, class_signature, from_published, without_value
from jaxscale.core.quantities import Quantity
from jaxscale.report.figures.plots import style

_POINTS = 120
_SETS = 5
_LEVELS = (0.1, 0.5, 0.9)  # shares of the range of the second input


def law_curves(cls: type[AbstractLaw]) -> Figure:
    """The prediction along the first input, at three values of the second; the others stay in the middle.

    A law of one number shows its published sets instead, the first five that give all its parameters. A law of curves
    is shown along the steps, on the example of a schedule; a law of mixtures along the share of the first domain.
    """
    shape = class_signature(cls)
    ranges = {name: cls.domain.get(name, quantity.usual) for name, quantity in shape.inputs.items()}
    along = next((name for name, quantity in shape.inputs.items() if quantity.axes == shape.output.axes != ()), None)
    along = along or next(iter(shape.inputs))
    others = [name for name, quantity in shape.inputs.items() if name != along and not quantity.axes]
    middle = {
        name: np.asarray(quantity.example) if quantity.example else _between(quantity, ranges[name], np.array(0.5))
        for name, quantity in shape.inputs.items()
    }
    x = _between(shape.inputs[along], ranges[along], np.linspace(0, 1, _POINTS))
    if others:
        levels = [
            (other, _between(shape.inputs[other], ranges[other], np.array(u))) for other in others[:1] for u in _LEVELS
        ]
        curves = [(f"{other} = {float(value):.3g}", cls(), {**middle, other: value}) for other, value in levels]
    else:
        sets = ((name, from_published(cls, name), middle) for name in cls.published)
        complete = itertools.islice((one for one in sets if not without_value(one[1])), _SETS)
        curves = list(complete) or [("default", cls(), middle)]
    figure = style.figure(4.6, 3.1)
    ax = figure.subplots()
    for colour, (label, law, inputs) in zip(style.COLOURS, curves, strict=False):
        ax.plot(
            x, _along(law, along, x, inputs, shape.inputs[along].axes), color=colour, linewidth=1.8, label=_plain(label)
        )
    if shape.inputs[along].positive:
        ax.set_xscale("log")
    if shape.output.positive:
        ax.set_yscale("log")
    ax.set_xlabel(_label(along, shape.inputs[along]))
    ax.set_ylabel(_plain(shape.output.unit or "output"))
    style.plain(ax)
    style.legend(ax)
    return figure


def _between(quantity: Quantity, ends: tuple[float, float], u: np.ndarray) -> np.ndarray:
    low, high = ends
    return low * (high / low) ** u if quantity.positive else low + (high - low) * u


def _along(
    law: AbstractLaw, name: str, x: np.ndarray, inputs: dict[str, np.ndarray], axes: tuple[str, ...]
) -> np.ndarray:
    fixed = {key: jnp.asarray(value, float) for key, value in inputs.items() if key != name}
    if axes == ("step",):
        return np.asarray(law(**{name: jnp.asarray(x, float)}, **fixed))
    if axes == ("domain",):
        domains = axis_lengths(law)["domain"]
        x = np.concatenate([x[:, None], np.repeat((1 - x[:, None]) / (domains - 1), domains - 1, axis=1)], axis=1)
    return np.asarray(jax.vmap(lambda at: law(**{name: at}, **fixed))(jnp.asarray(x, float)))


def _label(name: str, quantity: Quantity) -> str:
    return _plain(f"{name} ({quantity.unit})" if quantity.unit else name)


def _plain(text: str) -> str:
    """Text that is no formula to matplotlib."""
    return text.replace("$", r"\$")
