"""`python -m benchmarks.measure.tables`: the finished sweeps as the tables that jaxscale ships, one CSV per sweep."""

import csv
import hashlib
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from benchmarks.measure.schedules import relative
from benchmarks.measure.sweep import SWEEPS, records_of

SHIPPED = Path(__file__).parents[2] / "jaxscale" / "studies" / "pocket"
ORDER = ("width", "layers", "tokens", "unique_tokens", "batch_tokens", "peak_lr", "schedule", "weight", "seed")


def row(record: dict[str, Any]) -> dict[str, Any]:
    """One run as a row of its table."""
    s = record["settings"]
    common = {
        "width": s["width"],
        "layers": s["layers"],
        "params": record["params"],
        "params_non_embedding": record["params_non_embedding"],
        "tokens": s["tokens"],
        "unique_tokens": s["unique_tokens"] or s["tokens"],
        "batch_tokens": s["batch_tokens"],
        "steps": record["steps"],
        "lr": s["peak_lr"],
        "schedule": s["schedule"],
        "seed": s["seed"],
        "flops": record["flops"],
        "flops_6nd": record["flops_6nd"],
    }
    return common | _losses(record) | {"core_seconds": record["core_seconds"]}


def _losses(record: dict[str, Any]) -> dict[str, Any]:
    """Loss in nats per byte with the standard error over held-out windows; both corpora where both were trained on.

    A diverged run has no loss, and says so.
    """
    weight = record["settings"]["weight"]
    losses = {name.removeprefix("loss_"): x for name, x in record.items() if name.startswith("loss_")}
    found = {name: f"{x:.6g}" for name, x in losses.items() if math.isfinite(x)}
    status = {"status": "ok" if found else "diverged"}
    if weight in (0.0, 1.0):
        corpus = "stdlib" if weight else "zipf"
        return {"corpus": corpus, "loss": found.get(corpus), "loss_se": found.get(f"{corpus}_se")} | status
    return {f"loss_{name}": value for name, value in found.items()} | status


def mixture(record: dict[str, Any]) -> dict[str, Any]:
    """A run of the mixtures: the shares of both corpora, and the loss on each that was trained on."""
    weight = record["settings"]["weight"]
    return {"h_stdlib": weight, "h_zipf": round(1 - weight, 6)} | row(record)


def points(record: dict[str, Any], number: int) -> Iterable[dict[str, Any]]:
    """The curve of one run: held-out loss (of fewer windows than the final one) against step and learning rate."""
    s = record["settings"]
    shape = relative(s["schedule"], record["steps"])
    for point in record["curve"]:
        yield {
            "run": number,
            "width": s["width"],
            "layers": s["layers"],
            "params": record["params"],
            "schedule": s["schedule"],
            "steps": record["steps"],
            "batch_tokens": s["batch_tokens"],
            "peak_lr": s["peak_lr"],
            "step": point["step"],
            "tokens": point["step"] * s["batch_tokens"],
            "lr": f"{s['peak_lr'] * shape[point['step'] - 1]:.6g}",
            "loss": f"{point['stdlib']:.6g}",
        }


def rows_of(sweep: Path) -> list[dict[str, Any]]:
    """The table of one sweep, in the order of the settings; empty before its first run is finished."""
    records = sorted(records_of(sweep), key=lambda r: tuple(r["settings"][name] for name in ORDER))
    if sweep.stem == "schedules":
        return [point for number, record in enumerate(records) for point in points(record, number)]
    return [(mixture if sweep.stem == "mixtures" else row)(record) for record in records]


def write(out: TextIO, rows: list[dict[str, Any]]) -> None:
    """As CSV."""
    writer = csv.DictWriter(out, list(dict.fromkeys(name for one in rows for name in one)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def main() -> None:
    for sweep in sorted(SWEEPS.glob("*.toml")):
        if rows := rows_of(sweep):
            path = SHIPPED / f"{sweep.stem}.csv"
            with path.open("w", newline="") as out:
                write(out, rows)
            print(f"{path.name}: {len(rows)} rows, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
