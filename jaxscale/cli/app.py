"""The typer application: every command by name."""

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from jaxscale.cli.commands.cite import cite
from jaxscale.cli.commands.compare import compare
from jaxscale.cli.commands.data import data
from jaxscale.cli.commands.demo import demo
from jaxscale.cli.commands.fit import fit
from jaxscale.cli.commands.forecast import forecast
from jaxscale.cli.commands.laws import laws
from jaxscale.cli.commands.plan import plan
from jaxscale.cli.commands.predict import predict
from jaxscale.cli.commands.report import report
from jaxscale.cli.commands.sample import sample
from jaxscale.cli.commands.versus import versus
from jaxscale.cli.guard import standing


class Command(TyperCommand):
    """Settings of the process are made when a command runs: its help needs no JAX."""

    def invoke(self, ctx: Any) -> Any:
        if ctx.obj is not None:
            ctx.obj()
        return super().invoke(ctx)


class Commands(TyperGroup):
    """All of them, and what typer itself says, run behind `guard.standing`."""

    def main(self, *args: Any, standalone_mode: bool = True, **options: Any) -> Any:
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **options)
        return standing(lambda: super(Commands, self).main(*args, standalone_mode=False, **options))


app = typer.Typer(
    cls=Commands,
    name="jaxscale",
    help="Certified fits and posteriors of neural scaling laws, with intervals and plans. Start with `jaxscale demo`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (demo, fit, forecast, sample, compare, predict, plan, versus, report, laws, data, cite):
    app.command(cls=Command)(command)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"jaxscale {version('jaxscale')}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Certified fits and posteriors of neural scaling laws, with intervals and plans. Start with `jaxscale demo`."""
