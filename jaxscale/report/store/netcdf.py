"""A tree of data sets as the bytes of a netCDF-4 file, made in HDF5's own memory.

HDF5 that meets a full disk, or Python's errors in a file of Python's, takes the whole process with it; here it meets
neither. The bytes are then written as all others are, by `core.files`.
"""

from collections.abc import Mapping
from typing import Any

import xarray as xr


def netcdf(tree: xr.DataTree, encoding: Mapping[str, Mapping[str, Any]] | None = None) -> bytes:
    """What `tree.to_netcdf` writes. `encoding` is by group, then by variable."""
    import h5netcdf
    import h5py
    from xarray.backends import H5NetCDFStore

    # As h5netcdf opens files itself: other readers of netCDF need the order.
    with h5py.File("memory", "w", driver="core", backing_store=False, track_order=True) as file:
        with h5netcdf.File(file, "w") as written:
            root = H5NetCDFStore(written, mode="w")
            for node in tree.subtree:
                store = root if node is tree else root.get_child_store(node.path)
                own = node.to_dataset(inherit=node is tree)
                own.dump_to_store(store, encoding=(encoding or {}).get(node.path))
        file.flush()
        return file.id.get_file_image()
