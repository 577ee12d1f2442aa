"""Gaussian errors of formats: closed forms, tables of Max 1960, moments in SciPy, Monte Carlo, lattices, order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from jaxscale.laws.precision import gaussian_mse as g


def array(levels) -> jax.Array:
    return jnp.asarray(levels, dtype=float)


def by_moments(levels: np.ndarray) -> float:
    """E(x - Q)^2 cell by cell from P, E[x] and E[x^2], in closed form: cancels, but in float64 to 1e-13."""
    edges = np.concatenate([[-np.inf], 0.5 * (levels[1:] + levels[:-1]), [np.inf]])
    p = norm.pdf(edges)
    xp = np.where(np.isfinite(edges), edges, 0.0) * p
    mass, first, second = np.diff(norm.cdf(edges)), -np.diff(p), np.diff(norm.cdf(edges)) - np.diff(xp)
    return float(np.sum(second - 2 * levels * first + levels**2 * mass))


def test_one_bit_is_closed(eps: float) -> None:
    """The best single magnitude is E|x| = sqrt(2/pi), and leaves 1 - 2/pi."""
    scale, error = g.best_scale(array(g.integer_levels(1)))
    assert float(error) == pytest.approx(1 - 2 / np.pi, rel=64 * eps)
    assert float(scale) == pytest.approx(np.sqrt(2 / np.pi), abs=np.sqrt(64 * eps))
    levels, same = g.lloyd_max(1)
    assert float(same) == pytest.approx(1 - 2 / np.pi, rel=64 * eps)
    assert np.asarray(levels) == pytest.approx([-np.sqrt(2 / np.pi), np.sqrt(2 / np.pi)], rel=64 * eps)


@pytest.mark.parametrize("levels", [g.integer_levels(4), g.signed_integer_levels(4) / 3, g.float_levels(2, 1) / 2])
def test_equals_the_moments(levels: np.ndarray, eps: float) -> None:
    assert float(g.scalar_mse(array(levels))) == pytest.approx(by_moments(levels), rel=64 * eps + 1e-12)


@pytest.mark.parametrize(("bits", "printed"), [(1, 0.3634), (2, 0.1188), (3, 0.03744), (4, 0.01154)])
def test_uniform_quantisers_of_max(bits: int, printed: float) -> None:
    """Max 1960, table II, four digits."""
    half = 5e-5 if bits < 3 else 5e-6
    assert float(g.best_scale(array(g.integer_levels(bits)))[1]) == pytest.approx(printed, abs=half)


@pytest.mark.parametrize(("bits", "printed"), [(1, 0.3634), (2, 0.1175), (3, 0.03454), (4, 0.009497)])
def test_lloyd_max_of_max(bits: int, printed: float) -> None:
    """Max 1960, table I, by hand: his 3 and 4 bits are 8e-6 and 4e-6 below the best there is (see the next test)."""
    _, error = g.lloyd_max(bits)
    assert float(error) == pytest.approx(printed, abs=5e-5 if bits < 3 else 8e-6)


@pytest.mark.parametrize("bits", [2, 4, 6])
def test_lloyd_max_is_a_fixed_point_and_an_optimum(bits: int, eps: float) -> None:
    levels, error = g.lloyd_max(bits)
    levels = np.asarray(levels, float)
    edges = np.concatenate([[-np.inf], 0.5 * (levels[1:] + levels[:-1]), [np.inf]])
    low, high = edges[:-1], edges[1:]
    # Above zero from the upper tail: there differences of the distribution function cancel.
    mass = np.where(low < 0, norm.cdf(high) - norm.cdf(low), norm.sf(low) - norm.sf(high))
    assert levels == pytest.approx(-np.diff(norm.pdf(edges)) / mass, abs=1000 * eps)
    # Where every level is the mean of its cell the error is 1 - E Q^2.
    assert float(error) == pytest.approx(1 - np.sum(mass * levels**2), abs=200 * eps)
    assert float(g.rate_distortion(jnp.asarray(bits, dtype=float))) < float(error)
    assert float(error) < float(g.best_scale(array(g.integer_levels(bits)))[1])


def test_many_levels_reach_the_panter_dite_limit() -> None:
    """pi sqrt(3) / 2 over 4^bits; from below, as 1 - O(1/levels)."""
    ratio = [float(g.lloyd_max(bits)[1]) * 4**bits / (np.pi * np.sqrt(3) / 2) for bits in (4, 6, 8)]
    assert 0 < 1 - ratio[2] < (1 - ratio[1]) / 3 < (1 - ratio[0]) / 9
    assert 1 - ratio[2] < 0.01


def test_codebooks() -> None:
    assert list(g.float_levels(2, 1)) == [-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6]
    assert len(g.float_levels(4, 3)) == 255
    assert g.float_levels(4, 3)[-1] == 1.875 * 2**14
    assert list(g.float_levels(0, 2)) == list(np.arange(-3, 4) / 4)
    assert list(g.signed_integer_levels(3)) == [-3, -2, -1, 0, 1, 2, 3]


def test_the_error_is_differentiable_in_the_levels() -> None:
    """At the Lloyd-Max levels its slope vanishes; elsewhere it is that of finite differences."""
    levels, _ = g.lloyd_max(3)
    slope = jax.grad(g.scalar_mse)(levels)
    eps = float(jnp.finfo(levels.dtype).eps)
    assert np.abs(np.asarray(slope)).max() < 100 * eps
    moved = np.asarray(levels, float) * 1.1
    step = np.eye(8)[6] * 1e-5
    want = (by_moments(moved + step) - by_moments(moved - step)) / 2e-5
    assert float(jax.grad(g.scalar_mse)(array(moved))[6]) == pytest.approx(want, rel=1e-6 + 100 * eps)


@pytest.mark.parametrize("S", [0.01, 0.5, 0.9])
def test_pruning(S: float) -> None:
    """S - 2 t phi(t), where the largest share 1 - S lies beyond t."""
    share = jnp.asarray(S, dtype=float)
    t = norm.ppf((1 + S) / 2)
    # In float32 1 + S rounds before t is taken: an error of eps / S of t^3.
    eps = float(jnp.finfo(share.dtype).eps)
    assert float(g.pruned_mse(share)) == pytest.approx(S - 2 * t * norm.pdf(t), rel=1e-9 + 16 * eps / S)


def test_pruning_in_blocks() -> None:
    """1:2 keeps the larger of two: 1/2 - 1/pi in closed form. Large blocks approach pruning of the whole."""
    eps = float(jnp.finfo(jnp.zeros(())).eps)
    assert float(g.pruned_blocks_mse(1, 2)) == pytest.approx(0.5 - 1 / np.pi, rel=64 * eps)
    half = float(g.pruned_mse(jnp.asarray(0.5, dtype=float)))
    excess = [float(g.pruned_blocks_mse(k, 2 * k)) - half for k in (1, 2, 4, 16)]
    assert excess == sorted(excess, reverse=True)
    # The cut of a block wanders about that of the whole with a variance of one over its size.
    assert 0 < excess[-1] < excess[0] / 8


def sampled(levels: np.ndarray, block: int, scale: str) -> tuple[float, float]:
    """Mean and standard error of the error of 30,000 blocks, quantised one by one."""
    x = np.random.default_rng(1).standard_normal((30_000, block))
    m, top = np.abs(x).max(axis=1, keepdims=True), levels.max()
    unit = m / top
    if scale == "power_of_two":
        unit = 2 ** (np.floor(np.log2(m)) - np.floor(np.log2(top)))
    elif scale == "e4m3":
        part, power = np.frexp(unit)
        unit = np.ldexp(np.round(part * 16) / 16, power)
    nearest = levels[np.searchsorted(0.5 * (levels[1:] + levels[:-1]), x / unit)] * unit
    error = ((x - nearest) ** 2).mean(axis=1)
    return float(error.mean()), float(error.std() / np.sqrt(len(error)))


@pytest.mark.parametrize(
    ("levels", "block", "scale"),
    [
        (g.float_levels(2, 1), 32, "power_of_two"),  # MXFP4
        (g.float_levels(2, 1), 16, "e4m3"),  # NVFP4
        (g.float_levels(4, 3), 32, "power_of_two"),  # MXFP8
        (g.signed_integer_levels(4), 32, "exact"),
        (g.signed_integer_levels(8), 2, "exact"),
    ],
    ids=["MXFP4", "NVFP4", "MXFP8", "INT4-32", "INT8-2"],
)
def test_block_formats_against_monte_carlo(levels: np.ndarray, block: int, scale: g.BlockScale) -> None:
    mean, sd = sampled(levels, block, scale)
    assert abs(float(g.block_mse(levels, block, scale)) - mean) < 4 * sd


def test_order_of_the_four_bit_formats() -> None:
    """Smaller blocks and finer scales leave less; no four-bit code beats its rate."""
    mx, nv = (float(g.block_mse(g.float_levels(2, 1), b, s)) for b, s in ((32, "power_of_two"), (16, "e4m3")))
    ideal = float(g.block_mse(g.float_levels(2, 1), 16, "exact"))
    assert 4.0**-4.5 < ideal < nv < mx


def test_second_moments_of_lattices_in_closed_form() -> None:
    """Conway and Sloane 1982; D4, of one node in the middle of three, is the best known in four dimensions."""
    d4 = ((0, 1), (0, 2), (0, 3))
    known = {g.SCALAR: 1 / 12, g.HEXAGONAL: 5 / (36 * np.sqrt(3)), d4: 13 / (120 * np.sqrt(2)), g.E8: 929 / 12960}
    for lattice, G in known.items():
        assert g.lattice_second_moment(lattice) == pytest.approx(G, rel=1e-13)


def nearest_d8(x: np.ndarray) -> np.ndarray:
    """Nearest integers of even sum: where the sum is odd, the worst rounded goes to its second nearest."""
    y = np.round(x)
    rows, worst = np.arange(len(x)), np.abs(x - y).argmax(axis=1)
    other = y[rows, worst] + np.where(x[rows, worst] > y[rows, worst], 1, -1)
    y[rows, worst] = np.where(y.sum(axis=1) % 2 == 0, y[rows, worst], other)
    return y


def nearest_e8(x: np.ndarray) -> np.ndarray:
    """E8 is D8 and D8 + 1/2, with one point per unit volume."""
    whole, half = nearest_d8(x), nearest_d8(x - 0.5) + 0.5
    nearer = ((x - whole) ** 2).sum(axis=1) < ((x - half) ** 2).sum(axis=1)
    return np.where(nearer[:, None], whole, half)


def test_a_gaussian_rounded_to_e8() -> None:
    """Monte Carlo of the error, points shrunk, and of the entropy: a cell's mass is a mean over points of the cell."""
    width = 0.5
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40_000, 8))
    y = width * nearest_e8(x / width)
    u = rng.uniform(0, 2, (256, 8))  # E8 contains 2 Z^8
    u = width * (u - nearest_e8(u))
    u = np.concatenate([u, -u])
    log_p = np.log(np.exp(-y @ u.T - 0.5 * (u**2).sum(axis=1)).mean(axis=1)) - 0.5 * (y**2).sum(axis=1)
    log_p += 8 * np.log(width / np.sqrt(2 * np.pi))
    error = ((x - y * (x * y).mean() / (y**2).mean()) ** 2).mean(axis=1)
    bits, want = -log_p.mean() / 8 / np.log(2), error.mean()
    sd = np.hypot(error.std() / want, 2 * log_p.std() / 8) / np.sqrt(len(x))
    assert sd < 0.003
    assert abs(float(g.lattice_mse(g.E8, array(bits))) / want - 1) < 4 * sd


