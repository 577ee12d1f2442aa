"""What a fit card says of the law, of the objective, and of the values that were found."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from jaxscale.core.law import AbstractLaw, signature
from jaxscale.core.parametric import declared
from jaxscale.infer.fit.fit import Fit
from jaxscale.laws import formula
from jaxscale.report.views.record import law_name


def law_classes(node: Any) -> Iterator[type[AbstractLaw]]:
    """The classes of a law and of the laws inside it, each as often as it occurs."""
    if isinstance(node, AbstractLaw):
        yield type(node)
    if isinstance(node, Mapping):
        for inner in node.values():
            yield from law_classes(inner)
    elif is_dataclass(node):
        for field in fields(node):
            yield from law_classes(getattr(node, field.name))


def hypothesis(fit: Fit) -> dict[str, Any]:
    """The form of the law, what it relates, what is fitted, and who proposed and published it."""
    classes = list(dict.fromkeys(law_classes(fit.law)))
    wanted = signature(fit.law)
    free = set(fit.problem.split.free)
    published = {f"{cls.__name__}, {name}": p.source for cls in classes for name, p in cls.published.items()}
    return {
        "law": law_name(fit.law),
        "formula": "; ".join(tex for cls in classes if (tex := formula(cls))) or None,
        "variables": {name: {"meaning": q.doc, "unit": q.unit or "1"} for name, q in wanted.inputs.items()},
        "predicts": {"meaning": wanted.output.doc, "unit": wanted.output.unit or "1"},
        "parameters": {
            d.name: {"meaning": d.spec.doc, "unit": d.spec.quantity.unit or "1", "free": d.name in free}
            for d in declared(fit.law)
        },
        "fitted_numbers": len(fit.problem.split.names()),
        "source": "; ".join(dict.fromkeys(cls.cite for cls in classes if cls.cite)) or None,
        "published_sets": published or "none",
    }


def objective(fit: Fit) -> dict[str, Any]:
    """What was minimised, in which space, and its value at the optimum."""
    own = declared(fit.objective)
    free = set(fit.problem.split.free)
    fitted = {d.name: d for d in declared(fit.problem.template) if d.name in free}
    estimated = [d for d in own if d.spec.estimated]
    return {
        "name": fit.objective.name,
        "residual": getattr(getattr(fit.objective, "residual", None), "name", None),
        "reduction": "sum over runs, each times its weight",
        "settings": {d.name: _exact(d.value)["value"] for d in own if not d.spec.estimated} or "none",
        "estimated": {d.name: _exact(d.value) for d in estimated} or "none",
        "value": fit.value,
        "value_hex": fit.value.hex(),
        "priors": {name: repr(d.spec.prior) for name, d in fitted.items()} if fit.problem.prior else "none",
        "losses_to_usual": _size(fit),
    }


def _size(fit: Fit) -> Any:
    """How many times as large as usual the losses are: priors of what grows with them are taken times that."""
    size = fit.problem.split.size
    return _exact(size)["value"] if fit.problem.prior and size is not None else "none"


def parameters(fit: Fit) -> dict[str, Any]:
    """Every parameter of the law to the last bit: a number or a list as `value`, and its `hex`."""
    free = set(fit.problem.split.free)
    return {
        d.name: {**_exact(d.value), "unit": d.spec.quantity.unit or "1", "free": d.name in free}
        for d in declared(fit.law)
    }


def _exact(value: Any) -> dict[str, Any]:
    number = np.asarray(value, np.float64).tolist()
    return {"value": number, "hex": _hex(number)}


def _hex(number: Any) -> Any:
    return [_hex(x) for x in number] if isinstance(number, list) else number.hex()
