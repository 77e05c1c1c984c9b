"""Entry point of the command line: parse, run one command, turn errors into one line and an exit code.

Exit codes: 0 fine; 1 the command could not do its job; 2 wrong usage; 3 done, but `--strict` found something
missing, stale, disputed or rejected; 130 interrupted; 143 ended by SIGTERM.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from quotewell._version import __version__
from quotewell.errors import QuotewellError, QuotewellWarning, UsageError
from quotewell.views.cli.exits import FAILED, FINE, INTERRUPTED, TERMINATED, WRONG_USAGE
from quotewell.views.cli.output import abandon_stdout, prepare_streams, print_json
from quotewell.views.cli.parser import Parser, wrong_command
from quotewell.views.words import printable

__all__ = ["main", "run"]

_COMMANDS = {
    "summary": "summary",
    "positions": "positions",
    "position": "position",
    "what-if": "what_if",
    "quote": "quote",
    "watch": "watch",
    "explain": "explain",
    "import": "imports",
    "reconcile": "reconcile",
    "prefetch": "prefetch",
    "cache": "cache",
    "doctor": "doctor",
    "demo": "demo",
    "serve": "serve",
    "mcp": "mcp",
}
"""Command to the module that it is in, in the order in which `--help` lists them."""
_TRY = """try it:
  quotewell demo                     the report, on a bundled portfolio
  quotewell summary positions.csv    the report, on your broker's export
  quotewell COMMAND --help           options and examples of a command"""
_LONGEST_MESSAGE = 600


def run() -> NoReturn:
    """Run the command line and exit the process.

    A request to end (SIGTERM) unwinds the command, so that other processes need not wait for its leases.
    """
    signal.signal(signal.SIGTERM, _end)
    # The others of numpy's threads would wait busily for work that a book does not have: a third of a report.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    code = main(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # nobody reads any more; what there was to say of that `main` has said
            abandon_stdout()
    # Everything is closed; to take the interpreter apart as well would cost a twentieth of a report.
    os._exit(code)


def _end(number: int, frame: object) -> NoReturn:
    del number, frame
    sys.exit(TERMINATED)


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    as_json = "--json" in arguments
    prepare_streams()
    with warnings.catch_warnings():
        warnings.simplefilter("always", QuotewellWarning)
        warnings.showwarning = _print_warning
        try:
            options = _parser(arguments).parse_args(arguments)
            code: int = options.run(options)
            sys.stdout.flush()
        except UsageError as error:
            return _report(error, as_json=as_json, code=WRONG_USAGE)
        except QuotewellError as error:
            return _report(error, as_json=as_json, code=FAILED)
        except KeyboardInterrupt as interrupt:
            interrupted = QuotewellError("interrupted", hint=str(interrupt) or "what has arrived is kept")
            interrupted.kind = "interrupted"
            return _report(interrupted, as_json=as_json, code=INTERRUPTED)
        except BrokenPipeError:
            abandon_stdout()  # the reader has seen enough (`| head`)
            return FINE
        except OSError as error:
            abandon_stdout()
            print(f"quotewell: cannot write: {error.strerror or error}", file=sys.stderr)
            return FAILED
        return code


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = Parser(
        prog="quotewell",
        description="What a portfolio is worth, what moves it, and how far to trust the numbers.",
        epilog=_TRY,
    )
    parser.add_argument("-V", "--version", action="version", version=f"quotewell {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for command in _commands_of(arguments):
        importlib.import_module(f"quotewell.views.cli.{_COMMANDS[command]}").add(commands)
    return parser


def _commands_of(arguments: Sequence[str]) -> Sequence[str]:
    """The commands whose arguments have to be known: the one that is named first, else all."""
    if arguments and arguments[0] in _COMMANDS:
        return arguments[:1]
    if arguments and not arguments[0].startswith("-"):
        raise wrong_command(arguments, tuple(_COMMANDS))
    return tuple(_COMMANDS)


def _report(error: QuotewellError, *, as_json: bool, code: int) -> int:
    message = _line(str(error))
    hint = f" ({_line(error.hint)})" if error.hint else ""
    print(f"quotewell: {message}{hint}", file=sys.stderr)
    if as_json:
        print_json({"error": {"kind": error.kind, "message": message, "hint": _line(error.hint)}})
    return code


def _line(text: str) -> str:
    line = printable(text)
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[:_LONGEST_MESSAGE]}…"


def _print_warning(message: Warning | str, *_where: object, **_more: object) -> None:
    print(f"quotewell: {_line(str(message))}", file=sys.stderr)
