"""Chunks of a long computation in a folder: what is finished stays finished, whatever kills the process.

A chunk is one file that appears whole. It holds its number, the fingerprint of its computation and a checksum: one that
is damaged, edited, or the copy of another is made again, and a warning says so. A manifest says of what computation the
folder is; another one is refused, and so is a manifest that cannot be read. Processes that share a folder write the
same bits. Arrays only: nothing in a file is run when it is read, and nothing is unpacked.
"""

import dataclasses
import hashlib
import io
import json
import os
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.execute import files

_MANIFEST = "manifest.json"
_LONGEST, _LARGEST = 2**20, 2**30  # bytes of a manifest, of a chunk
_MARK = b"PK\x05\x06"
_END = struct.Struct("<4s4H2LH")  # the last record of a zip file: how many members it has, and how long their list is
_SEAL = ("number", "computation", "sha256")


def fingerprint(tree: Any) -> str:
    """SHA-256 of a pytree's arrays, bit by bit, and of what is static in it."""
    state = hashlib.sha256()
    arrays, static = eqx.partition(tree, eqx.is_array_like)
    state.update(repr(jax.tree.structure(arrays)).encode() + repr(static).encode())
    for leaf in jax.tree.leaves(arrays):
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        array = np.asarray(leaf)
        state.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    return state.hexdigest()


class Folder:
    """Chunks by number in a folder. Raises `BadInput` where it holds another computation or cannot be made or read."""

    def __init__(self, path: str | Path, identity: Mapping[str, Any]) -> None:
        self.path = Path(path)
        text = json.dumps(dict(identity), indent=1, sort_keys=True)
        self.computation = hashlib.sha256(text.encode()).hexdigest()
        try:
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            raise BadInput(
                f"{path}: expected a folder, or a new one in a folder that exists ({error.strerror})"
            ) from None
        manifest = self.path / _MANIFEST
        if not os.path.lexists(manifest):
            others = [x for x in self.path.iterdir() if not x.name.startswith(".")]
            if others and not os.path.lexists(manifest):  # which another process may have made by now
                raise BadInput(f"{path}: expected an empty folder or one of unfinished chunks; choose another")
            files.write(manifest, text)
        known, identity = _manifest(manifest), json.loads(text)
        differ = sorted(k for k in {*known, *identity} if known.get(k) != identity.get(k))
        if differ:
            told = [k[:40] if k.isidentifier() else ascii(k[:40]) for k in differ[:8]]
            raise BadInput(
                f"{path}: expected the chunks of this computation, got those of another ({', '.join(told)} "
                "differ); choose another folder, or remove this one"
            )

    def get[T](self, number: int, count: int, make: Callable[[], T], kind: type[T]) -> T:
        """Chunk `number` if at least `count` rows of it are there, made and kept otherwise.

        `make` gives a `kind`, a dataclass of arrays of as many rows. Raises `BadInput` where something stands in the
        chunk's place that is no file.
        """
        file = self.path / f"chunk-{number:06d}.npz"
        if os.path.lexists(file):
            try:
                arrays = self._read(file, number, _names(kind))
            except _Damaged as reason:
                warnings.warn(
                    f"{file}: expected chunk {number} of this computation, got {reason}; it is made again", stacklevel=2
                )
            else:
                if len(next(iter(arrays.values()))) >= count:
                    return kind(**{name: x[:count] for name, x in arrays.items()})
        made = make()
        arrays = {name: np.ascontiguousarray(getattr(made, name)) for name in _names(kind)}
        seal = dict(zip(_SEAL, (number, self.computation, _checksum(number, self.computation, arrays)), strict=True))
        stream = io.BytesIO()
        np.savez(stream, **{**arrays, **{name: np.asarray(x) for name, x in seal.items()}})
        files.write(file, stream.getvalue())
        return made

    def _read(self, file: Path, number: int, names: list[str]) -> dict[str, np.ndarray]:
        """The arrays of a chunk. Raises `_Damaged` unless they are those that were written under this number."""
        try:
            arrays = _arrays(_content(file, _LARGEST))
        except (BadInput, _Damaged):
            raise
        except Exception as error:  # zip and array headers tell damage by errors of many kinds
            raise _Damaged(f"a file that cannot be read ({_line(error)})") from None
        stored = [str(arrays.pop(name, "none")) for name in _SEAL]
        if "none" in stored or not arrays:
            raise _Damaged("one without a checksum")
        if stored[1] != self.computation:
            raise _Damaged("one of another computation")
        if stored[0] != str(number):
            raise _Damaged(f"chunk {stored[0][:20]}")
        if stored[2] != _checksum(number, self.computation, arrays):
            raise _Damaged("one that was changed since it was written")
        if sorted(arrays) != sorted(names) or len({x.shape[:1] for x in arrays.values()} | {()}) != 2:
            raise _Damaged("other arrays, or arrays of different lengths")
        return arrays


