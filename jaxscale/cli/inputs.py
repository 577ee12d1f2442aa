"""What people type, as objects: mappings, filters, laws, fixed parameters, points. Refused in sentences."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import Declared, check_held, declared
from jaxscale.report.store.store import Saved, load
from jaxscale.studies import Study
from jaxscale.studies import load as load_data
from jaxscale.studies.options import Options, options_of
from jaxscale.studies.tables.columns import OwnersTable
from jaxscale.studies.units import cell

DATA = "data:"


def mapping_of(given: Sequence[str]) -> dict[str, str]:
    """`["N=params[M]", ...]` by symbol. Raises `BadInput`."""
    found: dict[str, str] = {}
    for text in given:
        symbol, equals, column = text.partition("=")
        symbol, column = symbol.strip(), column.strip()
        if not equals or not symbol or not column:
            raise BadInput(f"--map: expected symbol=column[unit], got {text!r}; write it as in N=params[M]")
        if symbol in found:
            raise BadInput(f"--map: {symbol} is mapped twice, to {found[symbol]!r} and {column!r}; keep one")
        found[symbol] = column
    return found


def stated_of(given: Sequence[str]) -> dict[str, Any]:
    """`["tuning=swept", ...]`, answers to questions of the fit card, as options of `Study.read`. Raises `BadInput`."""
    from jaxscale.report.card.runs import ASKED
    from jaxscale.studies.checks.checks import known

    found: dict[str, str] = {}
    for text in given:
        item, equals, answer = (part.strip() for part in text.partition("="))
        if not equals or not answer:
            raise BadInput(
                f"--state: expected item=text, got {text!r}; write it as in tuning='rate swept at each size'"
            )
        known(item, [*ASKED, "citation", "licence", "parameters_counted"], "--state", "item")
        if item in found:
            raise BadInput(f"--state: {item} is stated twice, as {found[item]!r} and {answer!r}; keep one")
        found[item] = answer
    options = {"n_convention": found.pop("parameters_counted", None), "licence": found.pop("licence", None)}
    return {**{name: value for name, value in options.items() if value is not None}, "provenance": found}


def study_of(
    file: str, given: Sequence[str], where: str | None, stated: Sequence[str] | None = None, **options: Any
) -> Study:
    """A table at a path, or `data:NAME`, with answers `stated` for the fit card. Raises `BadInput`."""
    mapping = mapping_of(given)
    options = {name: value for name, value in options.items() if value is not None} | stated_of(stated or ())
    for rate in {"tokens_per_byte", "tokens_per_character"} & set(options):
        read = cell(options[rate])  # a number, else the name of a column
        options[rate] = options[rate] if read is None else read[0]
    if file.startswith(DATA):
        return load_data(file[len(DATA) :], where=where, mapping=mapping, **options)
    _is_file(file, "FILE", f"give the path of a table, or {DATA}NAME (see `jaxscale data`)")
    return Study.read(file, mapping or None, where=where, **options)


def local(file: str) -> Path | None:
    """The file that `study_of` reads; None where a public data set is downloaded."""
    if not file.startswith(DATA):
        return Path(file)
    from jaxscale.studies.registry import datasets, local_table

    found = datasets().get(file[len(DATA) :])
    return None if found is None else local_table(found)


def _is_file(file: str, option: str, remedy: str) -> None:
    if not Path(file).exists():
        raise BadInput(f"{option}: there is no file {file}; {remedy}")
    if Path(file).is_dir():
        raise BadInput(f"{option}: expected a file, got the folder {file}; {remedy}")


def law_class(name: str) -> type[AbstractLaw]:
    """A law by its name. Raises `BadInput` with the closest ones."""
    from jaxscale.laws import find

    try:
        return find(name)
    except KeyError as error:
        raise BadInput(f"law: {error.args[0]}; see `jaxscale laws`") from None


def laws_about(about: str | None, given: str | None) -> list[type[AbstractLaw]]:
    """The catalogue, or its laws of one question that need no inputs but `given`. Raises `BadInput` on none."""
    from jaxscale.core.law import class_signature
    from jaxscale.laws import catalogue, question
    from jaxscale.studies.checks.checks import known

    every = list(catalogue().values())
    if about is not None:
        asked = known(about, sorted({question(cls)[0] for cls in every}), "--about", "question")
        every = [cls for cls in every if question(cls)[0] == asked]
    if given is not None:
        there = {symbol.strip() for symbol in given.split(",")}
        found = [cls for cls in every if set(class_signature(cls).inputs) <= there]
        if not found:
            symbols = sorted({symbol for cls in every for symbol in class_signature(cls).inputs})
            raise BadInput(
                f"--given: no law needs only {', '.join(sorted(there))}; inputs are written as in N,D and are some of "
                f"{', '.join(symbols)}"
            )
        every = found
    return every


def laws_of(text: str) -> dict[str, AbstractLaw]:
    """`"Chinchilla,KaplanND"` as laws by name. Raises `BadInput` on fewer than two, or one twice."""
    found = _named(text)
    if len(found) < 2:
        raise BadInput(
            f"--laws: expected at least two laws separated by commas, got {text!r}; write it as in "
            "--laws Chinchilla,KaplanND"
        )
    return found


def forecasters(text: str | None, study: Study) -> dict[str, AbstractLaw]:
    """The laws named in `text`; or every law of loss in N and D that `study` can feed. Raises `BadInput`."""
    from jaxscale.core.law import class_signature
    from jaxscale.laws import catalogue, question

    if text is not None:
        found = _named(text)
        if not found:
            raise BadInput(f"--laws: expected names separated by commas, got {text!r}; write Chinchilla,Nested")
        _check_fed(found, study)
        return found
    found = {}
    for label, cls in catalogue().items():
        if question(cls)[0] == "loss" and set(class_signature(cls).inputs) == {"N", "D"}:
            try:
                study.runs(class_signature(cls))
            except BadInput:
                continue  # a loss in another unit
            found[label] = cls()
    if not found:
        raise BadInput(
            f"--laws: no law of loss in N and D fits a loss in {study.unit or 'its own unit'} of {study.name!r} with "
            f"{', '.join(study.columns)}; map N and D, or give the loss without a unit (loss=column)"
        )
    return found


def parted(study: Study, train: str | None, test: str | None) -> tuple[Study, Study | None]:
    """The rows of --train (default: all, less those of --test) and of --test. Raises `BadInput` where they overlap."""
    held = None if test is None else _rows_of(study, test, "--test")
    fitted = np.ones(len(study), bool) if held is None else ~held
    if train is not None:
        fitted = _rows_of(study, train, "--train")
    if held is not None and (fitted & held).any():
        raise BadInput(
            f"--train and --test: expected no row in both, got {(fitted & held).sum()}; write one as the opposite of "
            "the other"
        )
    if not fitted.any():
        raise BadInput(f"--test: expected rows left to fit, got none besides {test!r}; choose fewer")
    part = study if fitted.all() else study.select(fitted, train or f"not ({test})")
    return part, None if held is None else study.select(held, str(test))


def _rows_of(study: Study, expression: str, option: str) -> np.ndarray:
    from jaxscale.studies.expressions import mask_of

    mask = mask_of(expression, study.table)
    if not mask.any():
        raise BadInput(f"{option}: expected rows where {expression!r}, got none of {len(study)}")
    return mask


def _named(text: str) -> dict[str, AbstractLaw]:
    found: dict[str, AbstractLaw] = {}
    for name in filter(None, (part.strip() for part in text.split(","))):
        made = law_class(name)
        if made.__name__ in found:
            raise BadInput(f"--laws: {made.__name__} is given twice; keep one")
        found[made.__name__] = made()
    return found


def check_laws(laws: Mapping[str, AbstractLaw], study: Study, points: Mapping[str, Any] | None) -> None:
    """Refuse laws that `study`, or the points of --at, cannot feed, and laws of different quantities."""
    from jaxscale.core.law import signature

    units = {label: signature(law).output.unit for label, law in laws.items()}
    if len(set(units.values())) > 1:
        shown = ", ".join(f"{label} [{unit or 'no unit'}]" for label, unit in units.items())
        raise BadInput(f"--laws: expected laws of one quantity, got {shown}; compare laws of the same")
    _check_fed(laws, study)
    check_points(laws, points)


def _check_fed(laws: Mapping[str, AbstractLaw], study: Study) -> None:
    """Refuse laws that `study` cannot feed."""
    from jaxscale.core.law import signature

    for label, law in laws.items():
        try:
            study.runs(signature(law))
        except BadInput as error:
            raise BadInput(f"{label}: {error}") from None


def check_points(laws: Mapping[str, AbstractLaw], points: Mapping[str, Any] | None) -> None:
    """Refuse points of --at that lack an input of a law."""
    from jaxscale.core.law import signature

    for label, law in laws.items():
        wanted = signature(law).inputs
        lacking = [name for name in wanted if points is not None and name not in points]
        if lacking:
            raise BadInput(
                f"--at: {label} needs {', '.join(wanted)}, got {', '.join(points or ())}; "
                f"give {', '.join(lacking)} as well"
            )


def check_near(laws: Mapping[str, AbstractLaw], study: Study, points: Mapping[str, Any], *, allow_far: bool) -> None:
    """Refuse, before anything is fitted to `study`, points of --at that `Outlook.at` would refuse after it."""
    from jaxscale.core.evaluate import points_of
    from jaxscale.core.law import signature
    from jaxscale.core.scale import decades_beyond
    from jaxscale.infer.backtest.guard import refuse_far

    decades = [
        decades_beyond(study.runs(signature(law)), points_of(law, points, study.groups)) for law in laws.values()
    ]
    if not allow_far:
        # Any law may come to be chosen: what one of them would forecast is not refused here.
        refuse_far(min(decades, key=np.max))


def fixed_of(given: Sequence[str], law: AbstractLaw) -> dict[str, Any]:
    """`["alpha=0.5"]` as values by name, in the parameter's shape. Raises `BadInput`."""
    known = {d.name: d for d in declared(law)}
    found: dict[str, Any] = {}
    for text in given:
        name, equals, number = (part.strip() for part in text.partition("="))
        if not equals or not name or not number:
            raise BadInput(f"--fix: expected parameter=number, got {text!r}; write it as in alpha=0.5")
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise BadInput(f"--fix: the law has no parameter {name!r}; {hint}its parameters are {', '.join(known)}")
        if name in found:
            raise BadInput(f"--fix: {name} is fixed twice; keep one")
        values = np.array([_number(part, f"--fix {name}") for part in number.split(",")])
        d = known[name]
        shape = np.shape(d.value)
        if values.size not in (1, int(np.prod(shape, dtype=int))):
            raise BadInput(
                f"--fix: {name} has {int(np.prod(shape, dtype=int))} values, got {values.size}; give one or all"
            )
        value = np.broadcast_to(values if values.size > 1 else values[0], shape).astype(float)
        try:
            check_held(Declared(name, d.spec, _as_array(value)))
        except BadInput as error:
            raise BadInput(str(error).replace("fixed:", "--fix:", 1)) from None
        found[name] = value if shape else float(value)
    return found


