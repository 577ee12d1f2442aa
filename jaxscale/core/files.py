"""Files that appear whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A new name in the folder of `path`; what was written there takes the place of `path` at the end, at once.

    The new name has the suffix of `path`, by which some writers choose a format. A process that dies in between
    leaves the old file as it was, and `.name.*.part.suffix` beside it. An exception leaves nothing.
    """
    target = Path(os.path.realpath(path))  # a link keeps pointing to the file
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part{target.suffix}")
    try:
        yield part
        _sync(part)
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    # The new name is on disk only once its folder is. Some systems cannot open folders: then it is up to them.
    with contextlib.suppress(OSError):
        _sync(target.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
