"""Quantities: what a number means and in which unit, written once as a type alias.

An annotation such as `N: Params` gives a law's input its meaning, its unit and its axes: of one run most are a
number, a mixture has an axis of domains, a loss curve one of steps. Laws compute in the units named here; `studies`
converts tables to them.
"""

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, get_args, get_origin

from jaxtyping import Array, Float, Int

type Range = tuple[float, float]


@dataclass(frozen=True)
class Quantity:
    """Meaning and unit of a number: `Quantity("tokens", "training tokens")`.

    `domain` is where an input of this kind can lie: laws are checked all over it. `typical` is where the runs of
    one study lie (default: the domain): laws get their parameters back from runs drawn there. A law that is stated
    for less says so in its own `domain`. Ranges are even in the logarithm, and in the number itself where
    `positive` is False. `nothing` admits zero beside them: the baseline of a quantity that is positive otherwise, such
    as no datastore. `size` is what a usual loss of this kind is: the priors of laws that predict it are stated for
    losses of that size, and move with the size of the runs' own. `axes` are the names of the axes that it has in one
    run, read from the annotation: a loss and a curve of losses are the same kind of number. `example` is one entry of
    a quantity that is no number, as nested tuples.
    """

    unit: str
    doc: str
    positive: bool = True
    domain: Range | None = None
    typical: Range | None = None
    nothing: bool = False
    size: float | None = None
    axes: tuple[str, ...] = field(default=(), compare=False)
    example: Any = field(default=None, compare=False)

    @property
    def signed(self) -> bool:
        """Whether it takes negative values."""
        return not self.positive and self.widest[0] < 0

    def refuses(self, values: Any) -> Any:
        """Elementwise, whether a value is too low for this quantity."""
        return values <= 0 if self.positive and not self.nothing else (values < 0) & (not self.signed)

    @property
    def widest(self) -> Range:
        return self.domain or ((1e-6, 1e6) if self.positive else (-3.0, 3.0))

    @property
    def usual(self) -> Range:
        return self.typical or self.widest


PURE = Quantity("", "a pure number", positive=False)
FRACTION = Quantity("", "a share of a whole", positive=False, domain=(0.0, 1.0), typical=(0.05, 0.95))
PARAMS = Quantity("params", "parameters of a model", domain=(1e6, 1e13), typical=(1e7, 1e10))
TOKENS = Quantity("tokens", "training tokens", domain=(1e8, 1e14), typical=(1e9, 1e12))
UNIQUE_TOKENS = Quantity(
    "tokens",
    "unique training tokens, counted once however often they are seen",
    domain=(1e8, 1e14),
    typical=(1e9, 1e12),
)
BATCH = Quantity("tokens", "tokens in one optimiser step", domain=(1e2, 1e9), typical=(1e4, 1e7))
FLOPS = Quantity("FLOP", "floating-point operations of a training run", domain=(1e15, 1e27), typical=(1e18, 1e23))
LEARNING_RATE = Quantity("", "peak learning rate", domain=(1e-6, 1.0), typical=(1e-4, 1e-2))
NATS = Quantity("nats", "cross-entropy loss in nats per token", size=3.0)
BITS_PER_CHARACTER = Quantity("bits/character", "cross-entropy loss in bits per character", size=0.6)
NATS_UNIGRAM = Quantity(
    "nats-unigram", "cross-entropy minus that of a unigram model, in nats per token: negative", positive=False, size=3.0
)
STEPS = Quantity("steps", "optimiser steps", domain=(1e2, 1e7), typical=(1e3, 1e6))
RATIO = Quantity("tokens/param", "training tokens per parameter", domain=(1e-1, 1e4), typical=(2.0, 600.0))
SAMPLES = Quantity("samples", "training examples, in the data set's own unit", domain=(1e2, 1e13), typical=(1e4, 1e9))
EPOCHS = Quantity("epochs", "passes over the same data", domain=(1.0, 1e3), typical=(1.0, 60.0))
CHARACTERS = Quantity("characters", "training characters", domain=(1e8, 1e15), typical=(1e9, 1e12))
ENTRIES = Quantity("entries", "entries of a vocabulary", domain=(1e3, 2e5), typical=(4e3, 1e5))
WIDTH = Quantity("width", "width of a model (d_model)", domain=(32.0, 65536.0), typical=(256.0, 4096.0))
DEPTH = Quantity("layers", "number of layers", domain=(1.0, 512.0), typical=(3.0, 80.0))
ASPECT = Quantity("width/layer", "width over number of layers", domain=(1.0, 1e3), typical=(4.0, 400.0))
EXPERTS = Quantity(
    "experts", "experts of a routed layer; one is a dense model", domain=(1.0, 4096.0), typical=(1.0, 512.0)
)
REPLICAS = Quantity(
    "replicas", "replicas trained apart between synchronisations", domain=(1.0, 64.0), typical=(1.0, 8.0)
)
STREAMS = Quantity("streams", "parallel streams through the same weights", domain=(1.0, 64.0), typical=(1.0, 8.0))
BITS = Quantity("bits", "bits of one number", domain=(1.0, 32.0), typical=(2.0, 16.0))
SECONDS = Quantity("s", "wall-clock time", domain=(1e-3, 1e9), typical=(1e3, 1e6))
SCORE = Quantity("score", "a score between nothing and one", domain=(1e-6, 1.0))
ERROR = Quantity("error", "generalisation error, in the task's own unit", size=0.3)
MIXTURE = Quantity(
    "shares", "shares of the domains in the training data; they sum to one", positive=False, domain=(0, 1)
)
SCHEDULE = Quantity(
    "segments",
    "learning-rate schedule by segments of steps, start, end and kind: see core.schedule",
    positive=False,
    domain=(1e-5, 1e-3),
    example=((5e3, 0.0, 3e-4, 0), (1.5e5, 3e-4, 3e-4, 1), (5e4, 3e-4, 3e-5, 1)),  # warm-up, constant, a straight fall
)
GROUP = Quantity("index", "index of the data set", positive=False)

