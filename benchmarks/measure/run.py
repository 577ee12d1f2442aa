"""One run: from its settings to its record. The same settings on the same machine give the same record."""

import platform
import time
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from typing import Any, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from benchmarks.measure import corpus
from benchmarks.measure.corpus import WINDOW, Corpus
from benchmarks.measure.model import Transformer, losses
from benchmarks.measure.schedules import relative
from benchmarks.measure.settings import Settings, params

BASE_WIDTH = 32  # the width at which the peak learning rate is the matrices' own
WEIGHT_DECAY, CLIP, BETAS = 0.1, 1.0, (0.9, 0.95)
TOGETHER = 8  # windows that pass through the model at once
CHUNK = 128  # steps per call of the compiled loop
LIBRARIES = ("jax", "equinox", "optax", "numpy")
FINAL_WINDOWS, CURVE_WINDOWS = 2048, 256


def _scales(model: Transformer) -> Transformer:
    """Learning rate of each leaf over the peak: 1 for vectors and embeddings, 1 / width for matrices (muP, Adam)."""
    width = model.norm.shape[0]
    matrices = _matrices(model)
    return jax.tree.map(lambda matrix: BASE_WIDTH / width if matrix else 1.0, matrices)


def _matrices(model: Transformer) -> Any:
    """True for the leaves that multiply the stream; embeddings, positions and gains are not among them."""
    flat = jax.tree.map(lambda _: False, model)
    return eqx.tree_at(
        lambda m: (m.head, *(w for b in m.blocks for w in (b.qkv, b.out, b.up, b.down))),
        flat,
        replace_fn=lambda _: True,
    )


def _optimiser(model: Transformer) -> optax.GradientTransformation:
    return optax.chain(
        optax.clip_by_global_norm(CLIP),
        optax.scale_by_adam(*BETAS),
        optax.add_decayed_weights(WEIGHT_DECAY, mask=_matrices(model)),
    )


@eqx.filter_jit(donate="all-except-first")
def _advance(fixed: tuple[Array, Array, Array], state: tuple[Transformer, Any]) -> tuple[Transformer, Any]:
    """The first `count` of the chunk's steps: tokens (c, b, t), learning rates (c,)."""
    tokens, rates, count = fixed

    def slope(model: Transformer, windows: Array) -> Transformer:
        return jax.grad(lambda m: jnp.mean(losses(m, windows.astype(jnp.int32))))(model)

    def step(i: Array, state: tuple[Transformer, Any]) -> tuple[Transformer, Any]:
        model, moments = state
        # A few windows at a time stay in a core's cache: up to twice as fast as the whole batch at once.
        parts = tokens[i].reshape(-1, min(tokens.shape[1], TOGETHER), WINDOW)
        zero = jax.tree.map(jnp.zeros_like, model)
        total, _ = jax.lax.scan(lambda t, w: (jax.tree.map(jnp.add, t, slope(model, w)), None), zero, parts)
        gradient = jax.tree.map(lambda g: g / len(parts), total)
        updates, moments = _optimiser(model).update(gradient, moments, model)
        model = jax.tree.map(lambda p, u, s: p - rates[i] * s * u, model, updates, _scales(model))
        return model, moments

    return jax.lax.fori_loop(0, count, step, state)


@eqx.filter_jit
def _judge(model: Transformer, windows: Array) -> Array:
    """Loss of each window (k, b, t) -> (k, b), in nats per byte."""
    return jax.lax.map(lambda w: losses(model, w.astype(jnp.int32)), windows)


@cache
def _held_out(name: Corpus, count: int) -> Array:
    """A fixed random choice of held-out windows (k, 64, t): the same for every run."""
    all_windows = corpus.windows(name, "held_out")
    chosen = np.random.default_rng(7).permutation(len(all_windows))[:count]
    return jnp.asarray(all_windows[chosen].reshape(-1, TOGETHER, WINDOW))


