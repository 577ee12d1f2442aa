"""What a check is: a function from a law class to the sentences that say what is wrong with it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jaxscale.core.law import AbstractLaw

type Faults = Callable[[type[AbstractLaw]], Iterator[str]]


@dataclass(frozen=True)
class Check:
    """Calling it on a law class raises an `AssertionError` that names the law, the check and each fault."""

    name: str
    faults: Faults

    def __call__(self, law_class: type[AbstractLaw]) -> None:
        where = f"{law_class.__name__}, check {self.name!r}"
        try:
            found = list(self.faults(law_class))
        except Exception as error:
            raise AssertionError(f"{where}: expected no error, got {type(error).__name__}: {error}") from error
        if found:
            raise AssertionError("\n".join(f"{where}: {fault}" for fault in found))


def check(faults: Faults) -> Check:
    """Mark a generator of fault sentences as a check; its name is the function's."""
    return Check(faults.__name__, faults)
