"""Advice says options of the command line there, and every message of the package can be said so."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import jaxscale
from jaxscale.cli.advice import offered, option, speaking, spoken
from jaxscale.infer.posterior.nuts import NUTS
from jaxscale.report.store.store import load
from jaxscale.solve.gauss_newton import GaussNewton
from jaxscale.studies.options import Options

from .conftest import foreign

PACKAGE = Path(jaxscale.__file__).parent
OPTIONS = set().union(*offered().values())

SAID = {
    "give its column as `run_id=...`: they": "give its column as --run-id: they",
    'keep them: `duplicates="keep"`.': "keep them: --duplicates keep.",
    "fit on `where=\"split == 'train'\"`, score": "fit on --where \"split == 'train'\", score",
    "the plan `cost=SixND(per_token=12.5)`.": "the plan --per-token 12.5.",
    "steps (`solver=GaussNewton(max_steps=1000)`)": "steps (--max-steps 1000)",
    "apart (`Pooled(law, split=...)`), or": "apart (--split), or",
    "or `allow_far=True`": "or --allow-far",
    "`n_convention=...`: expected": "--state parameters_counted: expected",
    "fit again with one: `bootstrap(fit, 4000)`.": "fit again with one: --bootstrap 4000.",
}
AS_IT_IS = (
    'with the filter "`val loss` > 0"',
    "with the filter \"`N (M)` == 'a' and `b c` <= 3\"",
    "see `jaxscale laws`",
    "write D=tokens[B], or loss=column",
)


@pytest.mark.parametrize("text", SAID)
def test_an_argument_becomes_an_option(text: str) -> None:
    assert spoken(text) == SAID[text]
    assert spoken({"warnings": [text], "n": 1.5}) == {"warnings": [SAID[text]], "n": 1.5}
    assert spoken({"card": {"warnings": [text]}}) == {"card": {"warnings": [text]}}


@pytest.mark.parametrize("text", AS_IT_IS)
def test_the_rest_stays(text: str) -> None:
    assert spoken(text) == text


# Where no command comes: their messages are for Python alone.
PYTHON = (
    *(
        "plan/frontier/frontier.py",
        "plan/frontier/methods.py",
        "infer/discrepancy/learn.py",
        "infer/discrepancy/forecast.py",
    ),
    *(
        "infer/discrepancy/model.py",
        "infer/correction/kernel.py",
        "infer/local/linearised.py",
        "infer/posterior/numpyro_model.py",
        "compose/members.py",
    ),
    *(
        "infer/local/profile.py",
        "infer/local/covariance.py",
        "infer/backtest/heldout.py",
        "plan/recipes/pairs.py",
        "core/parametric.py",
    ),
    "testing/",
)
# Messages elsewhere that only a call can provoke, by a part of them, with the reason.
CALLED = {
    "as in from_published(": "commands fit laws or load fits, whose values are all there",
    "expected prior=True, as partial": "`fit --partial` is refused by the command itself, `sample` has priors",
    "use sample(...), or fit(..., prior=True)": "the same message",
    "expected a fit made with prior=True": "`sample` makes it",
    "student_t(), gaussian() or huber_density()": "`sample` takes likelihoods alone",
    "make the law with groups=study.groups": "commands make joint laws of the study's groups",
    "got a bare one; use .ready(problem)": "commands leave the scheme to the default",
    "draw residuals instead (`scheme=Wild()`)": "the default scheme is Wild for few runs",
    "or use `scheme=Bayesian()` with priors": "the default scheme is Bayesian there",
    "a new group: ": "no command draws one",
    "ln(loss) - ln(law)": "a label of a figure",
    "column 'run_id' was not given": "the name of a column",
    "solver: expected GaussNewton()": "`--solver` takes names, and refuses others in its own words",
    "in pandas": "what to do with the file before",
    "annotate with an alias from jaxscale": "the author of a law",
}


def messages() -> Iterator[tuple[str, str]]:
    """(file, text) of every sentence in the package, what is filled in as `x`; docstrings and help texts aside."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith(("laws/", "cli/commands/", "cli/options", *PYTHON)):
            continue
        tree = ast.parse(path.read_text())
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
        inside |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
                text = node.value
            else:
                continue
            if text.count(" ") > 1 and not any(part in text for part in CALLED):
                yield name, text


