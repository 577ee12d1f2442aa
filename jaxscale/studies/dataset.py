"""What the record of a public data set holds: where its source files are, and how they become a tidy table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jaxscale.core.errors import BadInput

type Table = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class SourceFile:
    """One file at a commit of a public repository: its path there, SHA-256 and size in bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Dataset:
    """A public data set by name. Measurements of others are not part of the package: they are read where they lie.

    - `files`: the source files; `tidy` takes them as tables in this order and gives the tidy table.
      Both are empty where the source is too scattered to be read; then a data folder is needed.
    - `shipped`: our own measurements: the tidy table's path below `jaxscale/studies`. Nothing is downloaded then, and
      `repository`, `commit`, `files` and `tidy` stay empty.
    - `sha256`: of the tidy table as a file, `<folder>/<slug>/data.csv`.
    - `mapping`, `where`, `group`, `run_id`, `n_convention`: how the tidy table becomes a `Study`; `where` leaves
      out rows that are no run (missing losses, step 0) and is always recorded.
    - `duplicates`: as in `Options`; "keep" where the source repeats rows and is read as it stands.
    - `derived`: columns to add to the tidy table when it is read, from those in it.
    - `note`: what a reader must know before fitting; `downloaded_note`: what only the downloaded table lacks.
    """

    slug: str
    title: str
    licence: str
    citation: str
    sha256: str
    mapping: Mapping[str, str]
    repository: str = ""
    commit: str = ""
    shipped: str = ""
    files: Sequence[SourceFile] = ()
    tidy: Callable[[Sequence[Table]], Table] | None = None
    where: str | None = None
    group: Sequence[str] | None = None
    run_id: Sequence[str] | None = None
    n_convention: str = "undeclared"
    duplicates: str = "once"
    derived: Callable[[Table], Table] | None = None
    note: str = ""
    downloaded_note: str = ""

    def address(self, file: SourceFile, base: str) -> str:
        """Public address of a source file below `base`."""
        return f"{base.rstrip('/')}/{self.repository}/{self.commit}/{file.path}"


def rounded(values: np.ndarray) -> np.ndarray:
    """To eight significant digits, the precision at which the tidy tables keep measurements."""
    return np.array([float(f"{value:.8g}") for value in values], dtype=np.float64)


def renamed(table: Table, names: Mapping[str, str], exact: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Columns by their tidy names, rounded unless text or named in `exact`. Raises `BadInput` on a missing one."""
    missing = [source for source in names.values() if source not in table]
    if missing:
        raise BadInput(f"the source file lacks the column {missing[0]!r}; it is not the file that was recorded")
    return {
        tidy: table[source] if table[source].dtype == object or tidy in exact else rounded(table[source])
        for tidy, source in names.items()
    }
