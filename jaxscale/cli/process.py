"""Settings of the command line's own process, made before jax touches a device."""

import os
from pathlib import Path

from jaxscale.cli.machine import check_flags
from jaxscale.core.errors import BadInput


def prepare() -> None:
    """float64, compiled programs kept between runs, one host device per core. What the user set stays.

    Raises `BadInput` on XLA_FLAGS that XLA does not know, and on a setting that JAX does not take.
    """
    try:
        # Begun by a module of JAX in C, NumPy's import would print Ctrl-C with its trace, and forget it.
        import numpy  # noqa: F401, I001
        import jax
    except ValueError as error:
        raise BadInput(f"JAX does not start: {error}; correct this variable, or unset it") from None
    check_flags()
    if "JAX_ENABLE_X64" not in os.environ:
        jax.config.update("jax_enable_x64", True)
    if "XLA_FLAGS" not in os.environ and "JAX_NUM_CPU_DEVICES" not in os.environ:
        jax.config.update("jax_num_cpu_devices", _cores())
    if os.environ.get("JAXSCALE_NO_CACHE") != "1" and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = _cache_folder()
        if folder is not None:
            jax.config.update("jax_compilation_cache_dir", str(folder))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cache_folder() -> Path | None:
    """A folder that only this user reads, for what lies in it is run; None where there can be none."""
    from jaxscale.studies.fetch import cache_folder

    folder = cache_folder() / "compiled"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mine = not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
        private = os.name != "posix" or not folder.stat().st_mode & 0o022
    except OSError:
        return None
    return folder if mine and private and os.access(folder, os.W_OK) else None
