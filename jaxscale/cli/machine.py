"""Faults of the machine and of its settings, told from those of jaxscale."""

import os

from jaxscale.core.errors import BadInput

_MEMORY = "RESOURCE_EXHAUSTED"  # XLA's word, whatever the device


def cause(error: BaseException) -> str | None:
    """What on this machine made `error`, and what to do about it, as a sentence; None where nothing is to blame."""
    import jax

    if isinstance(error, MemoryError) or _MEMORY in str(error):
        return "the memory of this machine is not enough; ask for fewer draws, chains or starts, or use a larger one"
    try:
        jax.devices()
    except Exception as broken:  # whatever jaxscale computes on is not there: any error came of that
        first = (str(broken).splitlines() or ["none of them starts"])[0].rstrip(".")
        asked = {name: value for name in ("JAX_PLATFORMS", "JAX_NUM_CPU_DEVICES") if (value := os.environ.get(name))}
        named = ", ".join(f"{name}={value}" for name, value in asked.items()) or "JAX_PLATFORMS"
        return f"JAX finds no device to run on ({first}); correct {named}, or unset it"
    return None


def check_flags() -> None:
    """Raises `BadInput` on XLA_FLAGS that XLA would end the process for, without a word of ours.

    A child reads them first (10 ms). Where there is no fork, XLA has its way.
    """
    if not os.environ.get("XLA_FLAGS") or not hasattr(os, "fork"):
        return
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(writing, 2)
        from jaxlib.xla_client import CompileOptions

        _ = CompileOptions().executable_build_options.debug_options
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8", errors="replace") as stream:
        said = stream.read()
    if os.waitpid(child, 0)[1]:
        first = said.partition("\n")[0].rpartition("] ")[2] or "XLA refuses them"
        raise BadInput(f"XLA_FLAGS: expected flags that XLA knows, got {os.environ['XLA_FLAGS']!r} ({first}); unset it")
