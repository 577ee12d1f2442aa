"""The safe filter agrees with NumPy where it has a meaning, and refuses the rest."""

import numpy as np
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.studies.expressions import mask_of

N = np.array([1e8, 2e8, 4e8, 8e8])
LOSS = np.array([3.0, np.nan, 2.5, 2.0])
MODEL = np.array(["a", "b", None, "a"], dtype=object)
TABLE = {"N": N, "loss": LOSS, "model": MODEL, "val/loss": LOSS}
TEXT = np.array([m == "a" for m in MODEL])


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("N > 1.5e8", N > 1.5e8),
        ("N == 2e8", N == 2e8),
        ("1e8 < N <= 4e8", (N > 1e8) & (N <= 4e8)),
        ("not N > 1.5e8", N <= 1.5e8),
        ("N > 1e8 and N < 8e8 or N == 8e8", N > 1e8),
        ("loss is not None", ~np.isnan(LOSS)),
        ("loss is None", np.isnan(LOSS)),
        ("loss < 2.7", LOSS < 2.7),
        ("`val/loss` < 2.7", LOSS < 2.7),
        ("model == 'a'", TEXT),
        ("model != 'a'", ~TEXT),
        ("model in ['a', 'b']", np.array([True, True, False, True])),
        ("model not in ('a',)", ~TEXT),
        ("N in [1e8, 8e8]", np.array([True, False, False, True])),
        ("N / 1e8 - 1 >= 3", N / 1e8 - 1 >= 3),
        ("N % 4e8 == 0", N % 4e8 == 0),
        ("6 * N ** 2 > -1", np.ones(4, dtype=bool)),
        ("N ** 10000 > 1", np.ones(4, dtype=bool)),
        ("not " * 40 + "(N > 1e8)", N > 1e8),
        ("model is None", np.array([False, False, True, False])),
    ],
)
def test_filters_agree_with_numpy(text: str, mask: np.ndarray) -> None:
    np.testing.assert_array_equal(mask_of(text, TABLE), mask)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a filter"),
        ("N >", "is not a filter"),
        ("N = 3", "is not a filter"),
        ("n > 3", "there is no column 'n'; did you mean"),
        ("tokens > 3", "there is no column 'tokens'"),
        ("val/loss < 3", "quote such a name with backticks"),
        ("N", "is not a condition"),
        ("N and loss", "is not a condition"),
        ("1 < 2", "is not a condition"),
        ("'a' == 'a'", "is not a condition"),
        ("model > 'a'", "holds text"),
        ("model == 3", "column of text with a number"),
        ("N == '3'", "is text, but it is compared with numbers"),
        ("__import__('os').system('true')", "is not allowed"),
        ("N.shape", "is not allowed"),
        ("N[0] > 1", "is not allowed"),
        ("(lambda: 1)() > N", "is not allowed"),
        ("[x for x in N]", "is not allowed"),
        ("N > 1 if True else N < 1", "is not allowed"),
        ("f'{N}' == 'a'", "is not allowed"),
        ("(x := 3) > N", "is not allowed"),
        ("N > 1j", "is not allowed"),
        ("N is 3", "not allowed"),
        ("N in loss", "not allowed"),
        ("N @ N > 1", "is not allowed"),
        ("N > 1" + "0" * 400, "too large"),
        ("N > " + "(" * 900 + "1" + ")" * 900, "is not a filter"),
        ("N > 1 or " * 400 + "N > 1", "expected a filter"),
        ("N > 1\x00", "is not a filter"),
    ],
)
def test_everything_else_is_refused_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(BadInput) as error:
        mask_of(text, TABLE)
    assert said in str(error.value)
    assert str(error.value).startswith("where: ")


def test_deep_nesting_does_not_reach_the_stack() -> None:
    with pytest.raises(BadInput, match="where: "):
        mask_of("-" * 1990 + "N > 1", TABLE)


def test_an_empty_text_is_a_missing_cell() -> None:
    """A CSV cannot tell them apart."""
    np.testing.assert_array_equal(mask_of("model == ''", TABLE), [m is None for m in MODEL])
    np.testing.assert_array_equal(mask_of("'' != model", TABLE), [m is not None for m in MODEL])
