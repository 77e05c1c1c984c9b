"""The parser of the command line: what is wrong is raised, in plain words, with the nearest right word."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from quotewell.errors import UsageError
from quotewell.suggestions import did_you_mean

__all__ = ["Parser", "add_command", "wrong_command"]

_WIDTH = 78
_HELP_COLUMN = 26
_SHOWN = 40
"""Characters of a wrong argument that a message repeats."""
_PLAIN_WORDS = (
    (r"^argument ", ""),
    (r"^the following arguments are required: ", "missing: "),
    (r"expected (one|at least one) argument$", "a value is missing behind it"),
    (r"ignored explicit argument (.*)$", r"takes no value, but \1 was given"),
    (r"not allowed with argument (.*)$", r"cannot be combined with \1"),
)
"""argparse's wordings and ours; where a Python has another wording, that stays."""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """As wide on every terminal, so that documentation and screen agree."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=_HELP_COLUMN, width=_WIDTH)


class Parser(argparse.ArgumentParser):
    """Raises `UsageError` instead of exiting, so that wrong usage is reported like every other error."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{"formatter_class": _Formatter, "allow_abbrev": False, **arguments})

    def error(self, message: str) -> NoReturn:
        """Raise what argparse has found to be wrong."""
        for theirs, ours in _PLAIN_WORDS:
            message = re.sub(theirs, ours, message)
        raise UsageError(message, hint=f"{self.prog} --help")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Like argparse's, but what a command does not know is wrong there already, and is told so."""
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            raise self._unknown(unknown[0].partition("=")[0])
        return options, unknown

    def _unknown(self, word: str) -> UsageError:
        kind = "option" if word.startswith("-") else "argument"
        _, _, command = self.prog.partition(" ")
        if not command:
            return UsageError(
                f"unknown {kind} {word[:_SHOWN]} in front of the command", hint="options stand behind it"
            )
        nearest = did_you_mean(word, self._option_string_actions) if kind == "option" else ""
        return UsageError(f"{command}: unknown {kind} {word[:_SHOWN]}", hint=f"{nearest}{self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = action.choices
        if choices is None or value in choices:
            return
        name = action.option_strings[0] if action.option_strings else action.metavar
        known = [str(choice) for choice in choices]
        raise UsageError(
            f"{name}: {str(value)[:_SHOWN]!r} is none of {', '.join(known)}",
            hint=f"{did_you_mean(str(value), known)}{self.prog} --help",
        )


def add_command(commands: Any, name: str, summary: str, *examples: str) -> argparse.ArgumentParser:
    """Add a command with one line on what it does, and examples as they are typed, without the program."""
    shown = "".join(f"\n  quotewell {name} {example}".rstrip() for example in examples)
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"examples:{shown}" if shown else None,
    )
    return parser


def wrong_command(arguments: Sequence[str], commands: Sequence[str]) -> UsageError:
    """What to say of a first argument that is no command: the nearest one, or the one that was left out."""
    word = arguments[0]
    if word.lower().endswith((".csv", ".xlsx")):
        hint = "did you mean quotewell summary FILE? "
    elif word.isupper():
        hint = "did you mean quotewell quote SYMBOL? "
    else:
        hint = did_you_mean(word, commands)
    return UsageError(f"no command {word[:_SHOWN]!r}", hint=f"{hint}quotewell --help lists all")
