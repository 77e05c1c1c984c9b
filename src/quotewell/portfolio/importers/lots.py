"""Rows of tax lots repeat what the row of their position says: they count for nothing, but must agree."""

from __future__ import annotations

import math

from quotewell.portfolio.importers.columns import Columns
from quotewell.portfolio.importers.outcome import ImportedFile, RowError
from quotewell.portfolio.importers.table import Row
from quotewell.portfolio.problems import Problem

__all__ = ["Lots"]

_WITHIN = {"quantity": (1e-6, 1e-6), "value": (1.0, 0.005)}
"""How far lots may be from their position: absolutely, and as a fraction."""


class Lots:
    """The sums of the lots of each position of one table."""

    def __init__(self) -> None:
        self.rows = 0
        """How many rows of lots there were."""
        self._positions: dict[tuple[str, str], tuple[int, dict[str, float | None]]] = {}
        self._lots: dict[tuple[str, str], dict[str, float | None]] = {}

    def add_position(self, columns: Columns, row: Row) -> None:
        """Note what a position says; of several with one symbol in one account nothing is compared."""
        key = _key(columns, row)
        is_known = key in self._positions
        self._positions[key] = (
            row.line,
            {field: None if is_known else _number(columns, row, field) for field in _WITHIN},
        )

    def add_lot(self, columns: Columns, row: Row, position: Row | None = None) -> None:
        """Note what a lot says.

        Args:
            columns: The table's.
            row: The lot's.
            position: The row of its position, where the lot does not name that itself.
        """
        self.rows += 1
        sums = self._lots.setdefault(_key(columns, position or row), dict.fromkeys(_WITHIN, 0.0))
        for field, before in sums.items():
            more = _number(columns, row, field)
            sums[field] = None if before is None or more is None else before + more

    def compare(self, file: ImportedFile) -> None:
        """Tell of each position whose lots add up to something else."""
        for key, sums in self._lots.items():
            line, said = self._positions.get(key, (0, {}))
            for field, (least, fraction) in _WITHIN.items():
                lots, position = sums[field], said.get(field)
                if lots is None or position is None:
                    continue
                if math.isclose(lots, position, rel_tol=fraction, abs_tol=least):
                    continue
                symbol = key[1]
                message = (
                    f"{file.path}:{line}: {symbol}: the {field} is {position:,.10g}, but its lots add up to "
                    f"{lots:,.10g}; the position's counts"
                )
                file.problems.append(Problem(kind="lots", subject=symbol, line=line, message=message))


def _key(columns: Columns, row: Row) -> tuple[str, str]:
    return columns.text(row, "account"), columns.text(row, "symbol")


def _number(columns: Columns, row: Row, field: str) -> float | None:
    """None where a cell is unknown, or is no number, of which its row's own reading tells."""
    try:
        return columns.amount(row, field)
    except RowError:
        return None
