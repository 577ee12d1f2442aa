"""The gallery: one self-contained HTML page of every law, generated from what the law files declare.

Formulas become MathML, which browsers draw themselves; plots are inline SVG. Nothing is loaded from elsewhere.
"""

import html
import inspect
import io
import re
from collections.abc import Iterable
from itertools import groupby
from xml.etree import ElementTree

import matplotlib
from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from matplotlib.figure import Figure
from mdit_py_plugins.dollarmath import dollarmath_plugin

from jaxscale.core.law import AbstractLaw, class_signature
from jaxscale.core.parametric import specs
from jaxscale.laws import docstring, entry, question
from jaxscale.report.figures.plots.law_curves import law_curves
from jaxscale.report.page.web import POLICY, STYLE
from jaxscale.report.views.numbers import estimate

_STYLE = f"""{STYLE}
h4 {{ margin-bottom: 0.3rem; }} .math.block {{ overflow: auto hidden; margin: 0.8rem 0; }}
nav {{ columns: 3 14rem; font-size: 0.9rem; }} nav p {{ margin: 0 0 0.6rem; break-inside: avoid; }}
"""


def gallery(laws: Iterable[type[AbstractLaw]], version: str) -> str:
    """The page as HTML: laws by the question they answer, then by paper."""
    ordered = sorted(laws, key=lambda cls: (cls.__module__, cls.__name__))
    contents, body = [], []
    for (name, about), of_question in groupby(ordered, key=question):
        members = list(of_question)
        names = [html.escape(cls.__name__) for cls in members]
        links = ", ".join(f'<a href="#{name}">{name}</a>' for name in names)
        contents.append(f"<p><b>{html.escape(name)}</b>: {links}</p>")
        body.append(f"<h2>{html.escape(name)}</h2>\n<p>{html.escape(about)}</p>")
        for module, of_paper in groupby(members, key=lambda cls: cls.__module__):
            body.append(_paper(module, list(of_paper)))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>jaxscale: the laws</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>The laws of jaxscale {html.escape(version)}</h1>\n"
        f"<nav>{''.join(contents)}</nav>\n{''.join(body)}\n</body></html>\n"
    )


def _paper(module: str, laws: list[type[AbstractLaw]]) -> str:
    title, _, rest = inspect.cleandoc(docstring(module)).partition("\n\n")
    keys = dict.fromkeys(cls.cite for cls in laws if cls.cite)
    entries = "\n\n".join(html.escape(entry(key)) for key in keys)
    names = html.escape(", ".join(key.partition("{")[2].partition(",")[0] or key for key in keys))
    cited = f"<details><summary>{names}</summary><pre>{entries}</pre></details>" if keys else ""
    heading = html.escape(" ".join(title.split()).rstrip("."))
    return f"<h3>{heading}</h3>\n{_prose(rest)}\n{cited}\n{''.join(map(_law, laws))}"


def _law(cls: type[AbstractLaw]) -> str:
    shape = class_signature(cls)
    inputs = [
        (name, q.unit, q.doc, "{:g} to {:g}".format(*cls.domain.get(name, q.widest)))
        for name, q in shape.inputs.items()
    ]
    inputs.append(("returns", shape.output.unit, shape.output.doc, ""))
    parameters = [
        (
            name,
            spec.quantity.unit,
            type(spec.support).__name__,
            ", ".join(map(estimate, spec.init if isinstance(spec.init, tuple) else (spec.init,))),
            f"{spec.prior}" if spec.estimated else "held",
            spec.doc,
        )
        for name, spec in specs(cls).items()
    ]
    published = [
        (name, ", ".join(f"{k} = {_digits(v)}" for k, v in p.values.items()), p.source, p.note)
        for name, p in cls.published.items()
    ]
    data = ", ".join(f"<code>{html.escape(slug)}</code>" for slug in cls.reproduced_on)
    parts = [
        f'<h4 id="{html.escape(cls.__name__)}">{html.escape(cls.__name__)}</h4>',
        _prose(inspect.cleandoc(cls.__doc__ or "")),
        _table(("input", "unit", "meaning", "domain"), inputs),
        _table(("parameter", "unit", "support", "default", "prior", "meaning"), parameters),
        _table(("published set", "values", "source", "note"), published) if published else "",
        f"<p>Fitted to public data in the tests: {data}.</p>"
        if data
        else "<p>No public data: presets, closed forms, simulation.</p>",
        _svg(law_curves(cls)),
    ]
    return "\n".join(parts)


def _digits(value: float | tuple[float, ...]) -> str:
    return ", ".join(f"{v:.6g}" for v in value) if isinstance(value, tuple) else f"{value:.6g}"


def _prose(text: str) -> str:
    """Markdown as HTML. A docstring is anybody's: what is HTML in it already stays text."""

    def render(tex: str, options: dict) -> str:
        try:
            made = convert(tex, display="block" if options["display_mode"] else "inline")
        except Exception:  # errors of many kinds
            made = ""
        return made if _is_math(made) else f"<code>{html.escape(tex)}</code>"

    return MarkdownIt("commonmark", {"html": False}).use(dollarmath_plugin, renderer=render).render(text)


def _is_math(made: str) -> bool:
    r"""Whether MathML is nothing but that: of `\text{<b>}` the converter makes a tag."""
    try:
        elements = [*ElementTree.fromstring(made).iter()]
    except ElementTree.ParseError:
        return False
    tags = (element.tag.rpartition("}")[2] for element in elements)
    return all(re.fullmatch(r"m[a-z]+", tag) for tag in tags) and not any(
        name.startswith("on") or name in ("href", "src", "style") for element in elements for name in element.attrib
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    def row(tag: str, cells: Iterable[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{row('th', head)}{''.join(row('td', cells) for cells in rows)}</table>"


def _svg(figure: Figure) -> str:
    """The figure as an inline element. Text stays text, and the same law gives the same bytes."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "jaxscale"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
