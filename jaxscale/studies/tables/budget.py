"""How much memory a table may take: a small file can hold a huge one, and the machine must not be what stops it."""

import re

from jaxscale.core.errors import BadInput

USUAL = "1GB"
CELL = 64  # bytes of a Python number or a short text, with the place that points at it
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*", re.IGNORECASE)
_SCALE = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}


class Budget:
    """Bytes that are left for one table. What a reader is about to make is taken from it first."""

    def __init__(self, most: str | float, name: str) -> None:
        self.most = size_of(most)
        self.left = self.most
        self.name = name

    def take(self, size: float) -> None:
        """Raises `BadInput` where `size` bytes are more than is left."""
        self.left -= size
        if self.left < 0:
            raise BadInput(
                f"{self.name}: expected a table that takes at most {told(self.most)} of memory once it is decompressed "
                f'and read, got more; if it is what you mean, raise the limit: `max_table="{told(4 * self.most)}"`'
            )

    def take_cells(self, count: float) -> None:
        """`take` for so many cells."""
        self.take(CELL * count)


def size_of(text: str | float) -> float:
    """Bytes of `"4GB"`, `"512 MB"` or a number. Raises `BadInput`."""
    found = _SIZE.fullmatch(str(text))
    size = float(found[1]) * _SCALE[found[2].lower()] if found else 0.0
    if size < 1.0:
        raise BadInput(f"`max_table=...`: expected a size in bytes, got {text!r}; write it like 4GB or 512MB")
    return size


def told(size: float) -> str:
    """A size as `size_of` reads it."""
    letter = next((mark for mark in ("t", "g", "m", "k") if size >= _SCALE[mark]), "")
    return f"{size / _SCALE[letter]:.12g}{letter.upper()}B"
