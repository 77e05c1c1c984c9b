"""The tables of the HTML report, as texts."""

from __future__ import annotations

from quotewell.portfolio.summary import Bucket, NetBucket, Summary
from quotewell.views.content.issues import issues
from quotewell.views.content.key_figures import unit_of
from quotewell.views.content.overview import Overview
from quotewell.views.content.positions import COLUMNS, Cell, TableRow, option_name, position_rows
from quotewell.views.render.amounts import Unit, values_by_kind
from quotewell.views.report.html import Markup, Table, element
from quotewell.views.words import MINUS, NOT_AVAILABLE, age, day, iso, number, percent, signed

__all__ = [
    "expiring",
    "exposures",
    "positions",
    "problems",
    "provenance",
    "underlyings",
    "values",
    "what_if",
]

_SHOWN = tuple(column for column in COLUMNS if column.shown or column.key in ("description", "account"))


def values(summary: Summary) -> Table:
    """Values by kind, and the broker's total."""
    unit, value = unit_of(summary), summary.value
    total = value.total
    rows = [[name, unit.text(amount), _percent_of(amount, total)] for name, amount in values_by_kind(summary)]
    rows.append(["Total", unit.text(total), _percent_of(total, total)])
    rows.append(["Broker says", unit.text(value.broker_total), ""])
    if value.difference is not None:
        rows.append(["Difference", unit.change(value.difference).plain, ""])
    return Table("Value", ("Kind", unit.name, "%"), rows, strong=frozenset(("Total",)))


def exposures(summary: Summary) -> Table:
    """By leg, and netted by underlying first."""
    unit, by_leg, netted = unit_of(summary), summary.exposure, summary.exposure_by_underlying
    rows = [
        _bucket("Long, by leg", by_leg.long, unit),
        _bucket("Short, by leg", by_leg.short, unit),
        _bucket("Net", by_leg.net, unit),
        _bucket("Gross, by leg", by_leg.gross, unit),
        _bucket("Long, by underlying", netted.long, unit),
        _bucket("Short, by underlying", netted.short, unit),
        _bucket("Gross, by underlying", netted.gross, unit),
    ]
    headings = ("Side", "Stocks", "Options", f"Total, {unit.name}", "% of value", "Beta-adjusted")
    missing = by_leg.net.beta_adjusted_missing
    caption = f"Exposure, without {', '.join(missing)}" if missing else "Exposure"
    return Table(caption, headings, rows, strong=frozenset(("Net",)))


def underlyings(summary: Summary) -> Table:
    """All of them, the largest first."""
    unit = unit_of(summary)
    rows = [
        (
            row.underlying,
            row.name or "",
            unit.text(row.value),
            unit.text(row.exposure),
            percent(row.share_of_value),
            number(row.beta, 2),
            "" if row.beta_standard_error is None else f"±{number(row.beta_standard_error, 2)}",
            unit.text(row.beta_adjusted),
            "" if row.complete else "some legs are missing",
        )
        for row in summary.by_underlying
    ]
    headings = (
        "Underlying", "Name", f"Value, {unit.name}", "Net exposure", "% of value", "Beta", "± error",
        "Beta-adjusted", "Note",
    )  # fmt: skip
    return Table("By underlying", headings, rows, left=frozenset((0, 1, 8)))


def what_if(summary: Summary) -> Table:
    """Profit and loss at the moves of the report, and with volatility raised in a fall."""
    unit = unit_of(summary)
    rows = [
        (
            f"{signed(round(point.market * 100, 6), 0)} %",
            unit.change(point.pnl).plain,
            "n/a" if point.share_of_value is None else signed(point.share_of_value * 100, 1),
            unit.change(point.scenario_pnl).plain,
            f"≥ {len(point.missing)} missing" if point.missing else "",
        )
        for point in summary.what_if
    ]
    headings = ("Market", f"P&L, {unit.name}", "% of value", "With volatility rising in a fall", "Note")
    return Table("If the market moves", headings, rows, left=frozenset((0, 4)))


def expiring(summary: Summary) -> Table | None:
    """Options that expire within 14 days; None where there are none."""
    if not summary.expiring:
        return None
    rows = [
        (
            day(option.expiry),
            option_name(option.symbol),
            option.account or "",
            number(option.quantity),
            "n/a" if option.in_the_money is None else "in the money" if option.in_the_money else "",
            "likely" if option.assignment else "",
        )
        for option in summary.expiring
    ]
    headings = ("Expiry", "Option", "Account", "Contracts", "State", "Assignment")
    return Table("Expiring within 14 days", headings, rows, left=frozenset((0, 1, 2, 4, 5)))


def positions(shown: Overview) -> Table:
    """Every row of the file under its underlying."""
    rows: list[list[str | Markup]] = []
    strong = set()
    for group in position_rows(shown):
        strong.add(group.cells["symbol"].text)
        rows.append(_line(group, is_group=True))
        rows += [_line(child, is_group=False) for child in group.children]
    return Table(
        f"Positions, {shown.summary.base_currency}",
        [column.heading for column in _SHOWN],
        rows,
        left=frozenset(place for place, column in enumerate(_SHOWN) if column.is_text),
        strong=frozenset(strong),
    )


def problems(shown: Overview) -> Table:
    """What is missing, disputed or assumed, the gravest first."""
    rows = [
        (group.label, "" if issue.line is None else str(issue.line), issue.message)
        for group in issues(shown)
        for issue in group.issues
    ]
    return Table("Problems", ("Kind", "Line", "What"), rows, left=frozenset((0, 2)))


def provenance(shown: Overview) -> Table:
    """Source and age of every value."""
    rows = [
        (
            source.symbol,
            source.what,
            source.value,
            source.source or "",
            iso(source.as_of) or "",
            iso(source.fetched_at) or "",
            NOT_AVAILABLE if source.age is None else age(source.age),
            source.state,
            source.reason,
        )
        for source in shown.sources
    ]
    headings = ("Symbol", "What", "Value", "Source", "As of", "Fetched", "Age", "State", "Last failure")
    return Table("Where every value comes from", headings, rows, left=frozenset((0, 1, 3, 4, 5, 7, 8)))


def _bucket(name: str, bucket: NetBucket, unit: Unit) -> list[str]:
    parts = [unit.text(bucket.stocks), unit.text(bucket.options)] if isinstance(bucket, Bucket) else ["", ""]
    return [
        name,
        *parts,
        unit.text(bucket.total),
        percent(bucket.share_of_value),
        unit.text(bucket.beta_adjusted),
    ]


def _line(row: TableRow, *, is_group: bool) -> list[str | Markup]:
    cells = [_cell(row.cells.get(column.key, Cell(""))) for column in _SHOWN]
    if not is_group:
        cells[0] = element("span", cells[0], class_="leg")
    return cells


def _cell(cell: Cell) -> str | Markup:
    """A text, with its marker and what that means where the pointer rests."""
    if not cell.marker and not cell.explained:
        return cell.text
    figure = element("span", cell.text, class_="loss" if cell.text.startswith(MINUS) else "")
    marker = element("span", cell.marker, class_="marker")
    return element("span", figure, marker, title=cell.explained)


def _percent_of(amount: float | None, total: float | None) -> str:
    return percent(amount / total) if amount is not None and total is not None and total > 0 else ""
