"""How the draws of two ensembles meet when two laws are compared."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.core.results import RESULTS
from jaxscale.plan.invert import laws_in


def many(given: Any) -> bool:
    """Whether it is an ensemble, with draws in front."""
    return not isinstance(given, AbstractLaw)


def paired_laws(a: Any, b: Any, paired: bool) -> tuple[AbstractLaw, AbstractLaw, bool]:
    """Two laws (False), or as many draws of either (True): of two ensembles, or of one and a law that meets each.

    Draws that did not converge are left out. Two ensembles are

    - paired: draw i meets draw i, as is right where both come from the same resamples or one joint posterior. What
      the resamples did to both then cancels. A draw that failed in one is left out of both.
    - not paired, for independent ensembles: each draw meets one half an ensemble further on, so that ensembles which
      share their resamples are not paired by accident; the shorter one is repeated.

    Raises `BadInput` on `paired` ensembles of different length, on `paired` without two ensembles, on joint laws, and
    on laws of different quantities.
    """
    laws = laws_in(a), laws_in(b)
    for law in laws:
        if "group" in signature(law).inputs:
            raise BadInput(
                f"{type(law).__name__}: expected the law of one group, got a joint one; take a group's with "
                "member(ensemble, group), or law.member(group)"
            )
    units = [signature(law).output.unit for law in laws]
    if units[0] != units[1]:
        raise BadInput(f"expected two laws of one quantity, got {units[0] or 'no unit'} and {units[1] or 'no unit'}")
    if paired and not (many(a) and many(b)):
        raise BadInput("paired: expected two ensembles, got a law without draws; leave paired out")
    if not many(a) and not many(b):
        return *laws, False
    for ensemble in filter(many, (a, b)):
        ensemble.check()
    ok = [_converged(x) if many(x) else np.ones(1, bool) for x in (a, b)]
    if paired:
        if len(ok[0]) != len(ok[1]):
            raise BadInput(
                f"paired: expected as many draws of both, got {len(ok[0])} and {len(ok[1])}; draw both ensembles from "
                "the same resamples, and leave no draw out of one of them (no .ok()), or compare them unpaired"
            )
        ok = [ok[0] & ok[1]] * 2
    kept = [np.flatnonzero(x) for x in ok]
    if not all(len(k) for k in kept):
        raise BadInput("paired: expected draws that converged in both ensembles, got none; compare them unpaired")
    size = max(map(len, kept))
    shift = size // 2 if many(a) and many(b) and not paired else 0
    rows = kept[0][np.arange(size) % len(kept[0])], kept[1][(np.arange(size) + shift) % len(kept[1])]
    stacked = (law if many(x) else jax.tree.map(lambda v: v[None], law) for law, x in zip(laws, (a, b), strict=True))
    taken = (jax.tree.map(lambda v, r=r: jnp.asarray(v)[r], law) for law, r in zip(stacked, rows, strict=True))
    return *taken, True


def _converged(ensemble: Any) -> np.ndarray:
    return np.asarray(ensemble.code) == RESULTS.converged


def each(f: Any, drawn: bool) -> Any:
    """f of one law or two, over their draws where there are any."""
    return eqx.filter_vmap(f) if drawn else f
