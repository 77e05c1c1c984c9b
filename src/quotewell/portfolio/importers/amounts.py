"""Amounts as brokers write them: `$1,234.56`, `+$3.10`, `-$4060.00`, `($1,234.56)`, `(3)`, `--`, `n/a`."""

from __future__ import annotations

import math
import re

__all__ = ["AmountError", "is_blank", "parse_amount", "parse_percent"]

_BLANK = frozenset(("", "-", "--", "---", "—", "–", "n/a", "na", "n.a.", "not available", "null", "none"))
_NUMBER = (
    r"(?P<number>(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+)(?P<exponent>[eE][+-]?[0-9]{1,4})?"
)
_AMOUNT = re.compile(
    r"(?P<sign>[+-]?) ?[$€£¥]? ?(?P<open>\(?) ?(?P<inner>[+-]?)[$€£¥]?(?P<last>[+-]?) ?"
    rf"{_NUMBER} ?(?P<close>\)?)"
)
_ORDINARY = re.compile(r" *(-?)\$?([0-9]{1,3}(?:,[0-9]{3})*(?:\.[0-9]*)?|[0-9]{4,18}(?:\.[0-9]*)?) *")
"""Nearly all cells; the others take four times as long."""
_GROUPED_ONCE = re.compile(r"[^0-9]*[0-9]{1,3},[0-9]{3}[^0-9]*")
_SPELLING = str.maketrans({"\u2212": "-", "\u00a0": " ", "\u202f": " ", "\t": " "})
_LONGEST = 64
_SHOWN = 40


class AmountError(ValueError):
    """Text that is neither an amount nor a mark for an unknown one."""


def is_blank(text: str) -> bool:
    """Whether a cell says nothing, or says that the value is unknown (`--`, `n/a`)."""
    return text.strip().lower() in _BLANK


def parse_amount(text: str, *, comma_may_be_decimal: bool = False) -> float | None:
    """Read an amount of money or a quantity.

    Args:
        text: The cell, blanks around it included. Parentheses or a minus sign make it negative.
        comma_may_be_decimal: Refuse `1,234`, which is a thousand or one, depending on who wrote it.

    Returns:
        The number; None where the cell is blank or marks the value as unknown.

    Raises:
        AmountError: If the text is something else, is not finite, or its commas do not group thousands.
    """
    ordinary = _ORDINARY.fullmatch(text)
    if ordinary is not None and not (comma_may_be_decimal and "," in text):
        return float(ordinary[1] + ordinary[2].replace(",", ""))
    if is_blank(text):
        return None
    bare = text.translate(_SPELLING).strip()
    match = _AMOUNT.fullmatch(bare) if len(bare) <= _LONGEST else None
    if match is None:
        raise AmountError(f"{_shown(text)} is not a number")
    signs = match["sign"] + match["inner"] + match["last"]
    if bool(match["open"]) != bool(match["close"]) or len(signs) > 1:
        raise AmountError(f"{_shown(text)} is not a number")
    if comma_may_be_decimal and _GROUPED_ONCE.fullmatch(bare):
        raise AmountError(f"{_shown(text)} may be thousands or decimals")
    number = float(match["number"].replace(",", "") + (match["exponent"] or ""))
    if not math.isfinite(number):
        raise AmountError(f"{_shown(text)} is not a finite number")
    return -number if match["open"] or signs == "-" else number


def parse_percent(text: str) -> float | None:
    """Read a percentage as a fraction: `12.5%` is 0.125; the percent sign may be missing.

    Raises:
        AmountError: As `parse_amount`.
    """
    number = parse_amount(text.strip().removesuffix("%"))
    return None if number is None else number / 100


def _shown(text: str) -> str:
    stripped = text.strip()
    return repr(stripped[:_SHOWN] + "…" if len(stripped) > _SHOWN else stripped)
