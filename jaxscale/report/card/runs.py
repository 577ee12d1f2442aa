"""What a fit card says of the runs: units and conventions, how they were made, which were left out."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.core.flops import training_flops
from jaxscale.core.law import signature
from jaxscale.infer.checks.intake import as_runs
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.search.units import units as resampled
from jaxscale.report.views.record import is_simulated
from jaxscale.studies import Study
from jaxscale.studies.exclusions import exclusions

# What the checklist asks of the training, and names under which tables answer it.
ASKED: Mapping[str, tuple[str, ...]] = {
    "architecture": (
        *("architecture", "arch", "model", "width", "d_model", "hidden_size", "depth", "layers", "n_layers"),
        *("num_layers", "n_heads", "num_heads", "d_ff", "ffn_width", "experts", "num_experts"),
    ),
    "optimiser": ("optimiser", "optimizer", "weight_decay", "beta1", "beta2"),
    "learning_rate": ("learning_rate", "lr", "peak_lr", "max_lr", "lr_max", "min_lr", "lr_final", "lr_setting"),
    "batch_size": ("batch_size", "batch", "bs", "global_batch_size", "batch_tokens"),
    "schedule": ("schedule", "lr_schedule", "scheduler", "warmup", "warmup_steps", "decay", "cooldown"),
    "tuning": ("tuning",),
    "training_data": ("training_data", "train_data", "corpus", "dataset", "data", "mixture"),
    "repetition": ("repetition", "epochs", "unique_tokens", "repeats"),
    "tokenizer": ("tokenizer", "vocab", "vocab_size"),
    "context_length": ("context_length", "context", "seq_len", "sequence_length"),
    "evaluation_data": ("evaluation_data", "eval_data", "val_data", "val_dataset", "eval_dataset"),
    "code_and_checkpoints": ("code_and_checkpoints", "repository"),
}
_ROUNDED = 1e-3  # a column of compute that agrees with 6 N D to this share is no other count
_SHOWN = 8  # values of a column of text that are listed


def check_fitted(study: Study, fit: Fit) -> None:
    """Raise `BadInput` unless the runs of `fit` are those of `study`."""
    target, fitted = np.asarray(as_runs(study, fit.law).target), np.asarray(fit.runs.target)
    if not np.array_equal(target.astype(fitted.dtype), fitted):
        raise BadInput(
            f"card: expected the study that was fitted, of {fit.count} runs, got {study.name!r} of {len(study)} with "
            "other losses; give the one that was given to `fit`, filters included"
        )


def units(fit: Fit, study: Study | None) -> dict[str, Any]:
    """How parameters, compute, data and loss are counted, and from which columns."""
    told = fit.provenance
    done = told.get("transformations")
    return {
        "parameters_counted": _declared(told.get("n_convention")),
        "compute_counted": _compute_rule(study, done),
        "loss_unit": _declared(told.get("loss_unit")),
        "law_predicts_in": signature(fit.law).output.unit or "1",
        "columns": told.get("mapping"),
        "conversions": None if done is None else done,
    }


def _declared(text: str | None) -> str | None:
    return None if text == "undeclared" else text


def _compute_rule(study: Study | None, done: str | None) -> str | None:
    if done is not None and "C = 6 N D" in done:
        return "6 N D"
    if study is None:
        return None
    if "C" not in study.columns:
        return "6 N D, wherever compute is needed: the table has none"
    if not {"N", "D"} <= set(study.columns):
        return "as the table counts it"
    ratio = study.columns["C"] / training_flops(study.columns["N"], study.columns["D"])
    if np.max(np.abs(ratio - 1)) < _ROUNDED:
        return "6 N D, as the table has it"
    return f"as the table counts it: {ratio.min():.3g} to {ratio.max():.3g} times 6 N D"


def setup(fit: Fit, study: Study | None) -> dict[str, Any]:
    """How many runs of which size and length, and what the table or its owner says of their training."""
    columns = _columns(fit, study)
    ranges = {name: _range(columns.get(name)) for name in dict.fromkeys(["N", "D", "D/N", "C", *columns])}
    return {
        "models": len(resampled(fit.problem.runs).first),
        "sizes": None if ranges["N"] is None else ranges["N"]["distinct"],
        "ranges": ranges,
        **{item: _training(item, fit.provenance, study) for item in ASKED},
    }


def paired(fit: Fit, study: Study | None) -> Study | None:
    """The study where its rows stand as those of the fit do; None of curves, whose rows stand run by run."""
    return None if signature(fit.law).output.axes else study


def _columns(fit: Fit, study: Study | None) -> dict[str, np.ndarray]:
    """Inputs by symbol of the runs that count, with D/N and 6ND where they are not given."""
    used, study = np.asarray(fit.runs.weight) > 0, paired(fit, study)
    known: Mapping[str, Any] = dict(fit.runs.columns)
    if study is not None:
        known = {**known, **{name: x for name, x in study.columns.items() if name != study.target}}
    found = {name: np.asarray(x, np.float64)[used] for name, x in known.items()}
    if {"N", "D"} <= set(found):
        found.setdefault("D/N", found["D"] / found["N"])
        found.setdefault("C", training_flops(found["N"], found["D"]))
    return found


def _range(column: np.ndarray | None) -> dict[str, Any] | None:
    if column is None:
        return None
    return {"least": float(column.min()), "most": float(column.max()), "distinct": len(np.unique(column))}


def _training(item: str, told: Mapping[str, str], study: Study | None) -> dict[str, Any] | None:
    """What the owner states under the item's name, and what columns of the table hold; None: nothing."""
    stated = {name: told[name] for name in ASKED[item] if name in told}
    table = {} if study is None else study.table
    found = {name: _summary(x) for name, x in table.items() if _plain(name) in ASKED[item]}
    return {**stated, **found} or None


