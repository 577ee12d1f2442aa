"""The settings of a run, its sizes and FLOPs."""

from dataclasses import dataclass

from benchmarks.measure.corpus import WINDOW
from benchmarks.measure.schedules import Schedule


@dataclass(frozen=True)
class Settings:
    """All that determines a run. Tokens are bytes; `weight` is the stdlib corpus's share of the windows."""

    weight: float
    width: int
    layers: int
    tokens: int
    batch_tokens: int
    peak_lr: float
    schedule: Schedule = "cosine"
    seed: int = 0
    unique_tokens: int = 0  # 0: every token is new
    curve_points: int = 16

    def __post_init__(self) -> None:
        if self.tokens % self.batch_tokens or self.batch_tokens % WINDOW:
            raise ValueError(
                f"expected tokens as whole batches and batches as whole windows of {WINDOW}, got {self.tokens} tokens "
                f"in batches of {self.batch_tokens}; choose multiples"
            )

    @property
    def steps(self) -> int:
        return self.tokens // self.batch_tokens

    @property
    def flops(self) -> int:
        """Exact training FLOPs of the matrix products."""
        return flops_per_token(self.width, self.layers) * self.tokens

    @property
    def params(self) -> int:
        """All parameters, embeddings and output matrix included."""
        return sum(params(self.width, self.layers).values())


def params(width: int, layers: int) -> dict[str, int]:
    """Parameters by kind: in blocks and norms, in the input embeddings, in the output matrix."""
    inside = layers * (12 * width**2 + 2 * width) + width
    return {"non_embedding": inside, "embedding": (257 + WINDOW) * width, "head": 256 * width}


def flops_per_token(width: int, layers: int) -> int:
    """Exact FLOPs of the matrix products of one training step per token: forward and twice that backward.

    Attention is counted over the whole window, as computed; look-ups, norms and softmax are not counted.
    """
    forward = layers * (24 * width**2 + 4 * WINDOW * width) + 2 * 256 * width
    return 3 * forward
