"""Arguments and options that several commands have, each with one name, form and help."""

from typing import Annotated

import typer

Table = Annotated[str, typer.Argument(metavar="FILE", help="A table (csv, parquet, json, xlsx, ...), or data:NAME.")]
Law = Annotated[str, typer.Option(help="Name of the law; see `jaxscale laws`.")]
Map = Annotated[list[str] | None, typer.Option(help="symbol=column[unit], as in D=tokens[B]; loss is the output.")]
Where = Annotated[str | None, typer.Option(help='Filter on columns, as in "excluded == 0 and loss < 4".')]
Fix = Annotated[list[str] | None, typer.Option(help="parameter=number: hold it there.")]
RunId = Annotated[str | None, typer.Option(help="Column that names the run a row (checkpoint) belongs to.")]
LastOf = Annotated[
    str | None, typer.Option(help="Column that names the run of a checkpoint: read the last one of each run only.")
]
By = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Along which symbol origins grow, such as N; default: compute, or the input that spans most decades.",
    ),
]
Solver = Annotated[
    str, typer.Option(metavar="NAME", help="gauss-newton; lbfgs, for many parameters; adam:0.1:5000 (rate and steps).")
]
Weight = Annotated[str | None, typer.Option(help="Column of weights: how much a row counts.")]
Noise = Annotated[
    str | None, typer.Option(help="Column with the known standard deviation of each loss, as in se[nats]; 0: unknown.")
]
Duplicates = Annotated[
    str | None,
    typer.Option(
        metavar="once|keep|refuse",
        help="Copies of a whole row: count them once (default) or keep them; or refuse them and equal rows.",
    ),
]
PerByte = Annotated[str | None, typer.Option(metavar="X", help="Tokens per byte of a loss in bpb: number or column.")]
PerCharacter = Annotated[
    str | None, typer.Option(metavar="X", help="Tokens per character of a loss in bpc: number or column.")
]
MaxSteps = Annotated[int | None, typer.Option(help="Most steps of the solver from one start; 200 of Gauss-Newton.")]
State = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ITEM=TEXT", help="Answer a question of the fit card, as in tuning='rate swept at each size'."
    ),
]
MaxTable = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Memory that FILE may take once decompressed and read; 1GB.")
]
Sheet = Annotated[str | None, typer.Option(help="Sheet of an Excel file; the first by default.")]
Decimal = Annotated[
    str | None, typer.Option(metavar=",|.", help="Mark before decimals, where cells such as 1,234 do not tell.")
]
Draws = Annotated[str, typer.Option(metavar="N", help="Draws of each chain.")]
Chains = Annotated[str, typer.Option(metavar="N", help="Number of chains.")]
Json = Annotated[str | None, typer.Option(metavar="FILE|-", help="Write the answer as JSON; - is stdout.")]
Plot = Annotated[str | None, typer.Option(metavar="DIR", help="Write figures into this folder.")]
Saved = Annotated[str, typer.Argument(metavar="FIT", help="A file written by `fit --save` or `sample --save`.")]
Trust = Annotated[bool, typer.Option(help="Import a custom law from where it was defined: runs its file.")]
