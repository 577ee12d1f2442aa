"""Public data sets by name: `datasets()` walks `studies.public`, `load(slug)` gives a `Study`."""

import os
import pkgutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jaxscale.core.errors import BadInput
from jaxscale.studies import public
from jaxscale.studies.checks import checks
from jaxscale.studies.dataset import Dataset, Table
from jaxscale.studies.fetch import BASE, fetch
from jaxscale.studies.study import Study
from jaxscale.studies.tables.tables import read_table, sha256_of


def datasets() -> Mapping[str, Dataset]:
    """Every record by slug, in alphabetical order: `DATASET`, or `DATASETS`, of each module of `studies.public`."""
    modules = (import_module(f"{public.__name__}.{m.name}") for m in pkgutil.iter_modules(public.__path__))
    records = (record for m in modules for record in getattr(m, "DATASETS", None) or (m.DATASET,))
    return MappingProxyType({record.slug: record for record in sorted(records, key=lambda record: record.slug)})


def load(
    slug: str,
    *,
    where: str | None = None,
    mapping: Mapping[str, str] | None = None,
    data_dir: str | Path | None = None,
    url: str | None = None,
    cache: str | Path | None = None,
    **options: Any,
) -> Study:
    """A public data set as a `Study`.

    The tidy table is read from the package where it is shipped, or from `data_dir` (or `JAXSCALE_DATA_DIR`) where it
    lies there; else the source files are downloaded, checked and tidied. `where` is added to the record's own filter,
    `mapping` to its mapping (`{"loss": "loss"}` takes a loss as it stands); `options` are those of `Study.read`.
    Raises `BadInput`.
    """
    found = datasets()
    data = found[checks.known(slug, found, "data", "data set")]
    table, origin, digest = _table(data, data_dir, url, cache)
    stated = options.pop("provenance", {})
    study = Study.read(
        {**table, **(data.derived(table) if data.derived else {})},
        {**data.mapping, **(mapping or {})},
        **{
            "name": slug,
            "where": " and ".join(f"({part})" for part in (data.where, where) if part) or None,
            "group": data.group,
            "run_id": data.run_id,
            "n_convention": data.n_convention,
            "duplicates": data.duplicates,
            "source": origin,
            "licence": data.licence,
            "provenance": {"sha256": digest, "citation": data.citation}
            | ({} if data.shipped else {"repository": data.repository, "commit": data.commit})
            | stated,
            **options,
        },
    )
    notes = (data.note, data.downloaded_note if digest != data.sha256 else "")
    return study.remarked(*(note for note in notes if note))


def tidy_table(data: Dataset, url: str | None = None, cache: str | Path | None = None) -> Table:
    """The tidy table made from the downloaded source files. Raises `BadInput`."""
    if data.tidy is None or not data.files:
        raise BadInput(
            f"{data.slug}: its source is spread over many files of {data.repository}, or in files that run code when "
            "read (pickles), which are not fetched; set JAXSCALE_DATA_DIR to a folder that holds its tidy table"
        )
    # All files are fetched and checked before one is read.
    paths = [fetch(data, file, url, cache) for file in data.files]
    return data.tidy([read_table(path) for path in paths])


def local_table(data: Dataset, data_dir: str | Path | None = None) -> Path | None:
    """Where the tidy table lies: in the package, or in `data_dir` (or `JAXSCALE_DATA_DIR`); None where nowhere."""
    if data.shipped:
        return Path(__file__).parent / data.shipped
    folder = data_dir or os.environ.get("JAXSCALE_DATA_DIR")
    path = Path(folder) / data.slug / "data.csv" if folder else None
    return path if path is not None and path.is_file() else None


def _table(data: Dataset, data_dir: Any, url: Any, cache: Any) -> tuple[Table, str, str]:
    """The tidy table, where it is from, and the checksum of that."""
    path = local_table(data, data_dir)
    if path is not None and data.shipped:
        return _checked(path, data, f"jaxscale/studies/{data.shipped}", "install again")
    if path is not None:
        remedy = "restore the recorded table, or unset JAXSCALE_DATA_DIR to download the source"
        return _checked(path, data, f"{data.slug}/data.csv", remedy)
    table = tidy_table(data, url, cache)
    addresses = ", ".join(data.address(file, BASE) for file in data.files)
    return table, addresses, ", ".join(file.sha256 for file in data.files)


def _checked(path: Path, data: Dataset, origin: str, remedy: str) -> tuple[Table, str, str]:
    digest = sha256_of(path)
    if digest != data.sha256:
        raise BadInput(f"{path}: wrong checksum: expected sha256 {data.sha256}, got {digest}; {remedy}")
    return read_table(path), origin, digest
