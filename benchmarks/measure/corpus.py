"""The two corpora: source files that every Python brings along, and a source whose entropy is known.

**stdlib**: the standard library's own `.py` files of the interpreter in use (tests included, installed packages not),
in the order of their paths. A file belongs to the held-out part when the SHA-256 of its relative path says so (one in
ten): near-copies of one file may still lie on both sides, as in any corpus of code. Nothing of it is stored.

**zipf**: independent records of four bytes, a key and a value. The key is one of 65,536, the r-th most frequent with
probability proportional to r^-1.4, spelled in two bytes by a fixed permutation; each of the two value bytes is a fixed
function of the key with probability 0.9, else uniform. To predict it is to learn facts, the frequent ones first: a
model that holds n facts misses the tail's mass, about n^-0.4, and n facts have been seen after n^1.4 records, so theory
(Hutter 2021, "Learning curve theory"; Michaud et al. 2023, "The quantization model of neural scaling", section 3)
expects alpha 0.4 if parameters bound the facts and beta 0.4 / 1.4 = 0.29 if data do. Records are independent and
windows start on one, so no model can do better than the record's entropy, in closed form: `zipf_entropy()`.
"""

import hashlib
import sysconfig
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

WINDOW = 64  # tokens a model sees; a multiple of a record's length
RECORD = 4
KEYS, EXPONENT, RIGHT = 65536, 1.4, 0.9
HELD_OUT_ZIPF = 1 << 20  # bytes

Corpus = Literal["stdlib", "zipf"]
Part = Literal["train", "held_out"]


def held_out(name: str) -> bool:
    """Whether the file of this relative path (with forward slashes) is held out."""
    return hashlib.sha256(name.encode()).digest()[0] < 26  # 26 of 256


@cache
def stdlib(part: Part) -> np.ndarray:
    """All bytes of one part, files after one another in the order of their paths."""
    root = Path(sysconfig.get_paths()["stdlib"])
    names = sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if not {"site-packages", "dist-packages"} & set(path.relative_to(root).parts)
    )
    chosen = [name for name in names if held_out(name) == (part == "held_out")]
    return np.frombuffer(b"".join((root / name).read_bytes() for name in chosen), np.uint8)


def key_probabilities() -> np.ndarray:
    """Probability of the keys (65536,), the most frequent first; sums to one."""
    mass = np.arange(1, KEYS + 1, dtype=np.float64) ** -EXPONENT
    return mass / mass.sum()


def zipf_entropy() -> float:
    """Entropy of the synthetic source in nats per byte: the loss that no model can beat on average."""
    p = key_probabilities()
    wrong = (1 - RIGHT) / 256
    value = -(RIGHT + wrong) * np.log(RIGHT + wrong) - 255 * wrong * np.log(wrong)
    return float((-(p * np.log(p)).sum() + 2 * value) / RECORD)


def zipf(records: int, seed: int) -> np.ndarray:
    """That many records of the synthetic source, as bytes."""
    facts = np.random.default_rng(20240501)  # the source itself: the same at every seed of a sample
    spelling, values = facts.permutation(KEYS), facts.integers(0, 256, (KEYS, 2))
    draw = np.random.default_rng([20240502, seed])
    rank = np.minimum(np.searchsorted(np.cumsum(key_probabilities()), draw.random(records)), KEYS - 1)
    said = np.where(draw.random((records, 2)) < RIGHT, values[rank], draw.integers(0, 256, (records, 2)))
    key = spelling[rank]
    return np.stack([key >> 8, key & 255, *said.T], axis=1).astype(np.uint8).reshape(-1)


@cache
def windows(corpus: Corpus, part: Part, most: int = 0) -> np.ndarray:
    """The corpus cut into windows of `WINDOW` bytes (count, 64); at most or, of the endless source, exactly `most`."""
    if corpus == "zipf":
        tokens = HELD_OUT_ZIPF if part == "held_out" else most * WINDOW
        data = zipf(tokens // RECORD, seed=0 if part == "held_out" else 1)
    else:
        data = stdlib(part)
    count = len(data) // WINDOW
    return data[: count * WINDOW].reshape(count, WINDOW)


def fingerprint(corpus: Corpus) -> str:
    """Twelve hex digits that name the bytes a run was trained and judged on."""
    parts = (stdlib("train"), stdlib("held_out")) if corpus == "stdlib" else (zipf(4096, 1), zipf(4096, 0))
    return hashlib.sha256(b"".join(hashlib.sha256(part.tobytes()).digest() for part in parts)).hexdigest()[:12]
