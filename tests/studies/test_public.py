"""Public data sets: each reader against the recorded source files over local HTTP, and all that can go wrong."""

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from jaxscale.core import quantities as q
from jaxscale.core.law import Signature
from jaxscale.studies import BadInput, datasets, load
from jaxscale.studies.dataset import Dataset, SourceFile
from jaxscale.studies.fetch import fetch
from jaxscale.studies.registry import tidy_table
from jaxscale.studies.tables.tables import read_table

READABLE = [slug for slug, data in datasets().items() if data.files]
EXPECTED_ROWS = {
    "chinchilla_besiroglu": 245,
    "steplaw_dense": 1911,
    "vocab_scaling": 1200,
    "mixture_slimpajama_dmsl": 2452,
    "routed_lm": 5799,
    "farseer": 411,
    "rectified_finetuning": 1350,
    "mpl_loss_curves": 171,
}


class Server:
    """A web server on this machine; `files` maps paths to bytes, `announced` overrides their stated length."""

    def __init__(self) -> None:
        outer = self
        self.files: dict[str, bytes] = {}
        self.announced: dict[str, int] = {}
        self.asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                body = outer.files.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(outer.announced.get(self.path, len(body or b""))))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def path(self, data: Dataset, file: SourceFile) -> str:
        return data.address(file, "")

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    server = Server()
    monkeypatch.setenv("JAXSCALE_DATA_URL", server.url)
    monkeypatch.setenv("JAXSCALE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("JAXSCALE_DATA_DIR", raising=False)
    yield server
    server.close()


def raw_bytes(folder: Path, data: Dataset, file: SourceFile) -> bytes:
    # A raw file keeps its name, after a prefix where two repositories' names would clash.
    (found,) = (p for p in (folder / "raw" / data.slug).iterdir() if p.name.endswith(Path(file.path).name))
    return found.read_bytes()


def serve(server: Server, folder: Path, slug: str) -> Dataset:
    data = datasets()[slug]
    for file in data.files:
        server.files[server.path(data, file)] = raw_bytes(folder, data, file)
    return data


def cached(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


# Read from a data folder alone: nothing of theirs is downloaded.
FOLDER_ONLY = (
    "datablations_c4",
    "gadre_overtraining",
    "gemstones",
    "parallel_scaling",
    "porian_isoflop",
    "quest_precision",
    "shape_morph",
)
SHIPPED = [slug for slug, data in datasets().items() if data.shipped]


def test_the_records_are_whole() -> None:
    assert set(EXPECTED_ROWS) | {*FOLDER_ONLY, *SHIPPED} == set(datasets())
    for slug, data in datasets().items():
        assert data.slug == slug
        assert all(len(digest) == 64 for digest in (data.sha256, *(file.sha256 for file in data.files)))
        assert all((data.licence, data.citation, data.title, data.mapping))
        assert bool(data.tidy) == bool(data.files)
        if data.shipped:
            assert not any((data.repository, data.commit, data.files))
        else:
            assert data.repository
            assert len(data.commit) == 40


@pytest.mark.parametrize("slug", READABLE)
def test_the_reader_gives_the_tidy_table(slug: str, server: Server, data_dir: Path) -> None:
    data = serve(server, data_dir, slug)
    made, kept = tidy_table(data), read_table(data_dir / slug / "data.csv")
    if slug == "mpl_loss_curves":  # the record has one of the 27 curves
        ours = (kept["model_size"] == "100M") & (kept["schedule"] == "cosine_24000")
        kept = {name: column[ours] for name, column in kept.items()}
    assert set(made) == set(kept)
    for name, column in kept.items():
        np.testing.assert_array_equal(made[name], column, err_msg=name)
    assert len(made["loss" if "loss" in made else "params"]) == EXPECTED_ROWS[slug]


@pytest.mark.parametrize("slug", READABLE)
def test_downloaded_and_local_studies_agree(slug: str, server: Server, data_dir: Path) -> None:
    data = serve(server, data_dir, slug)
    downloaded, local = load(slug), load(slug, data_dir=data_dir)
    assert downloaded.provenance["sha256"] == ", ".join(file.sha256 for file in data.files)
    assert local.provenance["sha256"] == data.sha256
    assert data.commit in downloaded.provenance["source"]
    assert downloaded.provenance["licence"] == data.licence
    if slug == "mpl_loss_curves":
        assert any("1 of the 27 curves" in remark for remark in downloaded.remarks)
        return
    for symbol, column in local.columns.items():
        np.testing.assert_array_equal(downloaded.columns[symbol], column)


def test_a_second_load_asks_for_nothing(server: Server, data_dir: Path, tmp_path: Path) -> None:
    serve(server, data_dir, "farseer")
    load("farseer")
    load("farseer")
    assert len(server.asked) == 2
    assert len(cached(tmp_path)) == 2


def test_a_spoiled_cache_is_downloaded_again(server: Server, data_dir: Path, tmp_path: Path) -> None:
    serve(server, data_dir, "chinchilla_besiroglu")
    load("chinchilla_besiroglu")
    (kept,) = cached(tmp_path)
    kept.write_bytes(b"spoiled")
    assert len(load("chinchilla_besiroglu")) == 245
    assert len(server.asked) == 2


FAKE = Dataset(
    slug="fake",
    title="a file of ten bytes",
    repository="someone/something",
    commit="0" * 40,
    licence="none",
    citation="none",
    sha256="0" * 64,
    mapping={"N": "N"},
    # SHA-256 of b"0123456789".
    files=(SourceFile("a/b.csv", "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882", 10),),
    tidy=lambda tables: tables[0],
)
PATH = f"/someone/something/{'0' * 40}/a/b.csv"


def test_a_right_file_is_kept(server: Server, tmp_path: Path) -> None:
    server.files[PATH] = b"0123456789"
    assert fetch(FAKE, FAKE.files[0]).read_bytes() == b"0123456789"
    assert len(cached(tmp_path)) == 1


@pytest.mark.parametrize(
    ("body", "announced", "said"),
    [
        (b"01234567xx", None, ["wrong checksum", "expected sha256 84d89877", "was removed"]),
        (b"0123456789 and more", None, ["wrong checksum"]),
        (b"01234", None, ["truncated file", "expected 10 bytes, got 5", "was removed"]),
        (b"01234", 10, ["could not be downloaded", "check the network"]),
        (b"", None, ["truncated file", "got 0"]),
        (None, None, ["could not be downloaded", "JAXSCALE_DATA_DIR"]),
    ],
)
def test_a_bad_file_is_refused_and_removed(
    body: bytes | None, announced: int | None, said: list[str], server: Server, tmp_path: Path
) -> None:
    if body is not None:
        server.files[PATH] = body
    if announced is not None:
        server.announced[PATH] = announced
    with pytest.raises(BadInput) as error:
        fetch(FAKE, FAKE.files[0])
    for part in said:
        assert part in str(error.value)
    assert cached(tmp_path) == []


def test_no_network_is_said(server: Server, tmp_path: Path) -> None:
    server.close()
    with pytest.raises(BadInput, match=r"could not be downloaded.*check the network.*JAXSCALE_DATA_DIR"):
        load("chinchilla_besiroglu")
    assert cached(tmp_path) == []


def test_one_bad_file_of_several_stops_the_reader(server: Server, data_dir: Path) -> None:
    data = serve(server, data_dir, "rectified_finetuning")
    server.files[server.path(data, data.files[2])] = b"x" * data.files[2].size
    with pytest.raises(BadInput, match=r"wmt19\.csv: wrong checksum"):
        load("rectified_finetuning")


def test_a_changed_local_table_is_refused(data_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "chinchilla_besiroglu"
    folder.mkdir()
    shutil.copyfile(data_dir / "chinchilla_besiroglu" / "data.csv", folder / "data.csv")
    with (folder / "data.csv").open("a") as file:
        file.write("1e9,1e9,6e18,3.0,0\n")
    with pytest.raises(BadInput, match="wrong checksum: expected sha256 055dbebb"):
        load("chinchilla_besiroglu", data_dir=tmp_path)


def test_a_scattered_source_needs_the_folder(server: Server) -> None:
    with pytest.raises(BadInput, match=r"gadre_overtraining: its source is spread.*set JAXSCALE_DATA_DIR"):
        load("gadre_overtraining")
    assert server.asked == []


def test_studies_from_the_folder(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    monkeypatch.setenv("JAXSCALE_DATA_DIR", str(data_dir))
    signature = Signature({"N": q.PARAMS, "D": q.TOKENS}, q.NATS)
    chinchilla = load("chinchilla_besiroglu", where="excluded_in_paper == 0")
    assert chinchilla.runs(signature).size == 240
    assert chinchilla.provenance["exclusions"] == "kept 240 of 245 rows: (excluded_in_paper == 0)"
    assert chinchilla.unit == "nats"
    train = load("farseer", where="split == 'train'", mapping={"loss": "loss"})
    assert train.runs(signature).size == 404
    with pytest.raises(BadInput, match="bits/character"):
        load("farseer").runs(signature)
    gadre = load("gadre_overtraining")
    assert gadre.groups == ("c4_original", "rpj", "rw_original")
    assert gadre.runs(Signature({"C": q.FLOPS, "M": q.RATIO}, q.NATS)).size == 104
    final = load("routed_lm", where="is_final == 1")
    assert len(final) == len(np.unique(final.cluster)) == 223