Pure = Annotated[Float[Array, ""], PURE]
Fraction = Annotated[Float[Array, ""], FRACTION]
Params = Annotated[Float[Array, ""], PARAMS]
Tokens = Annotated[Float[Array, ""], TOKENS]
UniqueTokens = Annotated[Float[Array, ""], UNIQUE_TOKENS]
Batch = Annotated[Float[Array, ""], BATCH]
Flops = Annotated[Float[Array, ""], FLOPS]
LearningRate = Annotated[Float[Array, ""], LEARNING_RATE]
Nats = Annotated[Float[Array, ""], NATS]
BitsPerCharacter = Annotated[Float[Array, ""], BITS_PER_CHARACTER]
NatsUnigram = Annotated[Float[Array, ""], NATS_UNIGRAM]
Steps = Annotated[Float[Array, ""], STEPS]
Ratio = Annotated[Float[Array, ""], RATIO]
Samples = Annotated[Float[Array, ""], SAMPLES]
Epochs = Annotated[Float[Array, ""], EPOCHS]
Characters = Annotated[Float[Array, ""], CHARACTERS]
Entries = Annotated[Float[Array, ""], ENTRIES]
Width = Annotated[Float[Array, ""], WIDTH]
Depth = Annotated[Float[Array, ""], DEPTH]
Aspect = Annotated[Float[Array, ""], ASPECT]
Experts = Annotated[Float[Array, ""], EXPERTS]
Replicas = Annotated[Float[Array, ""], REPLICAS]
Streams = Annotated[Float[Array, ""], STREAMS]
Bits = Annotated[Float[Array, ""], BITS]
Seconds = Annotated[Float[Array, ""], SECONDS]
Score = Annotated[Float[Array, ""], SCORE]
Error = Annotated[Float[Array, ""], ERROR]
Mixture = Annotated[Float[Array, "domain"], MIXTURE]
Schedule = Annotated[Float[Array, "segment field"], SCHEDULE]
CurveSteps = Annotated[Float[Array, "step"], STEPS]
LossCurve = Annotated[Float[Array, "step"], NATS]
Group = Annotated[Int[Array, ""], GROUP]


def quantity_of(annotation: Any) -> Quantity:
    """The `Quantity` inside an annotation, with its axes. Raises `TypeError` where there is none."""
    if get_origin(annotation) is Annotated:
        kind, *extras = get_args(annotation)
        for extra in extras:
            if isinstance(extra, Quantity):
                axes = tuple(getattr(kind, "dim_str", "").split())
                return replace(extra, axes=axes) if axes else extra
    raise TypeError(
        f"expected an annotation with a unit such as q.Params, got {annotation!r}; "
        "annotate with an alias from jaxscale.core.quantities or Annotated[..., Quantity(...)]"
    )