def _as_array(value: np.ndarray) -> Any:
    import jax.numpy as jnp

    return jnp.asarray(value, dtype=float)


def _number(text: str, where: str) -> float:
    """A number, with a suffix such as 70B where one is meant. Raises `BadInput`."""
    read = cell(text)
    if read is None or not np.isfinite(read[0]):
        raise BadInput(f"{where}: expected a finite number, got {text!r}; write it like 70e9 or 70B")
    return float(read[0])


def positive(text: str | None, option: str, unit: str) -> float | None:
    """A positive number given to an option. Raises `BadInput`."""
    if text is None:
        return None
    value = _number(text, option)
    if value <= 0:
        raise BadInput(f"{option}: expected a positive number of {unit}, got {text}; write it like 1e24")
    return value


def points_of(given: Sequence[str]) -> dict[str, Any]:
    """`["N=70e9,D=1.4e12", ...]` as columns by name. Raises `BadInput`."""
    rows: list[dict[str, Any]] = []
    for text in given:
        row: dict[str, Any] = {}
        for part in text.split(","):
            name, equals, value = (x.strip() for x in part.partition("="))
            if not equals or not name or not value:
                raise BadInput(
                    f"--at: expected name=number pairs, got {part!r} in {text!r}; write it as in N=70e9,D=1.4e12"
                )
            if name in row:
                raise BadInput(f"--at: {name} is given twice in {text!r}; keep one")
            row[name] = value if name == "group" else _number(value, f"--at {name}")
        if rows and set(row) != set(rows[0]):
            raise BadInput(
                f"--at: expected {', '.join(rows[0])} at every point, got {', '.join(row)}; give the same names"
            )
        rows.append(row)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def saved_fit(file: str, trust: bool) -> Saved:
    """A file written by `jaxscale fit --save` or `jaxscale sample --save`. Raises `BadInput`."""
    _is_file(file, "FIT", "give a file written by `jaxscale fit ... --save FILE`")
    return load(file, trust=trust)


