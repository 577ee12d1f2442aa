"""A corrected law against its formula by hand, its derivatives, a unit of the loss, and plans by dense search."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale import BadInput, allocate, from_published, signature
from jaxscale.compose import Corrected
from jaxscale.core.evaluate import at_points
from jaxscale.core.parametric import scaled, values
from jaxscale.laws.architecture.chen2025 import ParallelStreams
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.report.store.structure import decode, encode

SHIFT = {"E": 0.01, "alpha": -0.002}
N, D = np.geomspace(1e8, 1e11, 7), np.geomspace(2e12, 3e10, 7)


def corrected(limit: float = 1.0, **shift: float) -> Corrected:
    places = [[21.0, 1.5], [22.0, 1.0]]
    return Corrected(
        from_published(Chinchilla, "besiroglu2024"),
        ("N", "D"),
        shift=shift,
        places=places,
        lengths=[[1.0, 0.5], [2.0, 0.7]],
        weight=[0.02, -0.01],
        limit=limit,
    )


def by_hand(law: Corrected, limit: float = 1.0) -> np.ndarray:
    """In NumPy, with the derivative along the shift in closed form."""
    known = {name: float(x) for name, x in values(law.law).items()}
    E, A, B, alpha, beta = (known[name] for name in ("E", "A", "B", "alpha", "beta"))
    loss = E + A * N**-alpha + B * D**-beta
    x = np.stack([np.log10(6 * N * D), np.log10(D / N)], axis=1)
    told = 0.02 * np.exp(-0.5 * ((x[:, 0] - 21) ** 2 + ((x[:, 1] - 1.5) / 0.5) ** 2))
    told -= 0.01 * np.exp(-0.5 * (((x[:, 0] - 22) / 2) ** 2 + ((x[:, 1] - 1) / 0.7) ** 2))
    moved = {name: float(x) for name, x in law.shift.items()}
    taken = (moved["E"] - moved["alpha"] * A * np.log(N) * N**-alpha) / loss
    return loss * np.exp(np.clip(told - taken, -limit, limit))


@pytest.mark.parametrize("limit", [1.0, 0.002])
def test_it_is_its_formula(limit: float, eps: float) -> None:
    law = corrected(limit, **SHIFT)
    # Places are of order twenty, in units of lengths of one half: their squares are known to a few hundred roundings.
    np.testing.assert_allclose(at_points(law, {"N": N, "D": D}), by_hand(law, limit), rtol=300 * eps)


def test_without_kernels_and_shift_it_is_the_law(eps: float) -> None:
    alone = from_published(Chinchilla, "besiroglu2024")
    none = np.zeros((0, 2))
    law = Corrected(alone, ("N", "D"), shift={}, places=none, lengths=none, weight=none[:, 0], limit=0.0)
    np.testing.assert_allclose(at_points(law, {"N": N, "D": D}), at_points(alone, {"N": N, "D": D}), rtol=4 * eps)
    assert signature(law) == signature(alone)


def test_parameters_of_the_law_keep_their_names() -> None:
    law = corrected(**SHIFT)
    known = values(law)
    assert {name: known[name] for name in values(law.law)} == values(law.law)
    assert float(law.replace(alpha=0.4).law.alpha) == pytest.approx(0.4)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("c", [1e-3, 250.0])
def test_losses_c_times_as_large(c: float, eps: float) -> None:
    law = corrected(**SHIFT)
    larger = scaled(law, jnp.asarray(c, law.limit.dtype))
    point = {"N": N, "D": D}
    np.testing.assert_allclose(at_points(larger, point), c * at_points(law, point), rtol=300 * eps)


def test_any_positive_input(eps: float) -> None:
    law = Corrected(
        ParallelStreams(), ("N", "P"), shift={}, places=[[9.0, 0.5]], lengths=[[1.0, 0.3]], weight=[0.03], limit=1.0
    )
    streams = np.array([1.0, 2.0, 4.0, 8.0])
    alone = at_points(law.law, {"N": 3e9, "P": streams})
    told = 0.03 * np.exp(-0.5 * ((np.log10(3e9) - 9) ** 2 + ((np.log10(streams) - 0.5) / 0.3) ** 2))
    np.testing.assert_allclose(at_points(law, {"N": 3e9, "P": streams}), alone * np.exp(told), rtol=300 * eps)


@pytest.mark.x64
def test_it_is_planned_as_any_law() -> None:
    law = corrected(**SHIFT)
    budgets = np.array([1e20, 1e22])
    best = allocate(law, budgets)
    for i, C in enumerate(budgets):
        sizes = np.geomspace(C**0.5 / 1e3, C**0.5 * 10, 400_001)
        losses = at_points(law, {"N": sizes, "D": C / 6 / sizes})
        # A grid of step h misses the minimum of a function of log N by at most h / 2 in place.
        assert np.log(best.N[i] / sizes[np.argmin(losses)]) == pytest.approx(0, abs=np.log(sizes[1] / sizes[0]))


def test_a_file_holds_it() -> None:
    law = corrected(**SHIFT)
    again: Any = decode(encode(law), {name: np.asarray(x) for name, x in values(law).items()}, trust=False, writer="")
    assert jax.tree.structure(again) == jax.tree.structure(law)
    np.testing.assert_array_equal(at_points(again, {"N": N, "D": D}), at_points(law, {"N": N, "D": D}))


def test_refusals() -> None:
    with pytest.raises(BadInput, match=r"no parameter \['gamma'\]; it has \['E', 'A'"):
        corrected(gamma=1.0)
    with pytest.raises(BadInput, match=r"expected inputs of \['N', 'D'\]"):
        Corrected(Chinchilla(), ("P",), shift={}, places=[[0.0]], lengths=[[1.0]], weight=[0.0], limit=1.0)
