"""Quantities: what a number means and in which unit, written once as a type alias.

An annotation such as `N: Params` gives a law's input its meaning, its unit and its shape (one run: a
scalar). Laws compute in the units named here; `studies` converts tables to them.
"""

from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from jaxtyping import Array, Float, Int


@dataclass(frozen=True)
class Quantity:
    """Meaning and unit of a number: `Quantity("tokens", "training tokens")`."""

    unit: str
    doc: str
    positive: bool = True


PURE = Quantity("", "a pure number", positive=False)
PARAMS = Quantity("params", "parameters of a model")
TOKENS = Quantity("tokens", "training tokens")
UNIQUE_TOKENS = Quantity("tokens", "unique training tokens, counted once however often they are seen")
FLOPS = Quantity("FLOP", "floating-point operations of a training run")
NATS = Quantity("nats", "cross-entropy loss in nats per token")
STEPS = Quantity("steps", "optimiser steps")
RATIO = Quantity("tokens/param", "training tokens per parameter")
SAMPLES = Quantity("samples", "training examples, in the data set's own unit")
ERROR = Quantity("error", "generalisation error, in the task's own unit")
GROUP = Quantity("index", "index of the data set", positive=False)

Pure = Annotated[Float[Array, ""], PURE]
Params = Annotated[Float[Array, ""], PARAMS]
Tokens = Annotated[Float[Array, ""], TOKENS]
UniqueTokens = Annotated[Float[Array, ""], UNIQUE_TOKENS]
Flops = Annotated[Float[Array, ""], FLOPS]
Nats = Annotated[Float[Array, ""], NATS]
Steps = Annotated[Float[Array, ""], STEPS]
Ratio = Annotated[Float[Array, ""], RATIO]
Samples = Annotated[Float[Array, ""], SAMPLES]
Error = Annotated[Float[Array, ""], ERROR]
Group = Annotated[Int[Array, ""], GROUP]


def quantity_of(annotation: Any) -> Quantity:
    """The `Quantity` inside an annotation. Raises `TypeError` where there is none."""
    if get_origin(annotation) is Annotated:
        for extra in get_args(annotation)[1:]:
            if isinstance(extra, Quantity):
                return extra
    raise TypeError(
        f"expected an annotation with a unit such as q.Params, got {annotation!r}; "
        "annotate with an alias from jaxscale.core.quantities or Annotated[..., Quantity(...)]"
    )
