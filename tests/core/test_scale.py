"""How big a run is: its size by name, its scales by hand, and what a function of the runs says of it."""

import numpy as np
import pytest

from jaxscale import BadInput, Runs
from jaxscale.core.scale import scale_of, scales, size
from jaxscale.laws.architecture.chen2025 import ParallelStreams

N, P = np.array([1e8, 1e9, 1e10]), np.array([1.0, 8.0, 2.0])


def test_size_is_compute_or_what_spans_most_decades() -> None:
    ones = np.ones(3)
    name, x = size(Runs.of({"N": N, "D": 20 * N}, ones)) or ("", ones)
    assert name == "6 N D"
    np.testing.assert_allclose(x, 120 * N**2, rtol=1e-6)
    assert size(Runs.of({"N": N, "P": P}, ones))[0] == "N"  # pyright: ignore[reportOptionalSubscript]
    # A run of weight zero spans nothing.
    assert size(Runs.of({"N": N, "P": P}, ones, weight=[1.0, 0.0, 0.0])) is None
    assert size(Runs.of({"N": ones, "P": P}, ones))[0] == "P"  # pyright: ignore[reportOptionalSubscript]
    assert size(Runs.of({"share": [0.0, 0.5, 1.0]}, ones)) is None


def test_scales_by_hand() -> None:
    found = scales({"N": N, "D": 20 * N, "P": P}, ("P", "N", "D"))
    np.testing.assert_allclose(found, np.stack([np.log10(120 * N**2), np.full(3, np.log10(20)), np.log10(P)], axis=1))
    np.testing.assert_allclose(scales({"N": N, "P": P}, ("N", "P")), np.stack([np.log10(N), np.log10(P)], axis=1))


def test_scale_by_function_default_and_name() -> None:
    runs = Runs.of({"N": N, "P": P}, np.ones(3))
    name, x = scale_of(lambda r: r.inputs["N"] * r.inputs["P"], runs, runs, ParallelStreams())
    assert name.startswith("by ")
    np.testing.assert_allclose(x, N * P, rtol=1e-6)
    assert scale_of(None, runs, runs, ParallelStreams())[0] == "N"
    assert scale_of("P", runs, runs, ParallelStreams())[0] == "P"
    with pytest.raises(BadInput, match=r"one of \['N', 'P'\], got 'C'"):
        scale_of("C", runs, runs, ParallelStreams())
    flat = Runs.of({"N": np.full(3, 1e9), "P": np.ones(3)}, np.ones(3))
    with pytest.raises(BadInput, match="expected an input that grows"):
        scale_of(None, flat, flat, ParallelStreams())
