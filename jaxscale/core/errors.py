"""BadInput: what a person gave cannot be used, said in one sentence."""

from jaxscale.core.shown import sentence


class BadInput(ValueError):
    """Input from a person or a file that is refused.

    The message is one sentence: where (row, column), what was expected, what came, what to do. The
    command line prints it and exits with status 2; no trace is needed to understand it. A remedy that names an
    argument is Python between backticks, as in `run_id=...`, which the command line says as its own option. What came
    may be anything: it is shown as `core.shown.sentence` does, whoever catches the error.
    """

    def __init__(self, message: object = ""):
        super().__init__(sentence(str(message)))
