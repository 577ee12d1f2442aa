"""A user's own law, with whatever its author wrote, in the gallery and wherever else laws are told of."""

import random
import sys
import types
from html.parser import HTMLParser

import jax.numpy as jnp
import pytest

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import param
from jaxscale.infer.fit import fit
from jaxscale.laws import catalogue, entry, formula, question
from jaxscale.report.cite import cite_fit, cite_law
from jaxscale.report.page.gallery import gallery
from jaxscale.report.page.web import POLICY
from jaxscale.report.views.record import law_record
from jaxscale.report.views.text import law_details, law_table
from jaxscale.testing.simulated import simulate

PIECES = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "<!-- ",
    "</pre></details><iframe src=//e.example>",
    "[go](javascript:alert(1))",
    "![](https://e.example/x.png)",
    r"$\text{<script>alert(1)</script>}$",
    "$$<b onclick=alert(1)>x</b>$$",
    r"$\frac{1}$",
    "```\n</code><script>\n```",
    "<style>*{display:none}</style>",
    "&lt;script&gt; &#x27; {{ 7*7 }}",
)


class Seen(HTMLParser):
    """Every tag and attribute that a browser would see."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def law(module: str, doc: str, name: str = "Own", cite: str = "") -> type[AbstractLaw]:
    """As somebody writes it in a file of theirs."""

    class Own(AbstractLaw):
        E: q.Nats = param(s.positive, init=1.7, prior=p.LogNormal(1.7, 0.5), doc=doc)
        A: q.Pure = param(s.positive, init=400.0, prior=p.LogNormal(400.0, 2.0), doc="cost of size")
        a: q.Pure = param(s.positive, init=0.34, prior=p.LogNormal(0.34, 0.5), doc="exponent")

        def __call__(self, N: q.Params, D: q.Tokens) -> q.Nats:
            return self.E + self.A * jnp.exp(-self.a * jnp.log(N)) + 0 * D

    Own.__doc__, Own.__module__, Own.__name__, Own.__qualname__, Own.cite = doc, module, name, name, cite
    return Own


@pytest.fixture(params=["mylaw", "__main__", "nowhere_at_all"])
def home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module by itself, a script, and a class of which the module is gone."""
    if request.param == "mylaw":
        monkeypatch.setitem(
            sys.modules, "mylaw", types.ModuleType("mylaw", "Words of <i>mine</i>.\n\n<script>x</script>")
        )
    return request.param


def test_a_law_from_anywhere_is_told_of(home: str) -> None:
    own = law(home, "A law of mine.\n\n$$L = E + A N^{-a}$$", cite="@misc{me2026, title = {<b>Mine</b>}}")
    assert question(own)[0] == "own"
    assert formula(own) == "L = E + A N^{-a}"
    page = gallery([own, catalogue()["Chinchilla"]], "0")
    seen = Seen(page)
    assert "script" not in seen.tags
    assert ("content", POLICY) in seen.attributes
    assert "@misc{me2026, title = {<b>Mine</b>}}" in seen.text
    assert "me2026" in seen.text
    assert "@misc{me2026" in cite_law(own, "0")
    assert law_table([own]).row_count == 1
    assert law_details(own)[1].row_count == 3
    assert law_record(own)["name"] == "Own"


def test_a_fit_of_a_law_from_anywhere_is_cited(home: str) -> None:
    found = fit(law(home, "Mine.", cite="me2026")(), simulate().study, starts=2)
    assert "% me2026: no entry in references.bib" in cite_fit(found, "0")
    assert entry("hoffmann2022training").startswith("@")


@pytest.mark.parametrize("seed", range(6))
def test_nothing_that_an_author_wrote_becomes_a_tag(seed: int) -> None:
    """Oracle: the tags of the same page of a law with plain words, as Python's own parser sees them."""
    draw = random.Random(seed)
    nasty = "Words. " + " ".join(draw.sample(PIECES, 6)) + "\n\n" + "\n\n".join(draw.sample(PIECES, 6))
    plain = Seen(gallery([law("__main__", "Words.")], "0"))
    seen = Seen(gallery([law("__main__", nasty, cite=f"@misc{{k, note = {nasty}}}", name=f"Own<b>{seed}")], "0"))
    markdown = {"p", "code", "pre", "a", "em", "strong", "img", "details", "summary", "div", "span", "section", "eqn"}
    mathml = {"math", "mrow", "mi", "mn", "mo", "mtext", "mfrac", "msub", "msup", "mspace", "mstyle"}
    assert set(seen.tags) - set(plain.tags) <= markdown | mathml
    assert not [name for name, _ in seen.attributes if name.startswith("on")]
    assert not [value for name, value in seen.attributes if name in ("href", "src") and "script" in value.casefold()]


def test_a_unit_with_a_dollar_is_no_formula() -> None:
    from jaxscale.report.figures.plots.law_curves import _plain

    assert _plain("cost ($/h, $)") == r"cost (\$/h, \$)"
