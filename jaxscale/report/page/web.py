"""What the HTML pages share: their voice in CSS, and rich tables as rows of text."""

from dataclasses import dataclass

from rich.table import Table

# Light on purpose, in dark mode too: the charts are drawn in colours that were chosen on white.
STYLE = """
:root { color-scheme: light; background: #fff; }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 3rem; border-bottom: 2px solid #0072b2; } h3 { margin-top: 2.2rem; }
table { border-collapse: collapse; font-size: 0.88rem; margin: 0.8rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.2rem 0.8rem 0.2rem 0; border-bottom: 1px solid #e6e6e6; }
code, pre { font-size: 0.85rem; background: #f5f5f5; } pre { padding: 0.6rem; overflow-x: auto; }
svg { max-width: 100%; height: auto; }
"""


# Nothing is loaded, and no script runs, but what a page names itself.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:"


@dataclass(frozen=True)
class Rows:
    """A table as text. `right`: which columns hold numbers."""

    head: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]


def rows(table: Table) -> Rows:
    """What the terminal shows, for a page."""
    columns = [[str(cell) for cell in column.cells] for column in table.columns]
    head = tuple(str(column.header) for column in table.columns)
    return Rows(head, tuple(zip(*columns, strict=True)), tuple(map(_numbers, columns)))


def _numbers(cells: list[str]) -> bool:
    return any(cells) and all(cell[:1] in "0123456789+-." for cell in cells)
