"""Every check on every law: a new law file is tested by existing."""

import pytest

from jaxscale.core.law import AbstractLaw
from jaxscale.laws import catalogue
from jaxscale.testing import CHECKS, Check


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize("law_class", catalogue().values(), ids=catalogue().keys())
def test_check(check: Check, law_class: type[AbstractLaw]) -> None:
    check(law_class)
