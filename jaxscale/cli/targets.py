"""What a command reads and writes, checked before any work: each can be written, and none is another's."""

import importlib.util
import itertools
import os
import stat
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jaxscale.core.errors import BadInput
from jaxscale.execute.files import STDOUT, standard

type Given = Mapping[str, str | Path | None]
_NONE: Given = {}


def check(
    *,
    reads: Given = _NONE,
    files: Given = _NONE,
    saves: Given = _NONE,
    trees: Given = _NONE,
    figures: Given = _NONE,
    folders: Given = _NONE,
) -> None:
    """Refuse what cannot be written, what the same command reads, and what it writes twice.

    Each argument holds paths by option; None is left out. `files` are of any kind, `-` being stdout; `saves` are fits,
    `trees` posteriors for ArviZ; `figures` are folders for PNG files, `folders` those that hold nothing but the
    command's own. Raises `BadInput`.
    """
    kinds = (
        (folders, _check_folder, "*"),
        (figures, _check_folder, "*.png"),
        (files, _check_file, None),
        (saves, _check_saving, None),
        (trees, _check_tree, None),
    )
    written: list[_Place] = []
    for given, refuse, owned in kinds:
        for option, path in given.items():
            if path is not None:
                if str(path) != "-":
                    refuse(Path(path), option)
                written.append(_Place(option, str(path), owned))
    read = [_Place(option, str(path)) for option, path in reads.items() if path is not None]
    for one, other in (*itertools.product(read, written), *itertools.combinations(written, 2)):
        if one.meets(other):
            raise BadInput(
                f"{other.option}: expected a path that the command neither reads nor writes otherwise, got "
                f"{other.path}, while {one.option} is {one.path}; choose another"
            )


@dataclass(frozen=True)
class _Place:
    """Where an option leads. A folder may own what is in it: `*.png`, or `*` at any depth."""

    option: str
    path: str
    owned: str | None = None

    @cached_property
    def identity(self) -> Hashable:
        """The same for all names of a file, hard links too; None where nothing is kept that could be lost."""
        try:
            found = os.fstat(STDOUT) if self.path == "-" else os.stat(self.path)
        except OSError:  # nothing there yet, or out of reach
            real = Path(os.path.realpath(self.path))
            return (_Place("", str(real.parent)).identity, real.name) if real != real.parent else str(real)
        return None if stat.S_ISCHR(found.st_mode) else (found.st_dev, found.st_ino)

    def meets(self, other: "_Place") -> bool:
        return (self.identity is not None and self.identity == other.identity) or self.has(other) or other.has(self)

    def has(self, other: "_Place") -> bool:
        folders = Path(os.path.realpath(other.path)).parents
        match self.owned:
            case None:
                return False
            case "*":
                return any(_Place("", str(folder)).identity == self.identity for folder in folders)
            case pattern:
                inside = _Place("", str(folders[0])).identity == self.identity
                return inside and Path(other.path).match(pattern)


def _check_file(path: Path, option: str) -> None:
    if path.is_dir():
        raise BadInput(f"{option}: expected the path of a file, got the folder {path}; add a file name")
    if standard(path) is not None:
        return
    if path.exists() and not path.is_file():  # a device or a pipe, which is written through
        if not os.access(path, os.W_OK):
            raise BadInput(f"{option}: {path} cannot be written; choose another or change its permissions")
        return
    folder = Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent
    if not folder.is_dir():
        raise BadInput(f"{option}: expected a path in a folder that exists, got {path}; create {folder} first")
    if not os.access(folder, os.W_OK):
        raise BadInput(f"{option}: the folder {folder} cannot be written; choose another or change its permissions")


def _check_saving(path: Path, option: str) -> None:
    _check_file(path, option)
    if importlib.util.find_spec("h5py") is None:
        raise BadInput(f"{option}: saving a fit needs h5py, which is not installed; install it: pip install h5py")


def _check_tree(path: Path, option: str) -> None:
    if path.suffix not in (".nc", ".zarr"):
        raise BadInput(f"{option}: expected a name that ends in .nc or .zarr, got {path}; write it as in chains.nc")
    if path.suffix == ".nc":
        _check_saving(path, option)
        return
    if importlib.util.find_spec("zarr") is None:
        raise BadInput(f"{option}: writing .zarr needs zarr, which is not installed; write .nc, or pip install zarr")
    if path.exists():
        raise BadInput(f"{option}: expected a new name for a zarr folder, got {path}, which exists; choose another")
    _check_file(path, option)


def _check_folder(path: Path, option: str) -> None:
    """A folder may have to be made."""
    if path.exists() and not path.is_dir():
        raise BadInput(f"{option}: expected a folder, got the file {path}; choose another path")
    if not path.exists() and not path.parent.is_dir():
        raise BadInput(
            f"{option}: expected a folder, or a new one in a folder that exists, got {path}; create {path.parent}"
        )
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise BadInput(f"{option}: the folder {path} cannot be written; choose another or change its permissions")
