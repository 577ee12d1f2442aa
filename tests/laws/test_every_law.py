"""Every check on every law: a new law file is tested by existing."""

import numpy as np
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw, class_signature
from jaxscale.laws import catalogue
from jaxscale.studies import Study
from jaxscale.testing import CHECKS, Check


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize("law_class", catalogue().values(), ids=catalogue().keys())
def test_check(check: Check, law_class: type[AbstractLaw]) -> None:
    check(law_class)


@pytest.mark.parametrize("law_class", catalogue().values(), ids=catalogue().keys())
def test_every_input_is_read_from_a_table_in_its_own_unit(law_class: type[AbstractLaw]) -> None:
    """Plain, and in thousands; and the baseline of nothing where the law has one. Oracle: the numbers put in."""
    wanted = class_signature(law_class)
    if any(q.axes for q in wanted.inputs.values()):
        pytest.skip("quantities with axes are read from several rows or columns: tests/studies/test_curves.py")
    numbers = {name: np.array(law_class.domain.get(name, q.usual)) for name, q in wanted.inputs.items()}
    nothing = [name for name, q in wanted.inputs.items() if q.nothing]
    for name in nothing:
        numbers[name] = np.array([0.0, numbers[name][1]])
    for scale, prefix in ((1.0, ""), (1e3, "k ")):
        table = {name: x / scale for name, x in numbers.items()} | {"y": [2.0, 3.0]}
        mapping = {name: f"{name}[{prefix}{q.unit}]" for name, q in wanted.inputs.items()} | {"loss": "y"}
        runs = Study.read(table, mapping).runs(wanted)
        for name, x in numbers.items():
            np.testing.assert_allclose(runs.inputs[name], x, rtol=1e-6)
    for name in nothing:
        study = Study.read({**numbers, name: [-1.0, 1.0], "y": [2.0, 3.0]}, {**{n: n for n in numbers}, "loss": "y"})
        with pytest.raises(BadInput, match=f"expected {name} of zero or more, got -1"):
            study.runs(wanted)
