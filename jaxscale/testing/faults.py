"""Tables with a fault that reading or fitting must not pass over: what happens to a table on its way here."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from jaxscale.core.flops import training_flops
from jaxscale.testing.tables import Drawn, Generator, Measured, losses, measured, written


def wrong(fault: str, seed: int, runs: int | None = None) -> Drawn:
    """A table with one of `FAULTS`."""
    rng = np.random.default_rng([seed, 2, list(FAULTS).index(fault)])
    return replace(FAULTS[fault](rng, runs), fault=fault)


_LARGE = ("ladder", "grid", "isoflop", "cloud")


def _large(rng: Generator, runs: int | None, noise: float = 0.01) -> Measured:
    return measured(rng, runs or int(rng.integers(16, 48)), str(rng.choice(_LARGE)), noise)


def _plain(m: Measured, rng: Generator) -> Drawn:
    return written(replace(m, unit=str(rng.choice(["nats", ""]))), rng, plain=True)


def _params_in_millions(rng: Generator, runs: int | None) -> Drawn:
    m = _large(rng, runs)
    return _plain(replace(m, N=m.N * max(1.0, 1.2e9 / m.N.max()) / 1e6), rng)  # the largest is a billion


def _in_thousands(rng: Generator, runs: int | None) -> Drawn:
    m = _large(rng, runs)
    return _plain(replace(m, N=m.N / 1e3) if rng.uniform() < 0.5 else replace(m, D=m.D / 1e3), rng)


def _half_in_another_unit(rng: Generator, runs: int | None) -> Drawn:
    m = _large(rng, runs)
    half = rng.permutation(len(m.N)) < len(m.N) // 2
    scale = float(rng.choice([1e3, 1e6, 1e9]))
    if rng.uniform() < 0.5:
        return _plain(replace(m, N=np.where(half, m.N / min(scale, 1e6), m.N)), rng)
    return _plain(replace(m, D=np.where(half, m.D / scale, m.D)), rng)


def _swapped(rng: Generator, runs: int | None) -> Drawn:
    m = _large(rng, runs)
    return _plain(replace(m, N=m.D, D=m.N, C=training_flops(m.N, m.D) if rng.uniform() < 0.5 else None), rng)


def _perplexity(rng: Generator, runs: int | None) -> Drawn:
    m = _large(rng, runs)
    return written(replace(m, loss=np.exp(m.loss), unit=""), rng, plain=True)


def _bits_as_nats(rng: Generator, runs: int | None) -> Drawn:
    m = _large(rng, runs)
    return _plain(replace(m, loss=m.loss / np.log(2)), rng)


def _log10(rng: Generator, runs: int | None) -> Drawn:
    m = _large(rng, runs)
    return _plain(replace(m, loss=np.log10(m.loss)), rng)


def _percent(rng: Generator, runs: int | None) -> Drawn:
    m = _large(rng, runs)
    return written(replace(m, loss=100 * m.loss / rng.choice([1.0, 8.0]), unit=""), rng, plain=True)


def _constant(rng: Generator, runs: int | None) -> Drawn:
    m = _large(rng, runs)
    return _plain(replace(m, loss=np.full(len(m.N), float(np.round(m.loss[0], 3)))), rng)


def _rows_off(rng: Generator, runs: int | None) -> Drawn:
    m = _large(rng, runs, 0.005)
    rows = rng.permutation(len(m.N))[: int(rng.integers(1, 3))]
    name = str(rng.choice(["N", "D", "loss"]))
    column = np.array(getattr(m, name), np.float64)
    column[rows] = 1e308 if rng.uniform() < 0.25 else column[rows] * float(rng.choice([0.1, 10.0]))
    return _plain(replace(m, **{name: column}), rng)


def _two_tokenisers(rng: Generator, runs: int | None) -> Drawn:
    m = _large(rng, runs, 0.01)
    half = rng.permutation(len(m.N)) < len(m.N) // 2
    return _plain(replace(m, loss=np.where(half, m.loss * rng.uniform(1.1, 1.35), m.loss)), rng)


def _checkpoints(rng: Generator, _: int | None) -> Drawn:
    each = 9
    N = np.round(np.geomspace(10 ** rng.uniform(7, 8), 10 ** rng.uniform(8.5, 9.3), 4))
    step = rng.choice([np.sqrt(2), 2.0, 0.0])
    grown = step ** np.arange(each) if step else 1.0 + np.arange(each)
    D = (
        np.round(rng.uniform(5, 20) * N[:, None] * grown).reshape(-1)
        if rng.uniform() < 0.5
        else np.round(np.broadcast_to(rng.uniform(1e9, 4e9) * grown, (4, each))).reshape(-1)
    )
    N = np.repeat(N, each)
    loss = losses(rng, N, D, False, 0.002) * np.exp(0.006 * np.repeat(rng.standard_normal(4), each))
    return _plain(Measured(N, D, loss), rng)


FAULTS: dict[str, Callable[[Generator, int | None], Drawn]] = {
    "parameters in millions": _params_in_millions,
    "counts in thousands": _in_thousands,
    "half of the rows in another unit": _half_in_another_unit,
    "N and D swapped": _swapped,
    "perplexity without a unit": _perplexity,
    "bits stated as nats": _bits_as_nats,
    "log10 of the loss": _log10,
    "percent": _percent,
    "a constant loss": _constant,
    "rows off": _rows_off,
    "two tokenisers": _two_tokenisers,
    "checkpoints of four runs": _checkpoints,
}
