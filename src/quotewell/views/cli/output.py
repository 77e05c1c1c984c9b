"""What every command's output has in common: JSON, and characters that the terminal lacks."""

from __future__ import annotations

import codecs
import io
import os
import re
import sys
from pathlib import Path

from quotewell.errors import QuotewellError

__all__ = ["abandon_stdout", "cannot_write", "prepare_streams", "print_json", "print_lines", "print_text"]

_REPLACEMENTS = {
    "−": "-", "·": "|", "…": ".", "×": "x", "≥": " ", "±": "+", "✓": "v", "β": "b", "│": "|",
    "✎": "*", "█": "#", "▌": "#", "▐": "#", "–": "-",
}  # fmt: skip
"""One character each, so that columns stay columns."""
_ERRORS = "quotewell.replace"


def prepare_streams() -> None:
    """Let terminals that lack a character show its nearest neighbour, rather than fail.

    Standard streams that are closed (`>&-`) lead nowhere from now on: else the next file that is opened, the
    cache for one, takes the place of standard output.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = os.O_RDONLY if number == 0 else os.O_WRONLY
            opened = os.open(os.devnull, mode)
            if opened != number:
                os.dup2(opened, number, inheritable=False)
                os.close(opened)
            setattr(sys, name, open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115  until the end
    codecs.register_error(_ERRORS, _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def print_json(value: object) -> None:
    """Print one JSON text: UTF-8, or escaped where standard output has another encoding."""
    import msgspec  # noqa: PLC0415  wrong usage without --json need not pay for it

    try:
        text = msgspec.json.encode(value).decode()
    except UnicodeEncodeError:  # text from a file name or an argument that is no Unicode
        text = msgspec.json.encode(_without_surrogates(msgspec.to_builtins(value))).decode()
    if (sys.stdout.encoding or "").lower().replace("-", "") != "utf8":
        text = re.sub(r"[^\x00-\x7f]", _escaped, text)
    print(text)


def print_text(text: str) -> None:
    """Print a whole document as it is: the lines of CSV end in carriage return and line feed everywhere."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
    else:
        sys.stdout.write(text)


def print_lines(text: str) -> None:
    """Print lines; on a terminal none is longer than it is wide."""
    if sys.stdout.isatty():
        import shutil  # noqa: PLC0415  needs the compression modules, which nothing else does

        width = shutil.get_terminal_size().columns
        text = "\n".join(line if len(line) <= width else f"{line[: width - 1]}…" for line in text.split("\n"))
    print(text)


def cannot_write(path: Path, error: OSError) -> QuotewellError:
    """The error for a file that was asked for and cannot be written."""
    return QuotewellError(
        f"{path}: cannot be written: {error.strerror or error}", hint="check its folder and its permissions"
    )


def abandon_stdout() -> None:
    """Write no more: nobody reads, or there is no room; the interpreter would fail once more at its end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    unknown = error.object[error.start : error.end]
    return "".join(_REPLACEMENTS.get(character, "?") for character in unknown), error.end


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_surrogates(item) for item in value]
    return value