def arguments() -> set[str]:
    """Names of arguments of public functions, of a study's options and of settings."""
    found = {name for made in (Options, GaussNewton, NUTS, load) for name in inspect.signature(made).parameters}
    for name in jaxscale.__all__:
        public = getattr(jaxscale, name)
        if callable(public) and public is not jaxscale.BadInput:
            found |= set(inspect.signature(public).parameters)
    return found


MESSAGES = sorted(set(messages()))
# Names that a sentence says as such: columns of a mapping, and words of a form.
FORMS = {"loss", "name", "group", "column", "symbol"}


def test_every_argument_in_a_message_is_an_option() -> None:
    """A message names an argument between backticks, and no function or class; the option is there."""
    assert len(MESSAGES) > 300
    names = arguments() - FORMS
    wrong = []
    for file, text in MESSAGES:
        if file == "cli/advice.py":
            continue
        said = spoken(text)
        spans = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", said)) - set(re.findall(r"--[a-z][a-z-]+", text))
        # A name that is filled in is checked where it is said.
        wrong += [(file, text, found) for found in spans - OPTIONS if not found.endswith("-x")]
        bare = [word for word in re.findall(r"\b([a-z_]+)=", said) if word in names]
        bare += re.findall(r"\b(?:[a-z]+(?:_[a-z]+)+=|[a-z_]+=(?:True|False|\.\.\.))", said)
        bare += [
            word
            for word in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", said)
            if word in names and not file.startswith("cli/")
        ]
        bare += re.findall(r"\b(?:[A-Z][A-Za-z]+[a-z]|[a-z_]+)\((?:\.\.\.|fit|law|\))", said)
        wrong += [(file, text, word) for word in bare]
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("command", offered())
def test_every_option_that_a_command_says_is_its_own_or_said_with_its_command(command: str) -> None:
    """Every message of the floors below, as each command would say it, whether it can come there or not."""
    wrong = [
        (file, said, lacking)
        for file, text in MESSAGES
        if not file.startswith("cli/") and (said := spoken(text, command)) != text
        for lacking in foreign(command, said)
        if not lacking.endswith("-x")
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_an_option_that_the_command_at_hand_lacks_is_said_with_one_that_has_it() -> None:
    with speaking("demo"):
        assert spoken("add some (`starts=...`), or") == "add some (`jaxscale fit --starts`), or"
        assert spoken(["draw more (`draws=...`)."]) == ["draw more (`jaxscale sample --draws`)."]
        assert spoken("the plan `cost=SixND(per_token=9)`.") == "the plan `jaxscale plan --per-token 9`."
        with speaking("fit"):
            assert spoken("add some (`starts=...`)") == "add some (--starts)"
        assert spoken("fit again with one: `bootstrap(fit, 4000)`.") == "fit again with one: --bootstrap 4000."
    assert spoken("add some (`starts=...`)") == "add some (--starts)"
    # A fit that was saved is mended where it was made, whatever the command's own option of this name does.
    assert spoken("one group alone (`split=...`)", "fit") == "one group alone (--split)"


def test_floors_below_the_command_line_do_not_know_its_options() -> None:
    """But for the next steps, which are commands and are made for it."""
    steps = ("Add --", "jaxscale plan", "jaxscale predict", " --group x")
    known = [
        (file, text) for file, text in MESSAGES if not file.startswith("cli/") and re.search(r"(?<!-)--[a-z]", text)
    ]
    assert not [one for one in known if not any(step in one[1] for step in steps)]


def test_every_name_of_advice_has_its_option() -> None:
    for name in ("fixed", "n_convention", "run_id", "starts", "tokens_per_byte", "tokens_per_character", "max_steps"):
        assert option(name).split()[0] in OPTIONS
