"""What a fit card says on how to come back: versions, the machine, and hashes of data and code."""

import importlib.metadata
import platform
from typing import Any

from jaxscale.core.errors import BadInput
from jaxscale.infer.fit.fit import Fit
from jaxscale.report.card.law import law_classes
from jaxscale.report.store.structure import source_sha256

_PACKAGES = ("jaxscale", "jax", "jaxlib", "equinox", "optax", "numpyro", "arviz", "numpy", "scipy")


def versions(fit: Fit) -> dict[str, str]:
    """Of this process, with the device that holds the fit and its precision."""
    (device,) = fit.problem.runs.target.devices()
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
        "system": platform.platform(),
        "device": f"{device.platform}: {device.device_kind}",
        "precision": str(fit.problem.runs.target.dtype),
    }


def hashes(fit: Fit, runs_sha256: str) -> dict[str, Any]:
    """SHA-256 of the runs as fitted, of the table they come from, and of the source text of the law's classes.

    The runs' is over every column's name and bytes, in the order of the names, in the precision of the fit.
    """
    return {
        "runs_sha256": runs_sha256,
        "source_sha256": fit.provenance.get("sha256"),
        "law_source_sha256": {cls.__name__: _source(cls) for cls in law_classes(fit.law)},
    }


def _source(cls: type) -> str | None:
    try:
        return source_sha256(cls)
    except BadInput:
        return None  # typed at a prompt: the card says that nobody knows its text