def points_in(
    file: str, given: Sequence[str], group: str | None, fit: Any, **options: Any
) -> tuple[dict[str, Any], list[str]]:
    """Points from a table, and remarks on how it was read: no loss is needed. Raises `BadInput`."""
    from jaxscale.core.law import signature
    from jaxscale.studies.commas import decided
    from jaxscale.studies.reading import opened

    _is_file(file, "--file", "give the path of a table of points")
    read = options_of({name: value for name, value in options.items() if value is not None})
    names = [name for name in signature(fit.law).inputs if name != "group"]
    mapping = mapping_of(given) or {name: name for name in names}
    return decided(opened(file, read), mapping, lambda table: _points(table, mapping, group, fit, read))


def _points(
    table: OwnersTable, mapping: Mapping[str, str], group: str | None, fit: Any, options: Options
) -> tuple[dict[str, Any], list[str]]:
    from jaxscale.core.groups import label
    from jaxscale.core.law import signature
    from jaxscale.studies.convert import canonical
    from jaxscale.studies.curves import shaped
    from jaxscale.studies.sheet import Sheet

    sheet = Sheet(table, options.where)
    wanted = signature(fit.law).inputs
    columns, _, _ = canonical(sheet, sheet.in_units(mapping), options)
    found: dict[str, Any] = {}
    for name in wanted:
        # What a row has of a curve is one step of it.
        column = None if name == "group" else shaped(name, columns, sheet.levels, sheet.rows)
        if column is not None:
            found[name] = column[:, None] if wanted[name].axes == ("step",) else column
    if "group" in wanted:
        if group is None:
            raise BadInput("--group: expected the column of --file that holds the group's label, got none; name it")
        if group not in sheet.table:
            raise BadInput(
                f"--group: there is no column {group!r}; the columns are {', '.join(list(sheet.table)[:20])}"
            )
        found["group"] = np.array([label(cell) for cell in sheet.table[group]])
    return found, sheet.remarks
