"""What a fit card holds, as a JSON Schema (draft 2020-12): sections and the answers that every card has a place for.

Null is an answer not given, allowed wherever a study may not say. More answers may be added within a version; none is
taken away, renamed or given another meaning without a new one.
"""

from collections.abc import Mapping
from typing import Any

from jaxscale.report.card.runs import ASKED

_TEXT = {"type": "string"}
_MAYBE_TEXT = {"type": ["string", "null"]}
_NUMBER = {"type": ["number", "null"]}
_COUNT = {"type": "integer", "minimum": 0}
_TEXTS = {"type": "array", "items": _TEXT}
_SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_ANY: dict[str, Any] = {}


def _object(**answers: Any) -> dict[str, Any]:
    return {"type": "object", "properties": answers, "required": list(answers)}


def _maybe(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {**schema, "type": [schema["type"], "null"]}


def _each(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": item}


_RANGE = _maybe(_object(least=_NUMBER, most=_NUMBER, distinct=_COUNT))
_EXACT = _object(value={"type": ["number", "array", "null"]}, hex={"type": ["string", "array"]})

SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "jaxscale fit card",
    **_object(
        schema={"const": "jaxscale fit card"},
        schema_version={"const": 1},
        kind={"enum": ["fit", "forecast"]},
        checklist=_TEXT,
        created=_TEXT,
        hypothesis=_object(
            law=_TEXT,
            formula=_MAYBE_TEXT,
            variables=_each(_object(meaning=_TEXT, unit=_TEXT)),
            predicts=_object(meaning=_TEXT, unit=_TEXT),
            parameters=_each(_object(meaning=_TEXT, unit=_TEXT, free={"type": "boolean"})),
            fitted_numbers=_COUNT,
            source=_MAYBE_TEXT,
            published_sets={"type": ["object", "string"]},
        ),
        units=_object(
            parameters_counted=_MAYBE_TEXT,
            compute_counted=_MAYBE_TEXT,
            loss_unit=_MAYBE_TEXT,
            law_predicts_in=_TEXT,
            columns=_MAYBE_TEXT,
            conversions=_MAYBE_TEXT,
        ),
        setup=_object(
            models=_COUNT,
            sizes={"type": ["integer", "null"]},
            ranges=_object(**dict.fromkeys(("N", "D", "D/N", "C"), _RANGE)),
            **{item: {"type": ["object", "null"]} for item in ASKED},
        ),
        data=_object(
            source=_MAYBE_TEXT,
            licence=_MAYBE_TEXT,
            citation=_MAYBE_TEXT,
            simulated=_TEXT,
            rows=_object(read={"type": ["integer", "null"]}, left_out=_COUNT, of_weight_zero=_COUNT, fitted=_COUNT),
            exclusions={"type": "array", "items": _object(left_out=_COUNT, of=_COUNT, kept_where=_TEXT)},
            groups={"type": ["object", "string"]},
            checkpoints=_object(
                told_by=_MAYBE_TEXT, independent_runs=_COUNT, rows_per_run=_object(least=_COUNT, most=_COUNT)
            ),
            weights={"type": ["object", "string"]},
            known_noise={"type": ["object", "string"]},
        ),
        objective=_object(
            name=_TEXT,
            residual=_MAYBE_TEXT,
            reduction=_TEXT,
            settings={"type": ["object", "string"]},
            estimated={"type": ["object", "string"]},
            value=_NUMBER,
            value_hex=_TEXT,
            priors={"type": ["object", "string"]},
        ),
        solver=_object(name=_TEXT, settings=_ANY, tolerance=_TEXT, stages=_COUNT, coordinates=_TEXT),
        search=_object(
            starts=_COUNT,
            how_chosen=_TEXT,
            converged=_COUNT,
            reached_the_best=_COUNT,
            counted_as_equal=_TEXT,
            distinct_optima=_COUNT,
            second_optimum={"type": ["object", "string"]},
            certified={"type": "boolean"},
            ended=_TEXT,
            gradient_norm=_NUMBER,
            gradient_tolerance=_NUMBER,
            smallest_eigenvalue=_NUMBER,
            hessian_condition=_NUMBER,
            at_bounds=_TEXTS,
            jacobian_condition=_NUMBER,
            weakest_direction=_each(_NUMBER),
            design=_TEXTS,
        ),
        parameters=_each(_EXACT),
        fit=_maybe(
            _object(
                space=_TEXT,
                mean_absolute=_NUMBER,
                root_mean_square=_NUMBER,
                largest=_NUMBER,
                largest_at_row=_COUNT,
            )
        ),
        uncertainty=_maybe(
            _object(
                kind={"enum": ["bootstrap", "bagged", "posterior"]},
                method=_TEXT,
                scheme=_MAYBE_TEXT,
                unit=_TEXT,
                units=_COUNT,
                draws=_COUNT,
                failed=_COUNT,
                standard_errors={"type": ["object", "null"]},
                quantiles={"type": ["object", "null"]},
            )
        ),
        holdout=_maybe(_object(rule=_MAYBE_TEXT, runs=_COUNT, scores={"type": ["object", "null"]})),
        choice=_maybe(
            _object(
                criterion=_TEXT,
                chosen=_TEXT,
                score=_NUMBER,
                candidates=_COUNT,
                runner_up=_TEXT,
                runner_up_lost_by={"type": ["number", "string"]},
            )
        ),
        versions=_each(_TEXT),
        hashes=_object(
            runs_sha256=_SHA256, source_sha256=_MAYBE_TEXT, law_source_sha256=_each({"type": ["string", "null"]})
        ),
        seeds=_object(starts=_COUNT, draws={"type": ["integer", "string", "null"]}),
        seconds=_each(_NUMBER),
        warnings=_TEXTS,
        unanswered=_TEXTS,
    ),
    # A card of a forecast has one section more.
    "if": {"properties": {"kind": {"const": "forecast"}}},
    "then": {
        "required": ["forecast"],
        "properties": {
            "forecast": _object(
                ranking={"type": "array", "items": _object(law=_TEXT, in_sample=_NUMBER)},
                origins={"type": "array", "items": _object(rule=_TEXT, fitted=_COUNT, scored=_COUNT)},
                weights=_each(_NUMBER),
                bands={"type": "object"},
                points={"type": ["array", "string"]},
            )
        },
    },
}
