"""The file itself: replaced whole or not at all, sealed by a checksum, refused with a sentence."""

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from jaxscale.core.errors import BadInput
from jaxscale.execute import files
from jaxscale.report.store.netcdf import netcdf

FORMAT, SCHEMA = "jaxscale fit", 1
SEAL = "sha256"
GROUPS = (
    *("/", "/fit", "/fit/certificate", "/fit/identifiability", "/runs", "/provenance"),
    *("/bootstrap", "/posterior", "/card"),
)


def write(path: str | Path, tree: xr.DataTree) -> None:
    """Seal `tree` and put it at `path`, whole or not at all. Raises `BadInput` where the folder cannot be written."""
    _needs_h5py()
    sealed = tree.copy()
    sealed.attrs[SEAL] = checksum(tree)
    plain = {node.path: {name: {"_FillValue": None} for name in _numeric(node)} for node in sealed.subtree}
    data = netcdf(sealed, plain)
    _small(path, len(data))
    files.write(path, data)


def _small(path: str | Path, size: int) -> None:
    """Raise `BadInput` where `read` would refuse so large a file."""
    from jaxscale.report.store.hdf5 import LARGEST

    if size > LARGEST:
        raise BadInput(f"{path}: expected at most {LARGEST >> 20} MiB, got {size >> 20} MiB of draws; save fewer draws")


def _numeric(node: xr.DataTree) -> list[str]:
    # Without this xarray would mark NaN as missing, and a user's tools would mask it.
    return [str(n) for n, v in node.to_dataset(inherit=False).variables.items() if v.dtype.kind in "fiu"]


def read(path: str | Path) -> xr.DataTree:
    """The tree at `path`, in memory. Raises `BadInput` unless it is a whole file of a schema known here.

    Structure and sizes are checked before anything is loaded; links are not followed.
    """
    _needs_h5py()
    from jaxscale.report.store.hdf5 import contents

    if not Path(path).is_file():
        raise BadInput(f"{path}: expected a saved fit, got no such file; check the path")
    try:
        return xr.DataTree.from_dict(contents(path, GROUPS, _known))
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    except Exception as error:  # HDF5 tells damage by errors of many kinds, from OSError to KeyError
        raise BadInput(
            f"{path}: expected a whole netCDF file, got one that cannot be read ({_first_line(error)}); "
            "it is damaged or of another kind: copy it again, or save the fit again"
        ) from error


def _known(header: Mapping[str, Any]) -> None:
    """Raise `BadInput` unless the root's attributes are those of a file that can be read here."""
    if header.get("format") != FORMAT:
        raise BadInput(
            f"expected a file written by jaxscale (format = {FORMAT!r}), got a netCDF file of another origin; "
            "give a file that jaxscale saved"
        )
    schema = header.get("schema")
    if type(schema) is not int or not 1 <= schema <= SCHEMA:
        raise BadInput(
            f"expected schema 1 to {SCHEMA}, got {str(schema)[:20]}, written by jaxscale "
            f"{str(header.get('jaxscale_version', 'of unknown version'))[:40]}; install that version"
        )


def check_seal(tree: xr.DataTree) -> None:
    """Raise `BadInput` where the content is not what was written."""
    stored, now = tree.attrs.get(SEAL), checksum(tree)
    if stored != now:
        raise BadInput(
            f"expected content with the checksum {str(stored)[:12]}, got {now[:12]}; it was damaged or changed since "
            "it was written: copy it again, or save the fit again"
        )


def checksum(tree: xr.DataTree) -> str:
    """SHA-256 over the names, dimensions, values and attributes of every group, the checksum itself left out."""
    state = hashlib.sha256()
    for node in sorted(tree.subtree, key=lambda node: node.path):
        own = node.to_dataset(inherit=False)
        state.update(_canonical([node.path, _attributes(own.attrs)]))
        for name in sorted(own.variables, key=str):
            variable = own.variables[name]
            data = np.asarray(variable.values)
            text = data.dtype.kind in "OUST"
            kind = "text" if text else data.dtype.newbyteorder("<").str
            state.update(_canonical([name, variable.dims, data.shape, kind, _attributes(variable.attrs)]))
            state.update(_canonical(data.tolist()) if text else np.ascontiguousarray(data, kind).reshape(-1).data)
    return state.hexdigest()


def _attributes(attributes: Any) -> dict[str, Any]:
    # A file returns a list of one as its item, hence atleast_1d.
    return {str(k): np.atleast_1d(v).tolist() for k, v in attributes.items() if k not in (SEAL, "_FillValue")}


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, default=str).encode()


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:200] or type(error).__name__


def _needs_h5py() -> None:
    if importlib.util.find_spec("h5py") is None:
        raise ImportError("saving and loading fits needs h5py, which is not installed; install it: pip install h5py")
