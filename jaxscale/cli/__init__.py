"""Floor 7, the command line: `jaxscale demo | fit | sample | compare | predict | plan | versus | laws | data | cite`.

A thin layer of typer commands over the verbs: it parses, calls, prints and sets the exit status (0 good, 1 a fit is
not certified or a posterior failed its diagnosis, 2 bad input, 3 a fault of jaxscale). What is said comes from
`report`. Commands import what they need when they run.
"""

import sys

from jaxscale.cli.interrupt import INTERRUPTED, STOPPED, heard


def main() -> None:
    """The entry point: settings of this process, then the command.

    Ctrl-C ends its imports, which take a second, as it ends the rest.
    """
    try:
        with heard():
            from jaxscale.cli.guard import standing

            standing(_run)
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        sys.exit(INTERRUPTED)


def _run() -> int | None:
    from jaxscale.cli.app import app
    from jaxscale.cli.process import prepare

    return app(standalone_mode=False, obj=prepare)
