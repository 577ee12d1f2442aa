"""A saved file as input that nobody vouches for: its structure is walked and its sizes are added up before it is read.

What `save` writes is plain: a few groups, contiguous arrays without filters, UTF-8 texts, small attributes, every
object under one name. HDF5 can hold much else (links to other files and back to the root, data in other files, sizes
that are declared and not there, compression). None of it is followed or unpacked: it is refused.
"""

import io
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np
import xarray as xr
from h5py import h5a, h5d, h5l, h5o, h5t  # pyright: ignore[reportAttributeAccessIssue]  # compiled, without stubs

from jaxscale.core.errors import BadInput

LARGEST = 2**27  # bytes of a file
_OBJECTS, _ATTRIBUTES, _AXES = 2000, 64, 8
_ATTRIBUTE = 2**16  # bytes of an attribute, as HDF5 itself has it
# A text is stored elsewhere in the file; in its place stands how long it is, and where.
_PLACE = np.dtype([("length", "<u4"), ("address", "<u8"), ("index", "<u4")])
_NUMBERS = {np.dtype(kind).newbyteorder("<") for kind in ("f4", "f8", "i1", "i2", "i4", "i8")}
_ONLY_SIZE = b"This is a netCDF dimension but not a netCDF variable."  # the name of a dimension without values
# What netCDF notes for itself; of these only the two numbers of dimensions are read.
_NOTES = {"CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "_NCProperties", "_Netcdf4Dimid", "_Netcdf4Coordinates"}


def contents(
    path: str | Path, groups: Collection[str], known: Callable[[Mapping[str, Any]], None]
) -> dict[str, xr.Dataset]:
    """The variables and attributes of every group of the file, by path; there may be the `groups` and no others.

    `known` is called with the root's attributes first and raises where the file is of another kind. Raises `BadInput`
    where the file is larger than `LARGEST` or holds anything that `save` does not write, and errors of h5py where it is
    no HDF5 file or damaged.
    """
    with open(path, "rb") as stream:  # read once: what is checked is what is loaded, whoever replaces the file
        large = os.fstat(stream.fileno()).st_size > LARGEST
        data = b"" if large else stream.read(LARGEST)
    if large:
        raise BadInput(f"expected a saved fit of at most {LARGEST >> 20} MiB, got a larger file; save fewer draws")
    with h5py.File(io.BytesIO(data), "r") as file:
        known(_Walk(data, groups).attributes("/", file))
        return _Walk(data, groups).all(file)


class _Walk:
    """One pass over a file: what it has seen, and how many bytes are left to be declared."""

    def __init__(self, data: bytes, groups: Collection[str]) -> None:
        self.data, self.groups = data, groups
        self.left = len(data)
        self.seen: set[int] = set()

    def all(self, file: h5py.File) -> dict[str, xr.Dataset]:
        """Every group, a parent before its children."""
        found: dict[str, xr.Dataset] = {}
        waiting: list[tuple[str, Any]] = [("/", file["/"])]
        while waiting:
            path, group = waiting.pop(0)
            self._once(path, h5o.get_info(group.id))
            found[path], inner = self._group(path, group)
            waiting += inner
        return found

    def _once(self, path: str, about: Any) -> None:
        """An object has one name: another one is a second copy of its content, or a way round in circles."""
        if about.rc > 1 or about.addr in self.seen:
            refuse(path, "an object of one name", "another name of an object")
        self.seen.add(about.addr)
        if len(self.seen) > _OBJECTS:
            refuse(path, f"at most {_OBJECTS} groups and variables", "more")

    def _group(self, path: str, group: h5py.Group) -> tuple[xr.Dataset, list[tuple[str, h5py.Group]]]:
        if group.id.get_num_objs() > _OBJECTS:
            refuse(path, f"at most {_OBJECTS} groups and variables", f"{group.id.get_num_objs()}")
        inner, variables = [], []
        for name in map(str, group):
            own = f"{path.rstrip('/')}/{name}"
            if group.id.links.get_info(name.encode()).type != h5l.TYPE_HARD:
                refuse(own, "a group or a variable of this file", "a link to another place")
            kind = h5o.get_info(group.id, name.encode()).type
            if kind == h5o.TYPE_GROUP:
                if own not in self.groups:
                    refuse(own, f"the groups {', '.join(self.groups)}", "another one")
                inner.append((own, group[name]))
            elif kind == h5o.TYPE_DATASET:
                variables.append((name, own, group[name]))
            else:
                refuse(own, "a group or a variable", "a stored type")
        dims, values = {}, []
        for name, own, dataset in variables:
            self._once(own, h5o.get_info(dataset.id))
            number, only_size = self._dimension(own, dataset)
            if number is not None:
                if number in dims:
                    refuse(own, "a dimension of its own", "the number of another one")
                dims[number] = (name, dataset.shape)
            if not only_size:
                values.append((name, own, dataset))
        found = {name: self._variable(own, dataset, dims) for name, own, dataset in values}
        unused = {name for name, _ in dims.values()} - {d for v in found.values() for d in v.dims}
        if unused:
            refuse(path, "dimensions of its variables", f"a further one, {quoted(min(unused))}")
        return xr.Dataset(found, attrs=self.attributes(path, group)), inner

    # Dimensions, by the numbers that netCDF gives them

    def _dimension(self, path: str, dataset: h5py.Dataset) -> tuple[int | None, bool]:
        """The number of the dimension that a dataset stands for, if it is one, and whether it has a size alone."""
        if "CLASS" not in dataset.attrs:
            return None, False
        number = self._whole(path, dataset, "_Netcdf4Dimid")
        name = dataset.attrs.get_id("NAME") if "NAME" in dataset.attrs else None
        if len(number) != 1 or len(dataset.shape or ()) != 1 or name is None:
            refuse(path, "a dimension as netCDF writes it", "one without number or name")
        if not isinstance(name.get_type(), h5t.TypeStringID) or name.get_storage_size() > 256:
            refuse(path, "a dimension as netCDF writes it", "one of another name")
        return number[0], np.asarray(dataset.attrs["NAME"]).tobytes().startswith(_ONLY_SIZE)

    def _whole(self, path: str, dataset: h5py.Dataset, name: str) -> list[int]:
        """A small attribute of whole numbers."""
        if name not in dataset.attrs:
            return []
        held = dataset.attrs.get_id(name)
        if held.dtype.kind != "i" or held.shape is None or int(np.prod(held.shape, dtype=float)) > _AXES:
            refuse(path, f"whole numbers as {name}", "something else")
        return np.asarray(dataset.attrs[name]).reshape(-1).tolist()

    def _variable(self, path: str, dataset: h5py.Dataset, dims: Mapping[int, tuple[str, Any]]) -> xr.Variable:
        shape = dataset.shape
        if shape is None or len(shape) > _AXES:
            refuse(path, f"an array of at most {_AXES} axes", "none" if shape is None else f"one of {len(shape)}")
        numbers = self._whole(path, dataset, "_Netcdf4Coordinates") if shape else []
        if len(numbers) != len(shape) or any(
            n not in dims or dims[n][1] != (s,) for n, s in zip(numbers, shape, strict=False)
        ):
            refuse(path, "the dimensions of its group", f"the shape {shape} over others")
        names = tuple(dims[n][0] for n in numbers)
        if len(set(names)) < len(names):
            refuse(path, "dimensions of different names", "one of them twice")
        return xr.Variable(names, self._values(path, dataset), self.attributes(path, dataset))

    # Values

    def _values(self, path: str, dataset: h5py.Dataset) -> np.ndarray:
        """Numbers or texts that lie in this file as they are."""
        layout = dataset.id.get_create_plist()
        if layout.get_layout() not in (h5d.COMPACT, h5d.CONTIGUOUS) or layout.get_nfilters():
            refuse(path, "an array in one piece, not compressed", "one in chunks, compressed or put together")
        if layout.get_external_count():
            refuse(path, "values in this file", "values in another file")
        text = _is_text(dataset.id.get_type())
        stored = _PLACE if text else dataset.dtype
        if not text and stored not in _NUMBERS:
            refuse(path, "numbers or UTF-8 texts", f"values of the type {quoted(dataset.dtype)}")
        count = int(np.prod(dataset.shape, dtype=object))
        at = dataset.id.get_offset()
        self._declare(path, count * stored.itemsize)
        if dataset.id.get_storage_size() != count * stored.itemsize or not count:
            refuse(path, f"{count} values", "fewer or none in the file")
        if at is None and layout.get_layout() == h5d.CONTIGUOUS:
            refuse(path, f"{count} values", "none in the file")
        if not text and at is not None:
            if at + count * stored.itemsize > len(self.data):
                refuse(path, f"{count} values", "a place beyond the end of the file")
            return np.frombuffer(self.data, stored, count, at).reshape(dataset.shape).copy()
        if text:
            if at is None or at + count * stored.itemsize > len(self.data):
                refuse(path, "texts as jaxscale writes them", "texts in another place")
            self._declare(path, int(np.sum(np.frombuffer(self.data, _PLACE, count, at)["length"], dtype=np.int64)))
            found = np.asarray(dataset[()], object)
            return np.array([x.decode() for x in found.reshape(-1)], object).reshape(found.shape)
        return np.asarray(dataset[()])

    def _declare(self, path: str, size: int) -> None:
        """What lies in a file is at most as large as the file."""
        if size > self.left:
            refuse(path, f"content of at most {len(self.data)} bytes, as the file has", "more that is declared")
        self.left -= size

    def attributes(self, path: str, node: h5py.Group | h5py.Dataset) -> dict[str, Any]:
        if h5a.get_num_attrs(node.id) > _ATTRIBUTES:
            refuse(path, f"at most {_ATTRIBUTES} attributes", f"{h5a.get_num_attrs(node.id)}")
        return {name: self._attribute(path, node, name) for name in node.attrs if name not in _NOTES}

    def _attribute(self, path: str, node: h5py.Group | h5py.Dataset, name: str) -> Any:
        held, where = node.attrs.get_id(name), f"{path}, attribute {quoted(name)}"
        if held.shape is None or len(held.shape) > 1 or held.get_storage_size() > _ATTRIBUTE:
            refuse(where, "a number, a few or a text", f"an array of shape {held.shape}")
        if _is_text(held.get_type()):
            if held.shape != ():
                refuse(where, "one text", f"texts of shape {held.shape}")
            found = node.attrs[name]
            if not isinstance(found, str) or len(found) > _ATTRIBUTE:
                refuse(where, f"a text of at most {_ATTRIBUTE} bytes", "a longer one")
            found.encode()  # h5py lets bytes pass that are no UTF-8
            self._declare(where, len(found))
            return found
        if held.dtype not in _NUMBERS and held.dtype != bool:
            refuse(where, "a number or a text", f"a value of the type {quoted(held.dtype)}")
        found = np.asarray(node.attrs[name])
        return found.item() if found.size == 1 else found


def _is_text(stored: Any) -> bool:
    return isinstance(stored, h5t.TypeStringID) and stored.is_variable_str()


def quoted(text: Any, most: int = 60) -> str:
    """What stands in a file, as a sentence may repeat it: in quotes, escaped, not longer than `most`."""
    found = ascii(str(text)[: most + 1])
    return found if len(str(text)) <= most else f"{found[:most]}...'"


def refuse(where: str, expected: str, got: str) -> NoReturn:
    """Raises `BadInput`: what was expected where, and what came."""
    raise BadInput(f"{quoted(where, 120)}: expected {expected}, got {got}; give a file that jaxscale saved, unchanged")
