"""Oracle: what POSIX says of files. Old content or new content, whole; what is no file stays what it is."""

import errno
import fcntl
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.execute import files

TROUBLES = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT)


def listed(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# `execute.files` needs nothing but Python: without the package's own imports a process starts at once.
ALONE = """
import sys, types
for name in ("jaxscale", "jaxscale.core"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [sys.argv[1] + name.removeprefix("jaxscale").replace(".", "/")]
from jaxscale.execute import files
"""
PACKAGE = Path(files.__file__).parents[1]


def child(code: str, *arguments: str | Path, stdout=subprocess.PIPE) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", ALONE + code, str(PACKAGE), *map(str, arguments)]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, check=False, timeout=120)


@pytest.mark.parametrize("seed", range(3))
def test_content_comes_back_to_the_byte(tmp_path, seed):
    rng = np.random.default_rng(seed)
    for size in (0, 1, int(rng.integers(2, 1_000_000))):
        content = rng.bytes(size)
        for kind in (bytes, memoryview):
            files.write(tmp_path / "a.bin", kind(content))
            assert (tmp_path / "a.bin").read_bytes() == content
    files.write(tmp_path / "a.bin", "grüße\n")
    assert (tmp_path / "a.bin").read_bytes() == "grüße\n".encode()
    assert listed(tmp_path) == ["a.bin"]


def test_a_write_in_pieces_is_whole(tmp_path, monkeypatch):
    """The system may take fewer bytes than it is given."""
    whole, content = os.write, bytes(range(256)) * 4
    monkeypatch.setattr(os, "write", lambda handle, data: whole(handle, data[:7]))
    files.write(tmp_path / "a", content)
    assert (tmp_path / "a").read_bytes() == content


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755, 0o444])
def test_a_replaced_file_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(mode)
    files.write(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_and_a_new_folder_follow_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        files.write(tmp_path / "a", "new")
        files.write_folder(tmp_path / "b", {"c": b"new"})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~mask
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o777 & ~mask


def test_links_stay_links_and_other_names_keep_their_content(tmp_path):
    (tmp_path / "a").write_text("old")
    (tmp_path / "hard").hardlink_to(tmp_path / "a")
    (tmp_path / "soft").symlink_to("a")
    (tmp_path / "dangling").symlink_to("b")
    files.write(tmp_path / "soft", "new")
    files.write(tmp_path / "dangling", "made")
    assert (tmp_path / "soft").is_symlink()
    assert [(tmp_path / name).read_text() for name in ("a", "hard", "b")] == ["new", "old", "made"]


def test_what_is_no_file_is_written_through(tmp_path):
    """A FIFO and a socket with somebody at the other end, and a device: each is there afterwards, as it was."""
    pipe, door = tmp_path / "pipe", tmp_path / "door"
    os.mkfifo(pipe)
    heard: dict[str, bytes] = {}
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(door))
        listening.listen()

        def answer() -> None:
            with listening.accept()[0] as caller:
                heard["door"] = b"".join(iter(lambda: caller.recv(1 << 16), b""))

        readers = [
            threading.Thread(target=lambda: heard.update(pipe=pipe.read_bytes())),
            threading.Thread(target=answer),
        ]
        for reader in readers:
            reader.start()
        content = np.random.default_rng(0).bytes(300_000)  # more than a pipe holds
        for path in (pipe, door, os.devnull):
            files.write(path, content)
        for reader in readers:
            reader.join()
    assert heard == {"pipe": content, "door": content}
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert stat.S_ISSOCK(door.stat().st_mode)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    assert listed(tmp_path) == ["door", "pipe"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_device_that_is_full_says_so():
    with pytest.raises(BadInput, match=r"/dev/full: expected a place to write, got: No space left on device; check"):
        files.write("/dev/full", "new")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_pipe_whose_reader_left_says_so(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: pipe.open("rb").close())
    reader.start()
    with pytest.raises(BadInput, match="pipe: expected a reader until the end"):
        files.write(pipe, bytes(300_000))
    reader.join()


STDOUT = """
import os
print("before", flush=True)
files.write("/dev/stdout", "content\\n")
print("after", flush=True)
print(files.standard("/dev/stdout"), files.standard(os.devnull), file=sys.stderr)
"""


def test_its_own_stdout_is_written_in_turn(tmp_path):
    """A pipe, and a file that a shell opened: not replaced, nor written from its beginning again."""
    expected = b"before\ncontent\nafter\n"
    done = child(STDOUT)
    assert (done.stdout, done.stderr) == (expected, b"1 None\n")
    with (tmp_path / "out").open("wb") as out:
        done = child(STDOUT, stdout=out)
    assert ((tmp_path / "out").read_bytes(), done.stderr) == (expected, b"1 None\n")
    assert listed(tmp_path) == ["out"]


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace", "chmod"])
def test_trouble_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call, trouble):
    path = tmp_path / "a.nc"
    path.write_text("old")
    path.chmod(0o640)

    def fail(*_, **__):
        raise OSError(trouble, os.strerror(trouble), "a name of our own")

    with monkeypatch.context() as broken:
        broken.setattr(os, call, fail)
        with pytest.raises(BadInput) as caught:
            files.write(path, "new")
    said = str(caught.value)
    assert said.startswith(f"{path}: expected a place to write, got: {os.strerror(trouble)}; ")
    assert "\n" not in said
    assert "a name of our own" not in said
    assert path.read_text() == "old"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert listed(tmp_path) == ["a.nc"]


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("call", ["mkdir", "open", "write", "fsync", "replace"])
def test_trouble_leaves_no_folder(tmp_path, monkeypatch, call, trouble):
    real, calls = getattr(os, call), []

    def fail(*arguments, **options):
        calls.append(arguments)
        if (call, len(calls)) == ("write", 1) or (call == "open" and len(calls) > 1):
            return real(*arguments, **options)  # one file of two is there; what was made can be opened and removed
        raise OSError(trouble, os.strerror(trouble))

    with monkeypatch.context() as broken:
        broken.setattr(os, call, fail)
        with pytest.raises(BadInput, match=rf"new: expected a place to write, got: {os.strerror(trouble)}"):
            files.write_folder(tmp_path / "new", {"a": b"one", "deep/b": b"two"})
    assert listed(tmp_path) == []
    files.write_folder(tmp_path / "new", {"a": b"one", "deep/b": b"two"})
    assert listed(tmp_path) == ["new", "new/a", "new/deep", "new/deep/b"]
    assert (tmp_path / "new/deep/b").read_bytes() == b"two"


