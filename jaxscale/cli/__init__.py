"""Floor 6, the command line: `jaxscale demo | fit | sample | compare | predict | plan | versus | laws | data | cite`.

A thin layer of typer commands over the verbs: it parses, calls, prints and sets the exit status (0 good, 1 a fit is
not certified or a posterior failed its diagnosis, 2 bad input, 3 a fault of jaxscale). What is said comes from
`report`. Commands import what they need when they run.
"""

from jaxscale.cli.app import app
from jaxscale.cli.guard import standing
from jaxscale.cli.process import prepare

__all__ = ["app", "main"]


def main() -> None:
    """The entry point: settings of this process, then the command."""

    def run() -> int | None:
        prepare()
        return app(standalone_mode=False)

    standing(run)
