"""The screen of `quotewell reconcile`: three totals with what leads from one to the next, accounts, rows."""

from __future__ import annotations

from collections.abc import Sequence

from quotewell.portfolio.importers.stated import StatedTotal
from quotewell.portfolio.reconciliation import AccountTotals, Reconciliation, RowDifference
from quotewell.portfolio.summary import DifferenceParts
from quotewell.views.render.amounts import Unit, coloured, unit_for
from quotewell.views.render.layout import EMPTY, Column, Line, Row, Table, cell, inset, packed
from quotewell.views.render.text import Text
from quotewell.views.words import NOT_AVAILABLE, count, number

__all__ = ["reconciliation_screen"]

_SHOWN = 12
_LEAST = 0.005
_AGREES_WITHIN = 1.0
_NAME_WIDTH = 24


def reconciliation_screen(
    head: Sequence[Line], found: Reconciliation, width: int, *, every_row: bool = False
) -> list[Line]:
    """Totals, then accounts if there are several, then the rows that differ.

    Args:
        head: Lines above.
        found: What to show.
        width: Characters in a line.
        every_row: Whether all rows that differ are shown, and not only the largest differences.
    """
    room = width - 2
    total = found.total
    unit = unit_for([total.broker, total.at_broker_prices, total.value], found.base_currency)
    lines = [*head, EMPTY, *_totals(found, unit).lines()]
    if found.stated:
        lines += [EMPTY, *_stated(found.stated).fitted(room).lines()]
    if len(found.accounts) > 1:
        lines += [EMPTY, *_accounts(found.accounts, unit).fitted(room).lines()]
    if found.differences:
        shown = found.differences if every_row else found.differences[:_SHOWN]
        lines += [EMPTY, *_rows(shown, unit).fitted(room).lines()]
        if len(shown) < len(found.differences):
            lines.append(cell(f"and {number(len(found.differences) - len(shown))} more rows: --all", "dim"))
    for name, symbols in (("Not valued", found.not_valued), ("Suspected splits", found.suspected_splits)):
        if symbols:
            lines += [EMPTY, *packed([cell(symbol, "yellow") for symbol in symbols], room, f"{name}: ")]
    if found.rejected:
        lines += [EMPTY, cell(f"{count(len(found.rejected), 'rejected row')}, in no total", "bold")]
        lines += [cell(f"  line {row.line}: {row.reason}", "yellow") for row in found.rejected]
    return inset(lines, room)


def _totals(found: Reconciliation, unit: Unit) -> Table:
    total, parts = found.total, found.total.parts
    rows: list[Row] = [[cell("The broker's values"), unit.amount(total.broker, "bold"), EMPTY]]
    for name, amount in _between_file_and_its_prices(parts):
        rows.append([cell(f"  {name}"), unit.change(amount), EMPTY])
    rows.append([cell("At the broker's prices"), unit.amount(total.at_broker_prices, "bold"), EMPTY])
    for name, amount in _between_its_prices_and_ours(parts):
        rows.append([cell(f"  {name}"), unit.change(amount), EMPTY])
    difference = total.difference
    agrees = difference is not None and abs(difference) <= _AGREES_WITHIN
    rows += [
        [cell("At our prices"), unit.amount(total.value, "bold"), EMPTY],
        [cell("Difference"), unit.change(difference), cell("✓" if agrees else "", "bold")],
    ]
    return Table([Column("", left=True), Column(unit.name), Column("", left=True)], rows)


def _between_file_and_its_prices(parts: DifferenceParts) -> list[tuple[str, float]]:
    named = (("rows whose value is not quantity × price", parts.disputed), ("rounding", parts.rounding))
    return [(name, amount) for name, amount in named if abs(amount) >= _LEAST]


def _between_its_prices_and_ours(parts: DifferenceParts) -> list[tuple[str, float]]:
    named = (
        ("price moves", parts.price),
        ("exchange rates", parts.fx),
        ("rows that we cannot value", parts.unpriced),
        ("rows that the broker does not value", parts.unreported),
    )
    return [(name, amount) for name, amount in named if abs(amount) >= _LEAST]


def _stated(totals: Sequence[StatedTotal]) -> Table:
    """The file's own totals, in its own currency."""
    columns = [
        Column("The file's own total", left=True),
        Column("Rows", goes=1),
        Column("Stated"),
        Column("Its rows"),
        Column("Difference"),
        Column("", left=True, goes=2),
    ]
    return Table(
        columns,
        [
            [
                _short(cell(one.account or "of all rows")),
                cell(number(one.rows)),
                cell(number(one.stated, 2)),
                cell(number(one.sum, 2)),
                coloured(number(one.difference, 2)),
                cell("✓", "bold") if one.agrees else cell("disagrees", "yellow"),
            ]
            for one in totals
        ],
    )


def _accounts(accounts: Sequence[AccountTotals], unit: Unit) -> Table:
    columns = [
        Column("Account", left=True),
        Column("Rows", goes=1),
        Column("Broker"),
        Column("At its prices", goes=2),
        Column("At ours"),
        Column("Difference"),
    ]
    return Table(
        columns,
        [
            [
                _short(cell(one.account or NOT_AVAILABLE)),
                cell(number(one.rows)),
                unit.amount(one.broker),
                unit.amount(one.at_broker_prices),
                unit.amount(one.value),
                unit.change(one.difference),
            ]
            for one in accounts
        ],
    )


def _rows(rows: Sequence[RowDifference], unit: Unit) -> Table:
    columns = [
        Column("Row that differs", left=True),
        Column("Line", goes=1),
        Column("Broker"),
        Column("At its price", goes=2),
        Column("Ours"),
        Column("Difference"),
        Column("", left=True),
    ]
    return Table(
        columns,
        [
            [
                _symbol(row),
                cell("" if row.line is None else str(row.line), "dim"),
                unit.amount(row.broker_value),
                unit.amount(row.at_broker_price),
                unit.amount(row.value),
                unit.change(row.difference),
                coloured(_why(row), "yellow"),
            ]
            for row in rows
        ],
    )


def _symbol(row: RowDifference) -> Text:
    return _short(cell(row.symbol, "bold" if row.kind == "stock" else ""))


def _short(text: Text) -> Text:
    text.truncate(_NAME_WIDTH)
    return text


def _why(row: RowDifference) -> str:
    """The part that weighs most, in a word."""
    if row.suspected_split:
        return "split?"
    names = {
        "price": "price",
        "disputed": "disputed",
        "fx": "rate",
        "unpriced": "no price",
        "unreported": "no value",
        "rounding": "rounding",
    }
    largest = max(names, key=lambda part: abs(getattr(row.parts, part)))
    if largest == "disputed" and row.at_broker_price and row.broker_value:
        return f"disputed: {number(row.at_broker_price / row.broker_value, 2)} ×"
    return names[largest]
