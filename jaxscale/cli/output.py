"""Where answers go: people read the console, programs read JSON, files appear whole or not at all."""

import importlib.util
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console

from jaxscale.cli.advice import spoken
from jaxscale.core.errors import BadInput
from jaxscale.core.files import replacing

_WIDTH = 150


def console(json_target: str | None = None) -> Console:
    """stdout, or stderr where stdout carries JSON only."""
    stream = sys.stderr if json_target == "-" else sys.stdout
    # Beside a terminal there is no width to respect; a narrow guess would fold tables.
    return Console(
        file=stream, width=None if stream.isatty() else _WIDTH, highlight=False, soft_wrap=not stream.isatty()
    )


def say(out: Console, text: str = "") -> None:
    """One sentence, its advice in options of the command line; brackets are no markup."""
    out.print(spoken(text), markup=False)


def notes(out: Console, heading: str, sentences: Iterable[str]) -> None:
    """A heading and one line per sentence; nothing where there is none."""
    sentences = list(sentences)
    if sentences:
        say(out)
        say(out, heading)
        for sentence in sentences:
            say(out, f"  - {sentence}")


def check_target(path: str | Path | None, option: str) -> None:
    """Refuse a path that cannot be written before any work is done. Raises `BadInput`."""
    if path is None or str(path) == "-":
        return
    path = Path(path)
    folder = path.parent
    if not folder.is_dir():
        raise BadInput(f"{option}: expected a path in a folder that exists, got {path}; create {folder} first")
    if path.is_dir():
        raise BadInput(f"{option}: expected the path of a file, got the folder {path}; add a file name")
    if not os.access(folder, os.W_OK):
        raise BadInput(f"{option}: the folder {folder} cannot be written; choose another or change its permissions")


def check_saving(path: str | Path | None, option: str) -> None:
    """As `check_target`, and whether files can be saved here at all. Raises `BadInput`."""
    check_target(path, option)
    if path is not None and importlib.util.find_spec("h5py") is None:
        raise BadInput(f"{option}: saving a fit needs h5py, which is not installed; install it: pip install h5py")


def check_tree(path: str | Path | None, option: str) -> None:
    """As `check_target`, for a .nc file or a new .zarr folder. Raises `BadInput`."""
    if path is None:
        return
    path = Path(path)
    if path.suffix not in (".nc", ".zarr"):
        raise BadInput(f"{option}: expected a name that ends in .nc or .zarr, got {path}; write it as in chains.nc")
    if path.suffix == ".nc":
        check_saving(path, option)
        return
    if importlib.util.find_spec("zarr") is None:
        raise BadInput(f"{option}: writing .zarr needs zarr, which is not installed; write .nc, or pip install zarr")
    if path.exists():
        raise BadInput(f"{option}: expected a new name for a zarr folder, got {path}, which exists; choose another")
    check_target(path, option)


def check_folder(path: str | Path | None, option: str) -> None:
    """As `check_target`, for a folder that may have to be made."""
    if path is None:
        return
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise BadInput(f"{option}: expected a folder, got the file {path}; choose another path")
    if not path.exists() and not path.parent.is_dir():
        raise BadInput(
            f"{option}: expected a folder, or a new one in a folder that exists, got {path}; create {path.parent}"
        )
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise BadInput(f"{option}: the folder {path} cannot be written; choose another or change its permissions")


def write_json(target: str | None, record: Any) -> None:
    """To stdout for `-`, else to a file that appears whole."""
    if target is None:
        return
    text = json.dumps(spoken(record), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        with replacing(target) as part:
            part.write_text(text, encoding="utf-8")


def write_figures(folder: str | Path, figures: Iterable[tuple[str, Any]]) -> list[Path]:
    """PNG files in `folder`, which is made where it is missing."""
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    made = []
    for name, figure in figures:
        with replacing(folder / f"{name}.png") as part:
            figure.savefig(part)
        made.append(folder / f"{name}.png")
    return made
