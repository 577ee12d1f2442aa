"""A law or an objective as text: class names, settings and parameter names, never code and never a pickle.

Classes of the package are written by name and found by walking the package. A class from elsewhere is
written as its import path and the SHA-256 of its source; importing it runs its file, so that needs `trust`.
"""

import dataclasses
import difflib
import functools
import hashlib
import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import equinox as eqx
import jax

from jaxscale import compose, laws, objectives
from jaxscale.core.errors import BadInput
from jaxscale.core.parametric import declared, specs


@dataclasses.dataclass(frozen=True)
class _Named:
    """Stands where an array stood in a tree: the array is stored under this name."""

    name: str


@functools.cache
def _objectives() -> Mapping[str, type[eqx.Module]]:
    """Every module class of `jaxscale.objectives`, and of `jaxscale.compose`, whose laws hold others, by name."""
    found: dict[str, type[eqx.Module]] = {}
    packages = (objectives, compose)
    for info in (i for package in packages for i in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")):
        module = importlib.import_module(info.name)
        for name, thing in vars(module).items():
            if isinstance(thing, type) and issubclass(thing, eqx.Module) and thing.__module__ == module.__name__:
                found[name] = thing
    return MappingProxyType(found)


def encode(tree: Any) -> dict[str, Any]:
    """`tree` as JSON values, its arrays by their declared names.

    Raises `BadInput` where a setting is not a plain value, or a class of the user's cannot be found again.
    """
    names = [_Named(d.name) for d in declared(tree)]
    return _encode(jax.tree.unflatten(jax.tree.structure(tree), names), type(tree).__name__)


def _encode(node: Any, where: str) -> Any:
    if isinstance(node, _Named):
        return {"parameter": node.name}
    if node is None or isinstance(node, (bool, int, float, str)):
        return node
    if isinstance(node, tuple):
        return {"tuple": [_encode(item, f"{where}[{i}]") for i, item in enumerate(node)]}
    if isinstance(node, Mapping) and all(isinstance(key, str) for key in node):
        return {"dict": {key: _encode(value, f"{where}[{key!r}]") for key, value in node.items()}}
    if isinstance(node, eqx.Module):
        fields = {f.name: getattr(node, f.name) for f in dataclasses.fields(node)}
        return _reference(type(node)) | {
            "fields": {name: _encode(value, f"{where}.{name}") for name, value in fields.items()}
        }
    raise BadInput(
        f"{where}: expected a number, a text, a tuple, a dict or a module, got {type(node).__name__}, which cannot be "
        "stored; make it a field of one of these kinds"
    )


def _reference(cls: type) -> dict[str, str]:
    for kind, known in (("law", laws.catalogue()), ("objective", _objectives())):
        if known.get(cls.__name__) is cls:
            return {kind: cls.__name__}
    if "<locals>" in cls.__qualname__:
        raise BadInput(
            f"{cls.__name__} is defined inside a function, where a later process cannot find it; define it at the "
            "top level of a file that can be imported"
        )
    return {"custom": f"{cls.__module__}:{cls.__qualname__}", "source": source_sha256(cls)}


def source_sha256(cls: type) -> str:
    """SHA-256 of the source text of a class. Raises `BadInput` where it has none, as one typed at a prompt."""
    try:
        text = inspect.getsource(cls)
    except (OSError, TypeError):
        raise BadInput(f"{cls.__name__}: its source text cannot be found; define it in a file") from None
    return hashlib.sha256(text.encode()).hexdigest()


def decode(node: Any, arrays: Mapping[str, Any], *, trust: bool, writer: str) -> Any:
    """The tree that `encode` wrote, with its arrays by name. `writer` is the jaxscale that wrote it.

    Raises `BadInput` on an unknown class or field, on a class from outside the package without `trust`, and
    where its source has changed.
    """
    if node is None or isinstance(node, (bool, int, float, str)):
        return node
    again = functools.partial(decode, arrays=arrays, trust=trust, writer=writer)
    if "parameter" in node:
        if node["parameter"] not in arrays:
            raise BadInput(f"expected the parameter {node['parameter']!r}, got {sorted(arrays)}; save the fit again")
        return arrays[node["parameter"]]
    if "tuple" in node:
        return tuple(again(item) for item in node["tuple"])
    if "dict" in node:
        return {key: again(value) for key, value in node["dict"].items()}
    cls = _resolve(node, trust, writer)
    expected = {f.name for f in dataclasses.fields(cls)}
    # A field that a later version added takes its default, unless it is a parameter: its value was not stored.
    added = _defaults(cls)
    if not expected - set(added) <= set(node["fields"]) <= expected:
        raise BadInput(
            f"expected {cls.__name__} with the fields {sorted(expected)}, got {sorted(node['fields'])}; "
            f"install jaxscale {writer}, which wrote it, or fit again"
        )
    # As jax unflattens a module: no constructor of the class runs, and the values stay as they were.
    made = object.__new__(cls)
    for name, value in (added | {name: again(value) for name, value in node["fields"].items()}).items():
        object.__setattr__(made, name, value)
    return made


def _defaults(cls: type[eqx.Module]) -> dict[str, Any]:
    found = {}
    for field in dataclasses.fields(cls):
        if field.name in specs(cls):
            continue
        if field.default_factory is not dataclasses.MISSING:
            found[field.name] = field.default_factory()
        elif field.default is not dataclasses.MISSING:
            found[field.name] = field.default
    return found


def _resolve(node: Mapping[str, Any], trust: bool, writer: str) -> type[eqx.Module]:
    if "custom" in node:
        return _imported(node["custom"], node["source"], trust)
    kind = "law" if "law" in node else "objective"
    known: Mapping[str, Any] = laws.catalogue() if kind == "law" else _objectives()
    name = str(node.get(kind))
    if name not in known:
        near = difflib.get_close_matches(name[:100], known, 3, 0.0)
        raise BadInput(
            f"expected a {kind} of this jaxscale ({', '.join(near)} and {len(known) - len(near)} others), got "
            f"{name[:100]!r}; install jaxscale {writer}, which wrote it, or fit again"
        )
    return known[name]


def _imported(path: str, source: str, trust: bool) -> type[eqx.Module]:
    if not trust:
        raise BadInput(
            f"expected a law of the package, got {path}, a class from outside it, and loading that runs its file; "
            "if you trust the file, load it with `trust=True`"
        )
    module_name, _, qualified = path.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in qualified.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        where = "put its file on the import path"
        if module_name == "__main__":
            where = (
                "it was saved by a script: load it in that script, or move the law to a file of its own and fit again"
            )
        raise BadInput(f"expected to import {path}, got: {error}; {where}") from None
    if not (isinstance(found, type) and issubclass(found, eqx.Module)):
        raise BadInput(f"expected {path} to be a law or an objective, got {found!r}; save the fit again")
    if source_sha256(found) != source:
        raise BadInput(
            f"expected {path} as it was when the fit was saved, but its source has changed since; "
            "restore that version, or fit again"
        )
    return found