def _names(kind: type) -> list[str]:
    return [f.name for f in dataclasses.fields(kind)]


class _Damaged(Exception):
    """A chunk that is not used, with the reason."""


def _checksum(number: int, computation: str, arrays: Mapping[str, np.ndarray]) -> str:
    state = hashlib.sha256(f"{number} {computation}".encode())
    for name, array in sorted(arrays.items()):
        state.update(f" {name} {array.dtype.str} {array.shape} ".encode())
        state.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return state.hexdigest()


def _content(file: Path, most: int) -> bytes:
    """A file's bytes. Raises `BadInput` where it cannot be opened or is no file, `_Damaged` on a wrong size or end."""
    try:  # without waiting for the writer of a pipe, and without going where a link leads
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise BadInput(f"{file}: expected a file, got: {error.strerror}; remove it, or choose another folder") from None
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode):
        os.close(handle)
        raise BadInput(f"{file}: expected a file, got a folder or a device; remove it, or choose another folder")
    with open(handle, "rb") as stream:
        if about.st_size > most:
            raise _Damaged(f"{about.st_size} bytes, at most {most} are read")
        if file.suffix == ".npz":  # not to read what has no end of a zip file
            stream.seek(-min(_END.size, about.st_size), os.SEEK_END)
            if not stream.read(_END.size).startswith(_MARK):
                raise _Damaged("one that is not whole")
            stream.seek(0)
        return stream.read(most)


def _arrays(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of an .npz file that are stored as they are. Raises `ValueError` and errors of zipfile."""
    mark, *_, members, listed, _, comment = _END.unpack(data[-_END.size :])
    if mark != _MARK or comment or members > 64 or listed > 2**14:
        raise ValueError("no list of arrays at its end")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = {}
        for about in archive.infolist():
            if about.compress_type != zipfile.ZIP_STORED or about.file_size > len(data):
                raise ValueError("compressed, or larger than its file")
            name = about.filename.removesuffix(".npy")
            if name in found:
                raise ValueError("an array twice")
            found[name] = _array(archive.read(about))
        return found


def _array(data: bytes) -> np.ndarray:
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array of another version")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    rest = len(data) - stream.tell()
    size = dtype.itemsize
    for n in shape:
        size *= n
    if fortran or dtype.kind not in "fiubU" or size != rest or min(shape, default=0) < 0:
        raise ValueError("an array of another kind or size than it says")
    return np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape)


def _manifest(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(_content(file, _LONGEST).decode())
        if not isinstance(found, dict):
            raise ValueError(f"a {type(found).__name__}")
    except BadInput:
        raise
    except (_Damaged, ValueError, RecursionError) as error:
        raise BadInput(
            f"{file}: expected the description of a computation, got one that cannot be read ({_line(error)}); choose "
            "another folder, or remove this one: its chunks cannot be told from those of another computation"
        ) from None
    return found


def _line(error: BaseException) -> str:
    return ascii(str(error)[:100]).strip("'\"") or type(error).__name__
