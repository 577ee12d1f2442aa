"""The bytes of a file and its format: opened once, decompressed piece by piece, counted on the way."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from jaxscale.core.errors import BadInput
from jaxscale.studies.tables.budget import Budget

KINDS = {
    "csv": "csv",
    "tsv": "tsv",
    "parquet": "parquet",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "json": "json",
    "xlsx": "xlsx",
}
_PIECE = 1 << 20
_GZIP = b"\x1f\x8b"
_MAGIC = {b"PAR1": "parquet", b"PK\x03\x04": "xlsx"}


def kind_of(path: Path) -> str:
    """The format that a file's name says. Raises `BadInput` on what is no regular file of a known one."""
    if not path.exists():
        raise BadInput(f"{path}: there is no such file; check the path")
    if not path.is_file():
        what = "a folder" if path.is_dir() else "a pipe or device"
        raise BadInput(f"{path}: expected a regular file, got {what}; write the table to a file and give that")
    kind = KINDS.get(path.name.lower().removesuffix(".gz").rpartition(".")[2])
    if kind is None:
        raise BadInput(
            f"{path}: expected a file named {', '.join('.' + k for k in KINDS)} (or one of these and .gz); "
            "convert or rename it"
        )
    return kind


def content_of(path: Path, kind: str, budget: Budget) -> tuple[bytes, list[str]]:
    """The bytes of a regular file, decompressed, and remarks. Raises `BadInput` where they are of another format."""
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP
        file.seek(0)
        content = b"".join(_counted(_inflated(file) if zipped else _pieces(file), budget))
    held = next((held for magic, held in _MAGIC.items() if content.startswith(magic)), kind)
    if held != kind:
        raise BadInput(f"{path}: expected {kind} as it is named, got {held}; rename it to .{held}")
    if zipped == path.name.lower().endswith(".gz"):
        return content, []
    return content, [f"{path.name} is {'compressed' if zipped else 'not compressed'}, other than its name says"]


def _counted(pieces: Iterator[bytes], budget: Budget) -> Iterator[bytes]:
    for piece in pieces:
        budget.take(len(piece))
        yield piece


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    """Pieces of a gzip file of one or several members, none longer than `_PIECE`. Raises `EOFError`, `zlib.error`."""
    machine, waiting = zlib.decompressobj(wbits=31), b""
    while waiting := waiting or file.read(_PIECE):
        if machine.eof:
            if not waiting.strip(b"\0"):  # padding, as gzip itself allows
                waiting = b""
                continue
            machine = zlib.decompressobj(wbits=31)
        yield machine.decompress(waiting, _PIECE)
        waiting = machine.unused_data if machine.eof else machine.unconsumed_tail
    if not machine.eof:
        raise EOFError("the compressed data end early")
