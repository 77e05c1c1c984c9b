"""Positions under their underlyings, as cells: what is read, what is sorted by, and what is marked."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quotewell.portfolio.row import ValuedRow
from quotewell.portfolio.selection import Group, grouped
from quotewell.symbols import parse_option
from quotewell.views.content.overview import Overview
from quotewell.views.words import NOT_AVAILABLE, day, number, percent, printable, signed

__all__ = ["COLUMNS", "Cell", "Column", "TableRow", "option_name", "position_rows"]


class Column(msgspec.Struct, frozen=True):
    """A column of the table.

    Args:
        key: Of its cells.
        heading: Above it.
        is_text: Whether it stands at the left.
        shown: Whether it is there until it is chosen away.
        wide: Whether a window as narrow as a phone's has no room for it until it is chosen.
        explained: What the figure is.
    """

    key: str
    heading: str
    is_text: bool = False
    shown: bool = True
    wide: bool = False
    explained: str = ""


class Cell(msgspec.Struct, frozen=True, omit_defaults=True):
    """One cell: `sort` is None where the figure is unknown, which comes last either way."""

    text: str
    sort: float | str | None = None
    marker: str = ""
    explained: str = ""


class TableRow(msgspec.Struct, frozen=True):
    """A line of the table; `children` are the positions of an underlying."""

    id: str
    cells: dict[str, Cell]
    children: tuple[TableRow, ...] = ()


COLUMNS = (
    Column("symbol", "Position", is_text=True),
    Column("description", "Description", is_text=True, shown=False),
    Column("account", "Account", is_text=True, shown=False),
    Column("quantity", "Quantity", wide=True),
    Column("price", "Price", wide=True, explained="A share, or a unit of premium, in its own currency"),
    Column("day", "Day's change", wide=True, explained="Since the previous close, at today's exchange rate"),
    Column("value", "Value"),
    Column("delta", "Delta", wide=True, explained="Change of the price for 1.00 of the underlying's"),
    Column("volatility", "Implied vol.", shown=False, explained="A year"),
    Column("exposure", "Exposure", explained="Delta-adjusted: what moves like shares"),
    Column("share", "% of value", explained="The exposure in percent of the book's value"),
    Column("beta", "Beta"),
    Column("beta_adjusted", "Beta-adjusted", explained="Exposure times beta"),
    Column("notes", "Notes", is_text=True),
)
_MARKED = frozenset(
    ("stale", "stale_beta", "reported", "estimated", "model", "given_beta", "override_price", "override_beta")
) | {"assumed_rate", "assumed_dividend", "given_rate", "given_dividend", "proxy_dividend"}
"""Flags that a marker beside a figure shows."""
_OF_DELTA = {
    "assumed_rate": "interest rate taken as 0",
    "assumed_dividend": "dividend yield taken as 0",
    "estimated": "no volatility reproduces the price; delta hardly depends on it",
    "model": "by the model at a newer price of the underlying",
    "override_dividend": "your own dividend yield",
}
_OF_BETA = {"override_beta": ("✎", "your own"), "given_beta": ("!", "assumed"), "stale_beta": ("~", "stale")}
_OF_PRICE = {"override_price": ("✎", "your own"), "stale": ("~", "stale"), "reported": ("", "the broker's")}
_CASH = ("cash", "pending")


def position_rows(shown: Overview) -> tuple[TableRow, ...]:
    """One line an underlying, the largest exposure first, its positions below; cash last."""
    total = shown.summary.value.total
    change_of = {id(row): change for row, change in zip(shown.rows, shown.day_changes, strict=True)}
    names = {row.underlying: row.name or "" for row in shown.summary.by_underlying}
    rows = []
    for group in grouped(shown.rows):
        if len(group.rows) == 1 and group.rows[0].symbol == group.underlying:
            rows.append(
                TableRow(group.underlying or "", _cells(group.rows[0], change_of[id(group.rows[0])], total))
            )
            continue
        children = tuple(
            TableRow(f"{group.underlying or ''}/{place}", _cells(row, change_of[id(row)], total))
            for place, row in enumerate(group.rows)
        )
        changes = [change_of[id(row)] for row in group.rows]
        cells = _group_cells(group, changes, total, names.get(group.underlying or "", ""))
        rows.append(TableRow(group.underlying or "", cells, children))
    return tuple(rows)


def _group_cells(
    group: Group, changes: Sequence[float | None], total: float | None, name: str
) -> dict[str, Cell]:
    is_cash = group.underlying is None
    partial = "" if group.complete else "≥"
    why = "" if group.complete else "some figures are missing"
    known = [change for change in changes if change is not None]
    title = group.underlying or "Cash and pending"
    betas = {row.beta for row in group.rows if row.beta is not None}
    cells = {
        "symbol": Cell(printable(title), title),
        "description": Cell(printable(name), name),
        "value": _amount(group.value, partial, why),
        "day": _change(sum(known) if known else None) if not is_cash else Cell(""),
    }
    if not is_cash:
        share = _share(group.exposure, total)
        cells |= {
            "exposure": _amount(group.exposure, partial, why),
            "share": Cell(percent(share), share),
            "beta": Cell(number(next(iter(betas)), 2), next(iter(betas))) if len(betas) == 1 else Cell(""),
            "beta_adjusted": _amount(group.beta_adjusted, partial, why),
        }
    return cells


def _cells(row: ValuedRow, change: float | None, total: float | None) -> dict[str, Cell]:
    flags = set(row.flags)
    name = _name(row)
    cells = {
        "symbol": Cell(name, name),
        "description": Cell(printable(row.description), row.description),
        "account": Cell(printable(row.account or ""), row.account),
        "value": _amount(row.value, "", row.reason("value") if row.value is None else ""),
        "notes": Cell(", ".join(flag.replace("_", " ") for flag in row.flags if flag not in _MARKED)),
    }
    if row.kind in _CASH:
        return cells
    whole = row.quantity is None or row.quantity == round(row.quantity)
    price_mark = next((mark for flag, mark in _OF_PRICE.items() if flag in flags), ("", ""))
    beta_mark = next((mark for flag, mark in _OF_BETA.items() if flag in flags), ("", ""))
    share = _share(row.exposure, total)
    return cells | {
        "quantity": Cell(number(row.quantity, 0 if whole else 4), row.quantity),
        "price": Cell(number(row.price, 2), row.price, *price_mark),
        "day": _change(change),
        "delta": _delta(row, flags),
        "volatility": Cell(f"{percent(row.volatility)} %" if row.volatility is not None else ""),
        "exposure": _amount(row.exposure, "", row.reason("exposure") if row.exposure is None else ""),
        "share": Cell(percent(share), share),
        "beta": Cell(number(row.beta, 2), row.beta, *beta_mark),
        "beta_adjusted": _amount(
            row.beta_adjusted, "", row.reason("beta_adjusted") if row.beta_adjusted is None else ""
        ),
    }


def _name(row: ValuedRow) -> str:
    symbol = row.symbol or row.description
    return option_name(symbol) if row.kind == "option" else printable(symbol)


def option_name(symbol: str) -> str:
    """An option's symbol as people read it: `AMZN 16 May 2025 190 C`; any other as it is."""
    option = parse_option(symbol)
    if option is None:
        return printable(symbol)
    strike = number(option.strike, 3).rstrip("0").rstrip(".")
    return f"{option.root} {day(option.expiry)} {strike} {option.right}"


def _delta(row: ValuedRow, flags: set[str]) -> Cell:
    if row.kind != "option":
        return Cell("")
    reasons = [reason for flag, reason in _OF_DELTA.items() if flag in flags]
    assumed = "!" if flags & {"assumed_rate", "assumed_dividend"} else ""
    estimated = "~" if flags & {"estimated", "model"} else ""
    own = "✎" if "override_dividend" in flags else ""
    if row.delta is None:
        return Cell(NOT_AVAILABLE, None, "", row.reason("delta"))
    return Cell(number(row.delta, 2), row.delta, assumed + estimated + own, "; ".join(reasons))


def _amount(amount: float | None, marker: str = "", explained: str = "") -> Cell:
    return Cell(number(amount), amount, marker, explained)


def _change(amount: float | None) -> Cell:
    return Cell(signed(amount), amount)


def _share(amount: float | None, total: float | None) -> float | None:
    return None if amount is None or total is None or total <= 0 else amount / total
