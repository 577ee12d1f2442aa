"""Everything the package writes is written here: files appear whole or not at all, what is no file is written through.

Content is made in memory first, so that a library that fails half-way, or takes the process with it, touches no file.
"""

import contextlib
import os
import re
import secrets
import shutil
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from jaxscale.core.errors import BadInput

try:
    import fcntl
except ImportError:  # Windows: nobody can tell there which parts are alive, and none is swept
    fcntl = None

STDOUT, STDERR = 1, 2


def write(path: str | Path, content: bytes | memoryview | str) -> None:
    """Put `content` at `path`, in UTF-8 where it is text.

    A file takes the place of the old one at once, and keeps its permissions; a link goes on pointing to it. A process
    that dies in between leaves the old file as it was, and `.name.*.part.suffix` beside it, which the next write of the
    same file removes. A device, a pipe, a socket and this process's own stdout stay what they are and get the content.
    Raises `BadInput` with path and reason: the old file is then as it was and nothing is left beside it.
    """
    data = content.encode() if isinstance(content, str) else content
    with _told(path):
        handle, mode = _standing(path)
        if handle is not None:
            with _open(handle):
                _pour(handle, data)
            return
        # A file that is to be private is private from its first byte on.
        with _part(_target(path), lambda part: part.touch(0o666 if mode is None else 0o600, exist_ok=False)) as part:
            _fill(part, data, mode)


def write_folder(path: str | Path, files: Mapping[str, bytes | memoryview]) -> None:
    """Put `files`, by their names in it, into the folder `path`: a new folder appears whole, as `write` does a file.

    In a folder that is there each file is replaced in turn. Raises `BadInput`.
    """
    if os.path.isdir(path):
        for name, content in files.items():
            write(Path(path) / name, content)
        return
    with _told(path), _part(_target(path), Path.mkdir) as part:
        for name, content in files.items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            (part / name).touch(exist_ok=False)
            _fill(part / name, content)
        for folder, _, _ in os.walk(part):
            _sync(folder)


def standard(path: str | Path) -> int | None:
    """`STDOUT` or `STDERR` where `path` leads to what this process prints on, whatever that is; else None."""
    with contextlib.suppress(OSError):  # no such path, or a stream that is closed
        found = os.stat(path)
        if os.path.samestat(found, os.stat(os.devnull)):  # which may be told from nothing
            return None
        for stream in (STDOUT, STDERR):
            with contextlib.suppress(OSError):
                if os.path.samestat(found, os.fstat(stream)):
                    return stream
    return None


def _standing(path: str | Path) -> tuple[int | None, int | None]:
    """A handle of what stands at `path` and must stay, or the permissions of a file that may be replaced."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None, None
    if (stream := standard(path)) is not None:
        return os.dup(stream), None
    if stat.S_ISREG(mode):
        return None, stat.S_IMODE(mode)
    if stat.S_ISSOCK(mode):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(os.fspath(path))
            return client.detach(), None
    return os.open(path, os.O_WRONLY), None


def _target(path: str | Path) -> Path:
    return Path(os.path.realpath(path))


@contextlib.contextmanager
def _told(path: str | Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        if standard(path) is not None:  # whoever read it has had enough
            raise
        raise BadInput(f"{path}: expected a reader until the end, got one that left; read all of it") from None
    except OSError as error:
        raise BadInput(
            f"{path}: expected a place to write, got: {error.strerror or error}; check the folder, its permissions and "
            "the space left"
        ) from error


@contextlib.contextmanager
def _part(target: Path, make: Callable[[Path], object]) -> Iterator[Path]:
    """A new name beside `target`, made by `make`, which takes the place of `target` at the end; on errors it goes."""
    _sweep(target)
    part, lock = _claim(target, make)
    try:
        yield part
        os.replace(part, target)
    except BaseException:
        _remove(part)
        raise
    finally:
        if lock is not None:
            os.close(lock)
    # The new name is on disk only once its folder is. Some systems cannot open folders: then it is up to them.
    with contextlib.suppress(OSError):
        _sync(target.parent)


def _claim(target: Path, make: Callable[[Path], object]) -> tuple[Path, int | None]:
    """A part and the lock on it, by which others see that its writer lives."""
    while True:
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part{target.suffix}")
        make(part)
        try:
            lock = _locked(part, alone=True)
        except FileNotFoundError:  # another's sweep came before the lock
            continue
        except BaseException:
            _remove(part)
            raise
        if part.exists():
            return part, lock
        if lock is not None:
            os.close(lock)


def _sweep(target: Path) -> None:
    """Remove the parts of `target` whose writers died: their locks died with them."""
    left = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.part{re.escape(target.suffix)}")
    try:
        entries = list(os.scandir(target.parent))
    except PermissionError:  # a folder may be open to writers, and hide what is in it
        return
    for entry in entries:
        if left.fullmatch(entry.name) and not entry.is_symlink():
            with contextlib.suppress(BlockingIOError, FileNotFoundError, PermissionError):  # alive, gone, another's
                lock = _locked(Path(entry.path), alone=False)
                if lock is not None:
                    with _open(lock):
                        _remove(Path(entry.path))


def _locked(part: Path, *, alone: bool) -> int | None:
    """A lock that ends with this process, waited for where it is to be `alone`; None where there are no locks.

    Raises `BlockingIOError` where another has it.
    """
    if fcntl is None:
        return None
    # Network file systems lock alone what is open for writing only; folders never are.
    handle = os.open(part, os.O_RDWR if alone and not part.is_dir() else os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if alone else fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BaseException as error:
        os.close(handle)
        if isinstance(error, OSError) and not isinstance(error, BlockingIOError):  # a file system without locks
            return None
        raise
    return handle


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part)
    else:
        part.unlink(missing_ok=True)


def _fill(file: Path, data: bytes | memoryview, mode: int | None = None) -> None:
    with file.open("r+b", buffering=0) as stream:
        if mode is not None:
            os.chmod(file, mode)
        _pour(stream.fileno(), data)
        os.fsync(stream.fileno())


def _pour(handle: int, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _sync(path: str | Path) -> None:
    with _open(os.open(path, os.O_RDONLY)) as handle:
        os.fsync(handle)


@contextlib.contextmanager
def _open(handle: int) -> Iterator[int]:
    try:
        yield handle
    finally:
        os.close(handle)
