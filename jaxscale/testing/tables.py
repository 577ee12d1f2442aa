"""Tables of runs as people bring them, each drawn from a seed; `faults` has those with something wrong.

A table is a truth of Chinchilla's form, a design (ladder, grid, IsoFLOP, cloud, overtrained, pocket), a noise, and a
way to write it down.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jaxscale.core.flops import size_at, tokens_for

type Generator = np.random.Generator

_BYTES = 0.23  # tokens per byte, where a loss is written per byte


@dataclass(frozen=True)
class Drawn:
    """A table, the mapping that its owner would write, the options, and what is wrong with it (empty: nothing)."""

    table: dict[str, Any]
    mapping: dict[str, str] | None
    options: dict[str, Any] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True)
class Measured:
    """Runs before they are written down; `loss` in `unit` (empty: not to be stated), `C` where it is kept too."""

    N: np.ndarray
    D: np.ndarray
    loss: np.ndarray
    unit: str = "nats"
    C: np.ndarray | None = None


def right(seed: int, runs: int | None = None) -> Drawn:
    """A table without a fault; `runs` fixes the number of its rows, about (a grid is whole)."""
    rng = np.random.default_rng([seed, 1])
    return written(measured(rng, runs), rng)


def measured(rng: Generator, runs: int | None, kind: str | None = None, noise: float = 0.02) -> Measured:
    """Runs of one design, drawn where `kind` is None; noise of .1 % to `noise`."""
    kind = kind or str(rng.choice(["ladder", "grid", "isoflop", "cloud", "overtrained", "pocket"]))
    n = runs or int(np.exp(rng.uniform(np.log(8), np.log(60))))
    N, D = _DESIGNS[kind](rng, n)
    return Measured(N, D, losses(rng, N, D, kind == "pocket", noise))


def losses(rng: Generator, N: np.ndarray, D: np.ndarray, pocket: bool, noise: float) -> np.ndarray:
    """Of a truth that puts them between 1.5 and 8 nats, with noise of .1 % to `noise`, Gaussian or Student-t."""
    while True:
        E = rng.uniform(1.3, 1.5) if pocket else rng.uniform(1.5, 2.2)
        alpha, beta = rng.uniform(0.25, 0.42, 2)
        # What size and data cost at a usual run; those of pocket models are of bytes.
        at, cost = ((3e5, 3e6), rng.uniform(0.15, 0.4, 2)) if pocket else ((1e9, 2e10), rng.uniform(0.2, 0.5, 2))
        loss = E + cost[0] * (N / at[0]) ** -alpha + cost[1] * (D / at[1]) ** -beta
        if loss.min() >= 1.5 and loss.max() <= 8:
            break
    scale = np.exp(rng.uniform(np.log(0.001), np.log(noise)))
    heavy = rng.uniform() < 0.5
    t = rng.standard_t(4, len(N)) / np.sqrt(2) if heavy else rng.standard_normal(len(N))
    return loss * np.exp(scale * t)


def _jittered(rng: Generator, x: np.ndarray) -> np.ndarray:
    return np.round(x * np.exp(rng.uniform(-0.1, 0.1, x.size)))


def _ladder(rng: Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    low = rng.uniform(7, 8.3)
    N = np.geomspace(10**low, 10 ** (low + rng.uniform(1.2, 2.7)), n)
    return _jittered(rng, N), _jittered(rng, N * rng.choice([5.0, 10.0, 20.0, 40.0, 100.0], n))


def _grid(rng: Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    sizes = max(3, round(np.sqrt(n) * rng.uniform(0.8, 1.5)))
    low = rng.uniform(7, 8.5)
    N = np.round(np.geomspace(10**low, 10 ** (low + rng.uniform(1, 2.3)), sizes))
    amounts = max(2, n // sizes)
    if rng.uniform() < 0.5:
        ratio = rng.uniform(1, 20) * rng.choice([2.0, 3.0, 4.0]) ** np.arange(min(amounts, 5))
        N, ratio = (x.reshape(-1) for x in np.meshgrid(N, ratio, indexing="ij"))
        return N, np.round(N * ratio)
    D = np.round(np.geomspace(20 * N[0], 30 * N[-1], amounts))
    N, D = (x.reshape(-1) for x in np.meshgrid(N, D, indexing="ij"))
    return N, D


def _isoflop(rng: Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    budgets = max(2, n // 7)
    C = np.geomspace(10 ** rng.uniform(17.5, 18.5), 10 ** rng.uniform(19.5, 21.5), budgets)
    C = np.repeat(C, max(3, n // budgets))
    best = size_at(C, 20)
    N = np.round(best * np.exp(rng.uniform(-1.3, 1.3, C.size)))
    return N, np.round(tokens_for(C, N))


def _cloud(rng: Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    N = np.round(10 ** rng.uniform(7, 10.5, n))
    return N, np.round(N * 10 ** rng.uniform(0, 3, n))


def _overtrained(rng: Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    N = np.round(10 ** rng.uniform(6.8, 9, n))
    return N, np.round(N * 10 ** rng.uniform(1.3, 3.3, n))


def _pocket(rng: Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    N = np.round(10 ** rng.uniform(5, 6.7, n))
    return N, np.round(N * 10 ** rng.uniform(0, 2.7, n))


_DESIGNS: dict[str, Callable[[Generator, int], tuple[np.ndarray, np.ndarray]]] = {
    "ladder": _ladder,
    "grid": _grid,
    "isoflop": _isoflop,
    "cloud": _cloud,
    "overtrained": _overtrained,
    "pocket": _pocket,
}


def written(m: Measured, rng: Generator, *, plain: bool = False) -> Drawn:
    """As somebody keeps it: symbols, known names, scaled columns or suffixes, and a unit of the loss or none.

    `plain` keeps to counts without a unit, which is where faults pass.
    """
    style = "symbols" if plain else str(rng.choice(["symbols", "names", "scaled", "suffixes"]))
    stated = "" if m.unit == "" else f"[{m.unit}]"
    options: dict[str, Any] = {}
    loss = m.loss
    if not plain and rng.uniform() < 0.5:
        stated = str(rng.choice(["[nats]", "[bits]", "[bpb]", "[ppl]"]))
        if stated == "[bpb]":
            options["tokens_per_byte"] = _BYTES
        loss = {
            "[nats]": loss,
            "[bits]": loss / np.log(2),
            "[bpb]": loss * _BYTES / np.log(2),
            "[ppl]": np.exp(loss),
        }[stated]
    elif not plain and rng.uniform() < 0.5:
        stated = ""
    C = {} if m.C is None else {"C": m.C}
    if style == "names":
        return Drawn(
            {"params": m.N, "tokens": m.D, "val_loss": loss},
            None if stated == "" else {"N": "params", "D": "tokens", "loss": f"val_loss{stated}"},
            options,
        )
    if style == "scaled":
        table = {"size": m.N / 1e6, "data": m.D / 1e9, "loss": loss}
        return Drawn(table, {"N": "size[M]", "D": "data[B]", "loss": f"loss{stated}"}, options)
    if style == "suffixes":
        table = {"N": [_suffixed(x) for x in m.N], "D": [_suffixed(x) for x in m.D], "loss": loss}
        return Drawn(table, {"N": "N", "D": "D", "loss": f"loss{stated}"}, options)
    mapping = {"N": "N", "D": "D", **({"C": "C"} if C else {}), "loss": f"loss{stated}"}
    return Drawn({"N": m.N, "D": m.D, **C, "loss": loss}, mapping, options)


def _suffixed(x: float) -> str:
    scale, letter = next((s, c) for s, c in ((1e9, "B"), (1e6, "M"), (1e3, "K"), (1.0, "")) if x >= s or s == 1.0)
    return f"{x / scale:.5g}{letter}"