def held_out_loss(model: Transformer, name: Corpus, count: int) -> np.ndarray:
    """Loss of each held-out window (count,), in nats per byte, float64."""
    return np.asarray(_judge(model, _held_out(name, count)), np.float64).reshape(-1)


def _order(settings: Settings, name: Corpus, uses: int) -> np.ndarray:
    """Windows (uses, 64) in the order of their use: each unique window once per epoch, newly shuffled."""
    unique = min(settings.unique_tokens // WINDOW or uses, uses)
    have = corpus.windows(name, "train", unique if name == "zipf" else 0)
    if unique > len(have):
        raise ValueError(
            f"{unique * WINDOW} unique tokens asked of {name}, which has {len(have) * WINDOW}; set unique_tokens"
        )
    draw = np.random.default_rng([11, settings.seed])
    chosen = draw.permutation(len(have))[:unique]
    epochs = -(-uses // unique)
    return have[np.concatenate([chosen if e == 0 else draw.permutation(chosen) for e in range(epochs)])[:uses]]


def _batches(settings: Settings) -> np.ndarray:
    """All training windows in their order (steps, b, t), uint8."""
    count = settings.tokens // WINDOW
    first = np.random.default_rng([13, settings.seed]).random(count) < settings.weight
    out = np.empty((count, WINDOW), np.uint8)
    for name, mine in (("stdlib", first), ("zipf", ~first)):
        if mine.any():
            out[mine] = _order(settings, name, int(mine.sum()))
    return out.reshape(settings.steps, -1, WINDOW)


def run(settings: Settings) -> dict[str, Any]:
    """Train and judge: one JSON-ready record with settings, sizes, FLOPs, losses, seconds and versions."""
    model = Transformer.init(settings.width, settings.layers, jax.random.key(settings.seed))
    state = (model, _optimiser(model).init(eqx.filter(model, eqx.is_array)))
    batches = _batches(settings)
    rates = (settings.peak_lr * relative(settings.schedule, settings.steps)).astype(np.float32)
    shares = zip(get_args(Corpus), (settings.weight, 1 - settings.weight), strict=True)
    names: list[Corpus] = [name for name, share in shares if share]

    def advance(state: Any, first: int, last: int) -> Any:
        tokens, rate = np.zeros((CHUNK, *batches.shape[1:]), np.uint8), np.zeros(CHUNK, np.float32)
        tokens[: last - first], rate[: last - first] = batches[first:last], rates[first:last]
        return _advance((jnp.asarray(tokens), jnp.asarray(rate), jnp.asarray(last - first, jnp.int32)), state)

    state = jax.block_until_ready(advance(state, 0, 0))  # compiles, and changes nothing
    # Curve points are spaced evenly in the square root of the step: denser early, where the loss falls fastest.
    marks = np.unique(np.ceil(np.linspace(0, 1, settings.curve_points + 1)[1:] ** 2 * settings.steps).astype(int))
    curve, seconds, at = [], 0.0, 0
    for mark in marks:
        began = time.process_time()
        while at < mark:
            state, at = advance(state, at, min(at + CHUNK, mark)), min(at + CHUNK, mark)
        state = jax.block_until_ready(state)
        seconds += time.process_time() - began
        judged = {name: float(held_out_loss(state[0], name, CURVE_WINDOWS).mean()) for name in names}
        curve.append({"step": int(mark), **judged})
    final = {name: held_out_loss(state[0], name, FINAL_WINDOWS) for name in names}
    inside = params(settings.width, settings.layers)["non_embedding"]
    return {
        "settings": asdict(settings),
        "steps": settings.steps,
        "params_non_embedding": inside,
        "params": settings.params,
        "flops": settings.flops,
        "flops_6nd": 6 * inside * settings.tokens,
        **{f"loss_{name}": float(each.mean()) for name, each in final.items()},
        **{f"loss_{name}_se": float(each.std(ddof=1) / len(each) ** 0.5) for name, each in final.items()},
        "curve": curve,
        "core_seconds": round(seconds, 3),
        "corpus": {name: corpus.fingerprint(name) for name in names},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
    }
