"""Floor 6, testing: the checks that every law of the package passes, public for a user's own laws.

May import every floor below; nothing imports it but tests. A check is found, not registered: any function
marked with `check` in `declaration` or `numerical` is one of `CHECKS`.
"""

from jaxscale.core.law import AbstractLaw
from jaxscale.testing import declaration, numerical
from jaxscale.testing.check import Check

CHECKS: tuple[Check, ...] = tuple(
    found for module in (declaration, numerical) for found in vars(module).values() if isinstance(found, Check)
)


def check_law(law_class: type[AbstractLaw]) -> None:
    """Run every check on a law class. Raises one `AssertionError` with a sentence per failure.

    Where jax runs with `jax_enable_x64`, agreement of float32 with float64 is checked too.
    """
    failures = []
    for run in CHECKS:
        try:
            run(law_class)
        except AssertionError as failure:
            failures.append(str(failure))
    if failures:
        raise AssertionError("\n".join(failures))


__all__ = ["CHECKS", "Check", "check_law"]
