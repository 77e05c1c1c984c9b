"""`quotewell import FILE…`: how files are read, row by row, before anything is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewell.views.cli.exits import FAILED, FINE, NOT_STRICT
from quotewell.views.cli.options import FILE_HELP, Namespace, Subparsers, add_mapping, mapping_of
from quotewell.views.cli.output import print_json, print_lines
from quotewell.views.cli.parser import add_command
from quotewell.views.words import count, iso, printable

if TYPE_CHECKING:
    from quotewell.portfolio.importers import ImportedFile

__all__ = ["add", "run"]


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "import",
        "how files are read: what each row became; nothing is fetched",
        "positions.csv --check",
        "mine.csv --map symbol=Ticker,quantity=Shares --map-save mine",
    )
    parser.add_argument("file", metavar="FILE", nargs="+", help=FILE_HELP)
    parser.add_argument(
        "--check", action="store_true", help="exit with 3 if a row was rejected or a column was not read"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, documented in docs/json.md")
    add_mapping(parser)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Read the files, and print what was found in each."""
    from quotewell.portfolio.importers import read_positions  # noqa: PLC0415  `--help` needs none

    mapping = mapping_of(options)
    files = [read_positions(path, mapping=mapping) for path in options.file]
    if options.json:
        from quotewell.views.imported import Imported, file_document  # noqa: PLC0415  only then

        print_json(Imported(files=[file_document(file) for file in files]))
    else:
        print_lines("\n\n".join("\n".join(_lines(file)) for file in files))
    if not all(file.rows for file in files):
        return FAILED
    doubtful = any(file.rejected or file.problems for file in files)
    return NOT_STRICT if options.check and doubtful else FINE


def _lines(file: ImportedFile) -> list[str]:
    from quotewell.views.imported import kinds_of  # noqa: PLC0415  `--help` needs none

    as_of = iso(file.as_of) or "on an unknown day"
    kinds = ", ".join(f"{n} {kind}" for kind, n in kinds_of(file).items() if n)
    lines = [
        f"{printable(file.path)}: {file.broker}, {count(file.rows, 'row')}, positions {as_of}",
        f"  accounts: {', '.join(map(printable, file.accounts)) or 'not named'}",
        f"  rows: {kinds or 'none'}" + (f", {len(file.rejected)} rejected" if file.rejected else ""),
    ]
    lines += [f"  line {row.line} rejected: {printable(row.reason)}" for row in file.rejected]
    lines += [f"  {printable(problem.message)}" for problem in file.problems]
    if file.notes:
        lines.append(f"  {count(len(file.notes), 'line')} of text around the table")
    return lines
