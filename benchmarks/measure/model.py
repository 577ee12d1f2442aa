"""A byte-level decoder-only transformer: pre-norm, learned positions, heads of 16, ReLU of four times the width."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from benchmarks.measure.corpus import WINDOW

HEAD = 16
START = 256  # the symbol before a window's first byte: every byte of a window is predicted


class Block(eqx.Module):
    """Attention and a multilayer perceptron, each after a norm and added to the stream."""

    norms: Float[Array, "2 d"]
    qkv: Float[Array, "d 3d"]
    out: Float[Array, "d d"]
    up: Float[Array, "d 4d"]
    down: Float[Array, "4d d"]


class Transformer(eqx.Module):
    """Logits of each next byte. Matrices start at variance 1 / fan-in, what adds to the stream at that / 2 layers."""

    embedding: Float[Array, "257 d"]
    position: Float[Array, "64 d"]
    blocks: tuple[Block, ...]
    norm: Float[Array, " d"]
    head: Float[Array, "d 256"]

    @staticmethod
    def init(width: int, layers: int, key: Array) -> "Transformer":
        keys = iter(jax.random.split(key, 2 + 4 * layers))

        def matrix(rows: int, columns: int, gain: float = 1.0) -> Array:
            return jax.random.normal(next(keys), (rows, columns)) * (gain / rows**0.5)

        adds = (2 * layers) ** -0.5
        blocks = tuple(
            Block(
                jnp.ones((2, width)),
                matrix(width, 3 * width),
                matrix(width, width, adds),
                matrix(width, 4 * width),
                matrix(4 * width, width, adds),
            )
            for _ in range(layers)
        )
        # Unit-variance embeddings and a head of zeros: the first prediction is uniform at every width.
        embedding, position = (jax.random.normal(next(keys), (rows, width)) for rows in (257, WINDOW))
        return Transformer(embedding, position, blocks, jnp.ones(width), jnp.zeros((width, 256)))

    def __call__(self, tokens: Int[Array, "b t"]) -> Float[Array, "b t 256"]:
        before = jnp.pad(tokens[:, :-1], ((0, 0), (1, 0)), constant_values=START)
        x = self.embedding[before] + self.position[None]
        for block in self.blocks:
            x = x + _attend(block, _normed(x, block.norms[0]))
            x = x + jax.nn.relu(_normed(x, block.norms[1]) @ block.up) @ block.down
        return _normed(x, self.norm) @ self.head


def _normed(x: Array, gain: Array) -> Array:
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6) * gain[None, None]


def _attend(block: Block, x: Array) -> Array:
    b, t, d = x.shape
    q, k, v = jnp.moveaxis((x @ block.qkv).reshape(b, t, 3, d // HEAD, HEAD), (2, 3), (0, 2))  # each (b, h, t, c)
    scores = jnp.matmul(q, k.swapaxes(-1, -2)) / HEAD**0.5
    shares = jax.nn.softmax(jnp.where(jnp.tril(jnp.ones((1, 1, t, t), bool)), scores, -jnp.inf), axis=-1)
    return jnp.moveaxis(jnp.matmul(shares, v), 1, 2).reshape(b, t, d) @ block.out


def losses(model: Transformer, tokens: Int[Array, "b t"]) -> Float[Array, " b"]:
    """Mean cross-entropy of each window in nats per byte."""
    logits = model(tokens)
    chosen = jnp.take_along_axis(logits, tokens[..., None], axis=-1)[..., 0]
    return jnp.mean(jax.nn.logsumexp(logits, axis=-1) - chosen, axis=-1)
