"""Bars that grow from a common zero to both sides, in half characters."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

__all__ = ["ZERO", "Axis", "axis_for"]

ZERO = "│"
_FULL = "█"
_HALF_AT_LEFT = "▌"
_HALF_AT_RIGHT = "▐"


class Axis(msgspec.Struct, frozen=True):
    """Where zero stands and how much a character is worth.

    Args:
        left: Characters at the left of zero, for negative amounts.
        right: Characters at the right of zero.
        per_character: Amount that one full character stands for.
    """

    left: int
    right: int
    per_character: float

    def heading(self) -> str:
        """Signs over both sides."""
        minus = "−" if self.left else ""
        plus = "+" if self.right else ""
        return f"{minus:<{self.left}}0{plus:>{self.right}}"

    def bar(self, value: float | None) -> tuple[str, str]:
        """The characters at the left and at the right of zero, filled up with blanks."""
        if not value:
            return " " * self.left, " " * self.right
        halves = max(round(abs(value) / self.per_character * 2), 1)  # what is there is seen
        full = _FULL * (halves // 2)
        if value < 0:
            return f"{_HALF_AT_RIGHT * (halves % 2)}{full}".rjust(self.left), " " * self.right
        return " " * self.left, f"{full}{_HALF_AT_LEFT * (halves % 2)}".ljust(self.right)


def axis_for(values: Iterable[float | None], width: int) -> Axis:
    """An axis of `width` characters, zero included, that has room for all values.

    The zero stands where both sides use their room: without shorts it is at the left edge.
    """
    known = [value for value in values if value is not None]
    negative, positive = -min([0.0, *known]), max([0.0, *known])
    room = max(width - 1, 2)
    # Divided before they are added: the sum of two huge amounts may be infinite.
    largest = max(negative, positive)
    if not largest:
        return Axis(0, room, 1.0)
    part = negative / largest / (negative / largest + positive / largest)
    left = min(max(round(room * part), int(negative > 0)), room - int(positive > 0))
    right = room - left
    per_character = max(negative / left if left else 0.0, positive / right if right else 0.0)
    return Axis(left, right, per_character or largest)  # so small that it cannot be divided