def test_an_interruption_leaves_the_old_file(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("old")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert listed(tmp_path) == ["a"]


LIMITED = """
import resource
from jaxscale.core.errors import BadInput
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    files.write(sys.argv[2], bytes(1_000_000))
except BadInput as error:
    print(error)
"""


def test_a_limit_of_the_system_is_met_for_real(tmp_path):
    """No injection: the kernel refuses to let a file grow beyond 100 kB."""
    path = tmp_path / "a.nc"
    path.write_text("old")
    done = child(LIMITED, path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().startswith(f"{path}: expected a place to write, got: {os.strerror(errno.EFBIG)}; ")
    assert path.read_text() == "old"
    assert listed(tmp_path) == ["a.nc"]


def test_parts_of_the_dead_are_swept_and_those_of_the_living_are_not(tmp_path):
    dead = [".a.nc.00000000.part.nc", ".a.nc.deadbeef.part.nc"]
    others = ["a.nc", ".a.nc.0123abcd.part.zarr", ".a.nc.0123abc.part.nc", ".b.nc.deadbeef.part.nc", "anc.part.nc"]
    for name in (*dead, *others):
        (tmp_path / name).write_text(name)
    (tmp_path / dead[0]).chmod(0o400)
    (tmp_path / ".a.nc.0badf00d.part.nc").symlink_to("a.nc")
    (tmp_path / ".a.nc.0000dead.part.nc").mkdir()
    (tmp_path / ".a.nc.0000dead.part.nc/half").write_text("")
    alive = tmp_path / ".a.nc.600dcafe.part.nc"
    with alive.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        files.write(tmp_path / "a.nc", "new")
        assert listed(tmp_path) == sorted([*others, alive.name, ".a.nc.0badf00d.part.nc"])
    files.write(tmp_path / "a.nc", "newer")
    assert not alive.exists()
    assert (tmp_path / "a.nc").read_text() == "newer"


def test_a_part_swept_before_it_was_locked_is_made_again(tmp_path, monkeypatch):
    """The one moment in which a living part looks dead."""
    lock, swept = files._locked, []

    def late(part, *, alone):
        swept.append(part)
        if len(swept) == 1:
            part.unlink()
        held = lock(part, alone=alone)
        if len(swept) == 2:
            part.unlink()
        return held

    monkeypatch.setattr(files, "_locked", late)
    files.write(tmp_path / "a", "new")
    assert len(swept) == len(set(swept)) == 3
    assert (tmp_path / "a").read_text() == "new"
    assert listed(tmp_path) == ["a"]


def test_a_file_system_without_locks_is_written_and_not_swept(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    left = tmp_path / ".a.deadbeef.part"
    left.write_text("")
    monkeypatch.setattr(fcntl, "flock", none)
    files.write(tmp_path / "a", "new")
    assert listed(tmp_path) == [left.name, "a"]


def test_many_writers_of_one_file(tmp_path):
    """Each writer sweeps while the others write; whoever is last, the file is whole and nothing is left."""
    contents = [bytes([k]) * 200_000 for k in range(4)]
    failed = []

    def repeat(content: bytes) -> None:
        try:
            for _ in range(15):
                files.write(tmp_path / "a", content)
        except BaseException as error:
            failed.append(error)

    writers = [threading.Thread(target=repeat, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failed == []
    assert (tmp_path / "a").read_bytes() in contents
    assert listed(tmp_path) == ["a"]


KILLED = """
import json, os, random, signal, time

folder, random = sys.argv[2], random.Random(int(sys.argv[3]))
parent, new, seen = os.getpid(), b"n" * 3_000_000, []
files.write(f"{folder}/a.nc", b"old")
for _ in range(52):
    child = os.fork()
    if child == 0:
        while os.getppid() == parent:  # a test that timed out leaves no writer behind
            files.write(f"{folder}/a.nc", new)
            files.write(f"{folder}/a.nc", b"old")
        os._exit(1)
    time.sleep(random.uniform(0.0005, 0.02))
    os.kill(child, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    with open(f"{folder}/a.nc", "rb") as file:
        assert file.read() in (b"old", new)
    seen.append(len(os.listdir(folder)))
files.write(f"{folder}/a.nc", b"last")
print(json.dumps([seen, os.listdir(folder)]))
"""


@pytest.mark.parametrize("seed", [0, 1])
def test_52_kills(tmp_path, seed):
    """Whole after each, and never more than one part beside it: the next writer swept the last one's."""
    done = child(KILLED, tmp_path, str(seed))
    assert done.returncode == 0, done.stderr.decode()
    seen, left = json.loads(done.stdout)
    assert set(seen) <= {1, 2}
    assert left == ["a.nc"]


def test_nothing_else_in_the_package_writes():
    """Every output goes through `execute.files`; the rest is a cache, which is made anew where it is lost."""
    writing = (".write_text(", ".write_bytes(", ".to_zarr(", ".to_netcdf(", "os.open(", "os.replace(", "os.rename(")
    writing += ('open("w', 'open("x', 'open("a', '"wb")', '"w")', ".touch(", ".mkdir(", "tempfile", "shutil")
    known = {"execute/files.py", "studies/fetch.py", "cli/process.py", "execute/store.py", "report/store/netcdf.py"}
    known |= {"report/store/tree.py"}  # into memory
    known |= {"cli/terminal.py"}  # where stdout is lost, os.devnull
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if any(word in path.read_text() for word in writing)
    }
    assert found <= known
