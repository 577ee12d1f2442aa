"""Tables that are no table of runs, recognised by their shape, and what makes one of them."""

from collections.abc import Iterable


def explained(columns: Iterable[str]) -> str:
    """What the table is and what to do, to end a sentence on a column that is lacking; empty where nothing is known."""
    names = set(columns)
    # W&B draws each run's metric with its range: "run - metric", "run - metric__MIN", "run - metric__MAX".
    bases = sorted(name.removesuffix("__MIN") for name in names if name.endswith("__MIN") and " - " in name)
    charts = [base for base in bases if {base, f"{base}__MAX"} <= names]
    if charts:
        metric = charts[0].rpartition(" - ")[2][:40]
        return (
            f"the table is a W&B chart, a column of {metric!r} for each of {len(charts)} runs and a row per step: "
            "export the table of runs instead, or take last values, as in "
            f"df.filter(regex=' - {metric}$').ffill().iloc[-1] in pandas, and add each run's parameters and tokens"
        )
    if "_step" in names and names & {"_runtime", "_timestamp"}:
        return (
            "the table is a W&B history, a row per step: add the run's parameters as a column, and tokens where they "
            "are not logged, as in df.assign(params=..., tokens=df._step * tokens_per_step) in pandas; of several runs "
            "in one table, `last_of=...` with the column of their names reads the last row of each"
        )
    return ""