def _plain(name: str) -> str:
    return name.partition("[")[0].strip().lower().replace(" ", "_").replace("-", "_").replace(".", "_")


def _summary(column: np.ndarray) -> dict[str, Any]:
    """Range of numbers, or the values of text; missing cells are counted."""
    if column.dtype == np.float64:
        known = column[np.isfinite(column)]
        about = _range(known) if known.size else {}
    else:
        known = np.array([str(x) for x in column if x is not None])
        labels = np.unique(known).tolist()
        about = {"values": labels} if len(labels) <= _SHOWN else {"distinct": len(labels), "such_as": labels[:_SHOWN]}
    missing = len(column) - len(known)
    return {**(about or {}), **({"missing": missing} if missing else {})}


def data(fit: Fit, study: Study | None) -> dict[str, Any]:
    """Where the rows come from, which were left out and why, and which of them belong together."""
    told, runs = fit.provenance, fit.runs
    weight = np.asarray(runs.weight, np.float64)
    filters = exclusions(told.get("exclusions", ""))
    group = np.asarray(runs.group)
    noise = np.asarray(runs.noise, np.float64)[weight > 0]
    return {
        "source": told.get("source"),
        "licence": _declared(told.get("licence")),
        "citation": told.get("citation"),
        "simulated": is_simulated(fit) or "no",
        "rows": {
            "read": filters[0].of if filters else fit.count if told else None,
            "left_out": sum(f.of - f.kept for f in filters),
            "of_weight_zero": int(np.sum(weight == 0)),
            "fitted": int(np.sum(weight > 0)),
        },
        "exclusions": [{"left_out": f.of - f.kept, "of": f.of, "kept_where": f.rule} for f in filters],
        "groups": {label: int(np.sum(group == i)) for i, label in enumerate(fit.groups)} or "one",
        "checkpoints": _checkpoints(fit),
        "weights": "equal" if np.ptp(weight[weight > 0]) == 0 else _ends(weight[weight > 0]),
        "known_noise": _ends(noise) if noise.any() else "none given",
    }


def _checkpoints(fit: Fit) -> dict[str, Any]:
    """Rows of one run share its noise: how many independent runs there are, and rows in each."""
    drawn = resampled(fit.problem.runs)
    used = np.asarray(fit.problem.runs.weight) > 0
    rows = np.bincount(np.asarray(drawn.of_row)[used])
    return {
        "told_by": fit.provenance.get("run_id"),  # null: taken as independent, which nobody has said they are
        "independent_runs": len(rows),
        "rows_per_run": {"least": int(rows.min()), "most": int(rows.max())},
    }


def _ends(column: np.ndarray) -> dict[str, float]:
    return {"least": float(column.min()), "most": float(column.max())}
