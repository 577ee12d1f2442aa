r"""Floating-point operations of a transformer, as the papers on scaling laws count them.

Training takes about $C = 6ND$ (Kaplan et al. 2020, section 2.1): two per parameter and token in the forward pass, four
in the backward pass; inference takes $2N$ a token. Which parameters N counts is a convention, and an exponent of
$N^* \propto C^a$ holds in its own convention only: leaving the head out of N and C is worth .13 of the exponent between
Kaplan et al. 2020 and Hoffmann et al. 2022 (Porian et al. 2024).

Every function is plain arithmetic on numbers, NumPy arrays or traced arrays alike. Products start with a float, so that
integer arrays do not overflow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FLOP_PER_PARAM_TOKEN = 6.0
"""Training: forward and backward."""
FORWARD_FLOP_PER_PARAM_TOKEN = 2.0
"""Inference: a multiplication and an addition."""
PETAFLOP_DAY = 8.64e19
"""FLOP in a petaflop-day, the unit of compute in Kaplan et al. 2020 and Henighan et al. 2020."""


def training_flops(N: Any, D: Any) -> Any:
    """C = 6ND: FLOP to train N parameters on D tokens."""
    return FLOP_PER_PARAM_TOKEN * N * D


def tokens_for(C: Any, N: Any) -> Any:
    """Tokens that C = 6ND FLOP train N parameters on."""
    return C / FLOP_PER_PARAM_TOKEN / N


def size_at(C: Any, ratio: Any) -> Any:
    """Parameters of the model that C = 6ND FLOP train on `ratio` tokens per parameter."""
    return (C / FLOP_PER_PARAM_TOKEN / ratio) ** 0.5


def inference_flops(N: Any, tokens: Any) -> Any:
    """2N a token: FLOP to run N parameters on `tokens` tokens."""
    return FORWARD_FLOP_PER_PARAM_TOKEN * N * tokens


def gated_width(width: Any, multiple: int = 256) -> Any:
    """d_ff of a gated feed-forward layer: 8/3 of an integer width, cut to an integer, up to the next `multiple`.

    Three matrices of this width hold about the weights of two of 4 d_model (open_lm, Llama).
    """
    return multiple * -(-(8 * width // 3) // multiple)


@dataclass(frozen=True)
class Transformer:
    """Shape of a decoder-only transformer, without biases and norms; entries broadcast.

    - `d_ff`: width of the feed-forward layer, of two matrices, or three where `gated`.
    - `vocabulary`: entries; `context`: tokens of a sequence.
    - `heads`; `d_attention`: heads times their key size (default: `width`).
    """

    width: Any
    depth: Any
    d_ff: Any
    vocabulary: Any = 0
    context: Any = 0
    heads: Any = 1
    d_attention: Any = None
    gated: bool = False

    @property
    def attention(self) -> Any:
        return self.width if self.d_attention is None else self.d_attention

    @property
    def in_layers(self) -> Any:
        """Weights of all layers: query, key, value and output projections, and the feed-forward matrices."""
        return 1.0 * self.depth * self.width * (4 * self.attention + (3 if self.gated else 2) * self.d_ff)

    @property
    def over_context(self) -> Any:
        """What attending over the whole context costs, as if it were weights: context times attention per layer."""
        return 1.0 * self.depth * self.context * self.attention


@dataclass(frozen=True)
class Convention:
    """What N counts: the layers' weights, `matrices` times the weights of a vocabulary matrix, attention as weights.

    Embeddings and head are one vocabulary matrix each, of vocabulary times width; only the head's costs FLOP.
    """

    name: str
    matrices: int
    attention: bool
    source: str

    def params(self, model: Transformer) -> Any:
        """N of a model."""
        N = model.in_layers + 1.0 * self.matrices * model.vocabulary * model.width
        return N + model.over_context if self.attention else N

    def flops_per_token(self, model: Transformer) -> Any:
        """Training FLOP per token, 6N."""
        return FLOP_PER_PARAM_TOKEN * self.params(model)


KAPLAN = Convention("kaplan", 0, False, "Kaplan et al. 2020, table 1: neither embeddings nor head")
STANDARD = Convention("standard", 1, False, "Hoffmann et al. 2022, Porian et al. 2024: one vocabulary matrix")
UNTIED = Convention("untied", 2, False, "McLeish et al. 2025: embeddings and head apart")
ATTENTION = Convention("attention", 1, True, "Porian et al. 2024: `standard`, and attention over the context")
CONVENTIONS: Mapping[str, Convention] = {c.name: c for c in (KAPLAN, STANDARD, UNTIED, ATTENTION)}


def kaplan_flops_per_token(model: Transformer) -> Any:
    """Three times a forward pass of 2N + 2 depth context attention, N by `KAPLAN` (Kaplan et al. 2020, table 1)."""
    return FLOP_PER_PARAM_TOKEN * (KAPLAN.params(model) + model.over_context)


def hoffmann_flops_per_token(model: Transformer, vocabulary: bool = True) -> Any:
    """Training FLOP per token by the count of Hoffmann et al. 2022, appendix F: every product of a layer.

    It takes the embedding for a dense product, and the backward pass for twice the forward one. The ratios to 6ND that
    the appendix prints for six models (table A4) come out to the last digit where the FLOP leave embedding and head out
    (`vocabulary=False`) while N holds one vocabulary matrix and a fifth projection, for relative positions. With both
    in, the count is 3 to 54 % higher.
    """
    projections = 8.0 * model.width * model.attention
    logits_and_reduction = 4.0 * model.context * model.attention
    softmax = 3.0 * model.heads * model.context
    feed_forward = (6.0 if model.gated else 4.0) * model.width * model.d_ff
    forward = model.depth * (projections + logits_and_reduction + softmax + feed_forward)
    if vocabulary:
        forward = forward + 4.0 * model.vocabulary * model.width
    return FLOP_PER_PARAM_TOKEN / FORWARD_FLOP_PER_PARAM_TOKEN * forward
