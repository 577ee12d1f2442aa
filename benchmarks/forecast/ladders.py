"""Ladders: public runs of one recipe over sizes and data, with a loss; and which data sets hold none.

A data set is in if it has a positive loss of at least six independent runs of one recipe with N and D (or one of them
and C). Of settings that share runs one is taken, as are a run's last point where only that is a loss at the end of its
schedule, and the best run of a cell where runs differ in learning rate or batch. Nothing else is left out: losses stay
in their own unit, so that every law of loss in N and D can be fitted.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from jaxscale import BadInput, Study, load

PLAIN = {"N": "params[params]", "D": "tokens[tokens]", "loss": "loss"}  # a loss in its own unit, whatever the law's

MISFITS: Mapping[str, str] = {
    "bimix": "losses by mixture and step; one size, no tokens",
    "critical_batch_size": "steps to a loss that is the same for all runs",
    "diloco_tables, replicas": "the same sizes trained otherwise; data-parallel training is in",
    "gadre_overtraining, grid_search.csv": "no parameter counts",
    "gemstones, hot_100b+ and cool_begin": "the runs of hot and of cool_end",
    "laion_clip_mammut_seg": "contrastive losses depend on the batch, which is swept",
    "mixing_laws_ye": "losses by mixture and step; tokens are not given",
    "mixture_slimpajama_dmsl": "every mixture is a recipe of its own, with at most five runs",
    "monkeys_coverage": "solved problems by attempts, no loss",
    "mpl_loss_curves": "three sizes; tokens are not given",
    "obs_scaling": "benchmark accuracies of published models, no loss",
    "openclip_cherti": "error rates of downstream tasks, not a loss",
    "pocket_mixtures, _rate_batch, _repeats, _schedules": "other questions at a few sizes; the grid is in",
    "porian_isoflop, other counts and the training loss": "the runs of the settings that are in, counted otherwise",
    "quest_precision, below 16 bits": "losses by precision; full precision is in",
    "rectified_finetuning": "fine-tuning of 30 different models",
    "regmix": "losses by mixture; tokens are not given",
    "revisiting_nsl": "losses by data alone, without N",
    "routed_lm, experts and wider layers": "parameters that not every token uses; N of the wider ones is not given",
    "sloth_leaderboard": "benchmark scores of published models, no loss",
    "sparsity": "every run is pruned on the way; there are no dense ones",
    "steplaw_dense, all but the best": "learning rates and batches that were not meant to be good",
    "vocab_scaling": "the loss is relative to a unigram model and negative",
}


def ladders() -> Mapping[str, Callable[[], Study]]:
    """By name, what reads each ladder. Reading needs `JAXSCALE_DATA_DIR`, but for our own study."""
    return {
        "Farseer": partial(load, "farseer", mapping=PLAIN),
        "Chinchilla runs": partial(load, "chinchilla_besiroglu", where="excluded_in_paper == 0", mapping=PLAIN),
        **_each("Gadre", "gadre_overtraining", "dataset", ("c4_original", "rpj", "rw_original")),
        "Datablations, one epoch": partial(load, "datablations_c4", where="unique_tokens >= tokens", mapping=PLAIN),
        **_each("Gemstones", "gemstones", "subset", ("hot", "cool_end", "lr_ablation_hot")),
        **_porian(),
        "Misfitting, best rate": lambda: best(file("misfitting", where="is_final == 1")),
        "OPT": partial(file, "opt_trajectories", run_id="model_size"),
        "Step Law, best of a cell": lambda: best(load("steplaw_dense", mapping=PLAIN)),
        "OLMo ladder": lambda: last(file("olmo_ladder", loss="loss_c4"), "run"),
        "ParScale stack": partial(_parallel, "stack"),
        "ParScale pile": partial(_parallel, "pile"),
        "QuEST, 16 bits": partial(load, "quest_precision", where="w_format == 'bf16'", mapping=PLAIN),
        "Routed LM, dense": partial(
            load, "routed_lm", where="router_type == 'Dense' and flop_increase == 1", mapping=_of(tokens="tokens_est")
        ),
        "Shapes": partial(load, "shape_morph", mapping=PLAIN),
        "DiLoCo, data-parallel": partial(
            file, "diloco_tables", where="algorithm == 'data_parallel'", params="params_nominal"
        ),
        **{f"gzip {at}": partial(_gzip, at) for at in ("0.12", "0.23", "0.33", "0.45", "0.61")},
        **_each("Pocket", "pocket_grid", "corpus", ("stdlib", "zipf")),
    }


def file(
    slug: str,
    *,
    where: str | None = None,
    run_id: str | None = None,
    params: str = "params",
    tokens: str = "tokens",
    loss: str = "loss",
) -> Study:
    """A table of the data folder that is not registered. Raises `BadInput` without a folder."""
    folder = os.environ.get("JAXSCALE_DATA_DIR")
    if not folder:
        raise BadInput("JAXSCALE_DATA_DIR: expected the folder of public measurements, got none; the ladders are there")
    mapping = _of(params=params, tokens=tokens, loss=loss)
    return Study.read(Path(folder) / slug / "data.csv", mapping, name=slug, where=where, run_id=run_id)


def best(study: Study) -> Study:
    """The run of least loss at every (N, D); the first where several have it."""
    cells = zip(study.columns["N"], study.columns["D"], strict=True)
    return _one_of_each(study, cells, study.columns["loss"], "the least loss at its N and D")


def last(study: Study, run: str) -> Study:
    """The point of most tokens of every run, by the label in the column `run`."""
    return _one_of_each(study, study.table[run], -study.columns["D"], "the last of its run")


def _one_of_each(study: Study, label: Iterable[object], order: np.ndarray, reason: str) -> Study:
    first: dict[object, int] = {}
    for row, own in enumerate(label):
        if own not in first or order[row] < order[first[own]]:
            first[own] = row
    kept = np.zeros(len(study), bool)
    kept[list(first.values())] = True
    return study.select(kept, reason)


def _of(params: str = "params", tokens: str = "tokens", loss: str = "loss") -> dict[str, str]:
    return {"N": f"{params}[params]", "D": f"{tokens}[tokens]", "loss": loss}


def _each(name: str, slug: str, column: str, values: tuple[str, ...]) -> dict[str, Callable[[], Study]]:
    return {f"{name} {x}": partial(load, slug, where=f"{column} == '{x}'", mapping=PLAIN) for x in values}


def _porian() -> dict[str, Callable[[], Study]]:
    """Four steps from Kaplan's recipe to Chinchilla's on two corpora; all FLOPs counted, validation loss."""
    steps = (
        ("base", "long", "kaplan"),
        ("base", "short", "kaplan"),
        ("base", "short", "chinchilla"),
        ("tuned", "short", "const"),
    )
    found: dict[str, Callable[[], Study]] = {}
    for corpus in ("owt2", "rw"):
        for hparams, warmup, decay in steps:
            where = (
                f"dataset == '{corpus}' and hparams == '{hparams}' and warmup == '{warmup}' and decay == '{decay}' "
                "and param_count == 'standard' and loss_split == 'val'"
            )
            # At a schedule matched to its budget every point is the end of a run; else points are read off one curve.
            runs = {"run_id": ("params", "flops")} if decay == "chinchilla" else {}
            name = f"Porian {corpus}, {hparams}, {warmup} warm-up, {decay} decay"
            found[name] = partial(load, "porian_isoflop", where=where, mapping=PLAIN, **runs)
    return found


def _gzip(at: str) -> Study:
    """Runs on sentences of one grammar; all are of one epoch, so that unique tokens are all tokens."""
    return file("gzip_pcfg", where=f"dataset == 'gzipscale-{at}-10M' and epochs == 1", tokens="unique_tokens")


def _parallel(corpus: str) -> Study:
    """One stream; every run saw 42e9 tokens, which the table does not say and the paper does."""
    study = load("parallel_scaling", where=f"parallel_size == 1 and dataset == '{corpus}'", mapping={"loss": "loss"})
    tokens = np.full(len(study), 42e9)
    return replace(study, columns={**study.columns, "D": tokens}, units={**study.units, "D": "tokens"})
