"""One unit for all amounts of a screen, so that its columns compare and fit."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from quotewell.portfolio.summary import Summary
from quotewell.views.render.layout import cell
from quotewell.views.render.text import Text
from quotewell.views.words import MINUS, number

__all__ = ["Unit", "coloured", "unit_for", "values_by_kind"]

_UNITS = ((1e16, 1.0, "", True), (1e13, 1e9, "billion ", False), (1e10, 1e6, "million ", False))
"""From this amount on: divided by what, called what, with an exponent."""
_SMALL = 10_000.0


class Unit(msgspec.Struct, frozen=True):
    """How amounts are written.

    Args:
        currency: Of the amounts.
        scale: What one stands for: `million ` or nothing.
        divisor: Amounts are divided by this.
        decimals: And shown with so many.
        has_exponent: Whether they are written as `1.23e+20`.
    """

    currency: str
    scale: str = ""
    divisor: float = 1.0
    decimals: int = 0
    has_exponent: bool = False

    @property
    def name(self) -> str:
        """The heading of a column: `USD`, `million USD`."""
        return f"{self.scale}{self.currency}"

    def text(self, amount: float | None) -> str:
        """An amount: `−1,234`."""
        if amount is not None and self.has_exponent:
            return f"{amount:.2e}".replace("-", MINUS, int(amount < 0))
        return number(None if amount is None else amount / self.divisor, self.decimals)

    def amount(self, amount: float | None, style: str = "") -> Text:
        """An amount as a cell, red where it has a minus sign."""
        return coloured(self.text(amount), style)

    def change(self, amount: float | None) -> Text:
        """A profit or loss as a cell, red or green beside its sign."""
        text = self.text(amount)
        is_gain = amount is not None and amount > 0 and text.strip("0.,")
        return coloured(f"+{text}" if is_gain else text)


def coloured(text: str, style: str = "") -> Text:
    """A number as a cell: red beside a minus sign, green beside a plus sign."""
    colour = {MINUS: "red", "+": "green"}.get(text[:1], "")
    return cell(text, f"{style} {colour}".strip())


def unit_for(amounts: Iterable[float | None], currency: str) -> Unit:
    """The unit in which the largest amount is neither too long nor without digits."""
    largest = max((abs(amount) for amount in amounts if amount is not None), default=0.0)
    for limit, divisor, scale, has_exponent in _UNITS:
        if largest >= limit:
            return Unit(currency, scale, divisor, has_exponent=has_exponent)
    return Unit(currency, decimals=2) if 0 < largest < _SMALL else Unit(currency)


def values_by_kind(summary: Summary) -> list[tuple[str, float | None]]:
    """Name and value of each kind of which the file has rows."""
    value, counts = summary.value, summary.counts
    kinds = (
        ("Stocks", value.stocks, counts.stocks),
        ("Options", value.options, counts.options),
        ("Cash", value.cash, counts.cash),
        ("Pending", value.pending, counts.pending),
        ("Other", value.unknown, counts.unknown),
    )
    return [(name, amount) for name, amount, rows in kinds if rows]
