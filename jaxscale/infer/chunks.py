"""Chunks of a long computation in a folder: what is finished stays finished, whatever kills the process.

A chunk is one file that appears whole; a manifest says of what computation the folder is, and another one is
refused. Arrays only: nothing in a file is run when it is read.
"""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxscale.core import files
from jaxscale.core.errors import BadInput

_MANIFEST = "manifest.json"


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
    """Chunks by number in a folder. Raises `BadInput` where it holds another computation or cannot be made."""

    def __init__(self, path: str | Path, identity: Mapping[str, Any]) -> None:
        self.path = Path(path)
        try:
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            raise BadInput(
                f"{path}: expected a folder, or a new one in a folder that exists ({error.strerror})"
            ) from None
        manifest = self.path / _MANIFEST
        if not manifest.exists():
            if any(x for x in self.path.iterdir() if not x.name.startswith(".")):
                raise BadInput(f"{path}: expected an empty folder or one of unfinished chunks; choose another")
            files.write(manifest, json.dumps(dict(identity), indent=1, sort_keys=True))
        known = json.loads(manifest.read_text())
        differ = sorted(k for k in {*known, *identity} if known.get(k) != identity.get(k))
        if differ:
            raise BadInput(
                f"{path}: expected the chunks of this computation, got those of another ({', '.join(differ)} "
                "differ); choose another folder, or remove this one"
            )

    def get[T](self, number: int, count: int, make: Callable[[], T], kind: Callable[..., T]) -> T:
        """Chunk `number` if at least `count` rows of it are there, made and kept otherwise.

        `make` gives a module of arrays; `kind` builds one from its arrays by field name.
        """
        file = self.path / f"chunk-{number:06d}.npz"
        if file.exists():
            with np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            if len(next(iter(arrays.values()))) >= count:
                return kind(**{name: x[:count] for name, x in arrays.items()})
        made = make()
        arrays: dict[str, Any] = {name: np.asarray(x) for name, x in vars(made).items()}
        stream = io.BytesIO()
        np.savez(stream, **arrays)
        files.write(file, stream.getbuffer())
        return made