def test_a_gaussian_rounded_to_hexagons() -> None:
    """Entropy and error of the cells themselves, by a fine grid over the plane; points at the means of their cells."""
    side, fine = 0.6, 0.02
    axis = np.arange(-6, 6, fine) + fine / 2
    x = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    basis = side * np.array([[1, 0], [0.5, np.sqrt(3) / 2]])
    corner = np.floor(x @ np.linalg.inv(basis))
    offsets = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])  # one of them is the nearest
    far = np.stack([((x - (corner + o) @ basis) ** 2).sum(axis=1) for o in offsets])
    point = corner + offsets[far.argmin(axis=0)]
    cell = np.unique((point @ [1000, 1]).astype(int), return_inverse=True)[1]
    mass = norm.pdf(x).prod(axis=1) * fine**2
    p = np.bincount(cell, mass)
    mean = np.stack([np.bincount(cell, mass * x[:, i]) for i in (0, 1)], axis=1) / p[:, None]
    bits = -np.sum(p * np.log2(p)) / 2
    error = np.sum(mass[:, None] * (x - mean[cell]) ** 2) / 2
    # Cells are made of squares of a thirtieth of their width.
    assert float(g.lattice_mse(g.HEXAGONAL, array(bits))) == pytest.approx(error, rel=2e-3)


@pytest.mark.parametrize(("step", "within"), [(1.0, 2e-4), (0.5, 1e-5)])
def test_a_scalar_with_entropy_coding(step: float, within: float, eps: float) -> None:
    """Uniform cells, at 2.1 and 3.1 bits, integrated by SciPy, with their means for levels."""
    edges = step * np.arange(-round(8 / step), round(8 / step) + 1)
    p = np.diff(norm.cdf(edges))
    bits, error = -np.sum(p * np.log2(p)), 1 - np.sum(np.diff(norm.pdf(edges)) ** 2 / p)
    assert float(g.lattice_mse(g.SCALAR, array(bits))) == pytest.approx(error, rel=within + 64 * eps)


@pytest.mark.parametrize("bits", [3.0, 6.0])
def test_order_of_lattices(bits: float) -> None:
    """Rounder cells leave less; entropy coding beats the best fixed-rate levels even with scalars."""
    lattices = [float(g.lattice_mse(lattice, array(bits))) for lattice in (g.E8, g.HEXAGONAL, g.SCALAR)]
    errors = [float(g.rate_distortion(array(bits))), *lattices, float(g.lloyd_max(int(bits))[1])]
    assert errors == sorted(errors)
    assert min(np.diff(np.log(errors))) > 0.03
