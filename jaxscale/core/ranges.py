"""Ranges of settings: declared beside each, as in `df: Annotated[float, Range(0.1, 1e6)]`, and checked by one function.

A setting is what a person chooses: the width of a penalty, a number of draws, a seed. `checked` reads the declarations
of a function or of the fields of a class and refuses what lies outside in one sentence. Values under a trace pass.
"""

import functools
import inspect
import numbers
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

import jax
import jax.core
import numpy as np

from jaxscale.core.errors import BadInput


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both of them in; `whole`: only whole ones. `like` is a usual value.

    `why`: the reason for the upper end, where it is not plain.
    """

    low: float
    high: float
    whole: bool = False
    like: str = ""
    why: str = ""

    def check(self, value: Any, name: str) -> None:
        """Raises `BadInput` where `value` is no such number."""
        if isinstance(value, jax.core.Tracer):
            return
        number: Any = (
            value.item() if isinstance(value, np.ndarray | np.generic | jax.Array) and value.size == 1 else value
        )
        right = isinstance(number, numbers.Integral if self.whole else numbers.Real) and not isinstance(number, bool)
        right = right and (self.whole or not isinstance(number, int) or abs(number) < 2**63)  # more is no number to JAX
        size: Any = number
        if right and self.low <= size <= self.high:
            return
        kind = "a whole number" if self.whole else "a number"
        bound = f"at least {_digits(self.low)}"
        if right and size > self.high:
            bound = f"at most {_digits(self.high)}" + (f", as {self.why}" if self.why else "")
        usual = f"; write it like {self.like}" if self.like else ""
        raise BadInput(f"{name}: expected {kind} of {bound}, got {value!r}{usual}")


def _digits(value: float) -> str:
    return str(value) if isinstance(value, int) and abs(value) < 10**6 else f"{value:.4g}"


SEED = Range(0, 2**63 - 1, whole=True, like="0", why="keys of random numbers are made of 64 bits")
FRACTION = Range(1e-6, 1 - 1e-6, like="0.8")


POSITIVE = Range(1e-30, 1e30, like="1")  # far inside of what float32 holds
REAL = Range(-1e30, 1e30, like="0")


@functools.cache
def memory() -> int:
    """Bytes that this machine has, or lets this process have."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 2**34
    try:
        with open("/sys/fs/cgroup/memory.max") as stream:
            text = stream.read().strip()
    except OSError:  # no such group: the machine is all there is
        return there
    return min(there, int(text)) if text.isdigit() else there


def many(least: int, bytes_each: int = 256, like: str = "1000") -> Range:
    """How many draws, starts or chains: as many as memory holds, each of `bytes_each` at least."""
    most = memory() // bytes_each
    return Range(least, most, True, like, f"each takes {bytes_each} bytes and more of the {memory() / 2**30:.3g} GiB")


def ranges_of(thing: Any) -> Iterator[tuple[str, Range, tuple[Any, ...]]]:
    """(name, range, what else may stand there) of every declared setting of a function or a class."""
    found = inspect.signature(thing).parameters if inspect.isfunction(thing) else _fields(thing)
    for name, given in found.items():
        annotation = given.annotation if isinstance(given, inspect.Parameter) else given
        options = get_args(annotation) if get_origin(annotation) is not Annotated else (annotation,)
        ranged = [option for option in options if get_origin(option) is Annotated]
        for allowed in (r for option in ranged for r in get_args(option)[1:] if isinstance(r, Range)):
            yield name, allowed, tuple(option for option in options if option not in ranged)


def _fields(cls: type) -> dict[str, Any]:
    return {
        name: kind for base in reversed(cls.__mro__) for name, kind in vars(base).get("__annotations__", {}).items()
    }


def check_fields(settings: Any) -> None:
    """Raises `BadInput` where a field of `settings` lies outside its range: for `__check_init__` and its like."""
    for name, allowed, others in ranges_of(type(settings)):
        _check(getattr(settings, name), allowed, others, f"{type(settings).__name__}: {name}")


def checked[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """`function`, whose arguments are checked against the ranges that its signature declares."""
    signature, declared = inspect.signature(function), tuple(ranges_of(function))

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        given = signature.bind(*args, **kwargs).arguments
        for name, allowed, others in declared:
            if name in given:
                _check(given[name], allowed, others, f"{function.__name__}: {name}")
        return function(*args, **kwargs)

    return run


def _check(value: Any, allowed: Range, others: tuple[Any, ...], name: str) -> None:
    if value is None and type(None) in others:
        return
    if not isinstance(value, numbers.Number | str) and set(others) - {type(None)}:
        return  # what else may stand there, such as a key where a seed can, is checked by whoever takes it
    allowed.check(value, name)
