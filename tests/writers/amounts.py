"""Cells as brokers write them, each in several ways that mean the same."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["bare", "dollars", "grouped", "line", "quoted_line"]


def bare(number: float | None, unknown: str = "") -> str:
    """`-1234.5`; whole numbers without decimals."""
    if number is None:
        return unknown
    return str(int(number)) if number.is_integer() else repr(number)


def grouped(number: float | None, unknown: str = "") -> str:
    """`-1,234.5`."""
    if number is None:
        return unknown
    whole, _, decimals = bare(abs(number)).partition(".")
    text = f"{int(whole):,}" + (f".{decimals}" if decimals else "")
    return f"-{text}" if number < 0 else text


def dollars(number: float | None, unknown: str = "--") -> str:
    """`$1,234.56`, `+$3.10`, `-$4060.00`, `$-5.00`, `($1,234.56)`, by its last digits."""
    if number is None:
        return unknown
    size = grouped(abs(number))
    text = f"${size}" if "." in size else f"${size}.00"
    turn = int(abs(number) * 100) % 3
    if number < 0:
        return (f"-{text}", f"({text})", f"$-{text[1:]}")[turn]
    return (text, f"+{text}", f"{text} ")[turn]


def line(cells: Iterable[str]) -> str:
    """Cells of a row, in quotation marks where they need them."""
    return ",".join(_quoted(cell) if any(mark in cell for mark in ',"\n') else cell for cell in cells)


def quoted_line(cells: Iterable[str]) -> str:
    """Cells of a row, all in quotation marks."""
    return ",".join(map(_quoted, cells))


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'
