"""`page`: an outlook as one HTML file that needs nothing else: the answer, the tables, the charts, the fit card.

Charts are Vega-Lite with its library written into the page (0.9 MB, once), not still pictures: which run is the odd
one, and what lies under a crowd of points, is asked by pointing and zooming; still pictures of the same charts would
save half of the page and answer neither. A content security policy forbids every request and every script but the
page's own two, so that a name in somebody's table can neither run nor call.
"""

import base64
import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import jinja2
from markupsafe import Markup

from jaxscale.core.errors import BadInput
from jaxscale.infer.forecast.outlook import Outlook
from jaxscale.infer.forecast.prediction import Outlined
from jaxscale.plan.allocate import plannable
from jaxscale.plan.plan_run import as_inputs, plan_run
from jaxscale.report.figures.charts import Subject, drawings
from jaxscale.report.figures.charts.subject import columns_of
from jaxscale.report.page.web import POLICY, STYLE, rows
from jaxscale.report.views import answer, text
from jaxscale.report.views import forecast as forecasting
from jaxscale.report.views.record import plan_record
from jaxscale.studies import Study

_TENFOLD = 10.0  # times the largest run: what is planned where nothing was asked for


def page(
    found: Outlook,
    study: Study,
    *,
    held: Study | None = None,
    asked: Outlined | None = None,
    flops: float | None = None,
    allow_far: bool = False,
    card: Mapping[str, Any] | None = None,
) -> str:
    """The report of `found`, which was made from `study`, as HTML.

    **Arguments:**

    - `held`: runs that were not fitted, to be forecast and shown beside what they reached.
    - `asked`: `found.at(...)`, points to answer for.
    - `flops`: a budget to divide between size and data; where neither it nor `asked` is given, ten times the largest
      run's. For laws of size and data.
    - `allow_far`: plan beyond two decades too.
    - `card`: the fit card, as `report.card.forecast_card` makes it.

    Raises `BadInput` where a budget is given to a law without size and data, or lies too far out.
    """
    return render(subject_of(found, study, held=held, asked=asked, flops=flops, allow_far=allow_far), card)


def subject_of(
    found: Outlook,
    study: Study,
    *,
    held: Study | None = None,
    asked: Outlined | None = None,
    flops: float | None = None,
    allow_far: bool = False,
) -> Subject:
    """What the page is about; arguments and errors are those of `page`."""
    fit = found.fit
    if flops is not None and not plannable(fit.law):
        raise BadInput(
            f"report: flops: expected a law of size and data to divide a budget, and {found.chosen} was chosen; leave "
            "`flops=...` out, or choose among laws of N and D"
        )
    test = None if held is None else forecasting.tested(found, held)
    bare = Subject(found, study, columns_of(fit, study), test, held, asked)
    if flops is None and (asked is not None or not bare.sized):
        return bare
    planned = plan_run(fit, found.ensemble, flops=flops or float(f"{_TENFOLD * bare.runs['C'].max():.1g}"))
    if planned.on_bound and flops is None:
        return bare  # nobody asked, and there is no optimum to tell
    run = as_inputs(planned.point["N"], planned.point["D"])
    return Subject(
        found, study, bare.runs, test, held, asked, planned, found.at(run, allow_far=allow_far or flops is None)
    )


def render(subject: Subject, card: Mapping[str, Any] | None = None, words: Callable[[str], str] = str) -> str:
    """The page as HTML, its warnings in the `words` of whoever writes it."""
    from jaxscale.report.card.text import card_rows

    found, fit = subject.found, subject.fit
    library, starter = _library(), _STARTER
    charts = list(drawings(subject))
    tables = [("What it expects", made) for made in (subject.plan, subject.asked) if made is not None]
    return _template().render(
        title=f"{found.chosen}: {subject.study.name}",
        study=subject.study.name,
        version=version("jaxscale"),
        policy=f"{POLICY}; script-src {_hashes(library, starter)}",
        style=Markup(STYLE),
        library=Markup(library),
        starter=Markup(starter),
        answer=answer.answer(subject),
        severe=[words(sentence) for sentence in answer.severe(subject)],
        further=[words(sentence) for sentence in answer.further(subject)],
        forecasts=[rows(forecasting.forecast_table(made, fit)) for _, made in tables],
        test=None if subject.test is None else forecasting.tested_sentence(subject.test),
        plan=None if subject.planned is None else text.plan_notes(subject.planned, fit)[:1],
        parameters=rows(text.parameter_table(fit, found.ensemble)),
        evidence=[text.certificate_line(fit), text.reach_sentence(fit)],
        charts=charts,
        specs=[(chart.key, _json(chart.spec)) for chart in charts if chart.spec is not None],
        ranking=rows(forecasting.ranking_table(found)),
        card=None if card is None else [(section, item, words(said)) for section, item, said in card_rows(card)],
        record=_json(record(subject) if card is None else card),
        cited=_cited(fit, subject.study),
    )


def record(subject: Subject) -> dict[str, Any]:
    """The page for programs: `answer`, `plan` (null without a budget), and all that `outlook_record` tells."""
    made = subject.plan if subject.asked is None else subject.asked
    told = forecasting.outlook_record(subject.found, subject.test, made)
    plan = None if subject.planned is None else plan_record(subject.planned, subject.fit)
    return told | {"answer": answer.answer(subject), "plan": plan}


def _cited(fit: Any, study: Study) -> str:
    return study.provenance.get("citation", study.provenance.get("source", ""))


def _json(value: Any) -> Markup:
    """JSON that no parser of HTML takes for the end of its element."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return Markup(text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e"))


def _hashes(*scripts: str) -> str:
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    return " ".join(f"'sha256-{digest}'" for digest in digests)


@functools.cache
def _library() -> str:
    """Vega, Vega-Lite and their embedder as one script. Takes seconds to bundle."""
    import vl_convert

    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("\r", "\n")
    if "</script" in script.lower() or "<!--" in script:
        raise RuntimeError("the bundled script would end its element early; vl-convert-python has changed")
    return script


@functools.cache
def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("jaxscale.report.page", ".")
    made = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return made.get_template("page.html")


# Expressions are interpreted, not compiled, so that the policy need not allow eval.
_STARTER = """
for (const figure of document.querySelectorAll("figure[data-chart]")) {
  const holder = figure.querySelector(".chart");
  const spec = JSON.parse(document.getElementById("spec-" + figure.dataset.chart).textContent);
  const actions = { export: true, source: false, compiled: false, editor: false };
  vegaEmbed(holder, spec, { renderer: "svg", ast: true, actions, downloadFileName: figure.dataset.chart })
    .then(() => { figure.dataset.drawn = "yes"; })
    .catch((error) => { holder.textContent = "This chart could not be drawn: " + error.message; });
}
addEventListener("beforeprint", () => {
  for (const card of document.querySelectorAll("details.card")) card.open = true;
});
"""
