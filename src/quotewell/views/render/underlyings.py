"""The largest underlyings with a bar each, and which way it goes."""

from __future__ import annotations

from collections.abc import Sequence

from quotewell.portfolio.summary import UnderlyingRow
from quotewell.views.render.amounts import Unit, coloured
from quotewell.views.render.bars import ZERO, axis_for
from quotewell.views.render.layout import EMPTY, Column, Line, Table, cell
from quotewell.views.render.text import Text
from quotewell.views.words import NOT_AVAILABLE, number, percent, shortened

__all__ = ["underlyings"]

_SHOWN = 10
_SHORTEST_BAR, _LONGEST_BAR = 9, 41
_COMFORTABLE_BAR = 21
_SYMBOL_WIDTH, _NAME_WIDTH = 20, 22
_NAME, _SHARE = 1, 2
"""The turns in which these columns go."""
_WEAK_FIT = 0.1
"""R² below which a beta's standard error is shown."""


def underlyings(rows: Sequence[UnderlyingRow], unit: Unit, width: int) -> list[Line]:
    """The ten largest by absolute net exposure, those of unknown exposure last; the others as a sum."""
    if not rows:
        return []
    shown, others = rows[:_SHOWN], rows[_SHOWN:]
    bare = _table(shown, others, unit, bar_width=0)
    for turn in (_NAME, _SHARE):  # rather a bar than these
        if bare.width + 2 + _COMFORTABLE_BAR > width:
            bare = bare.without(turn)
    room = width - bare.width - 2
    if room < _SHORTEST_BAR:
        return bare.fitted(width).lines()
    table = _table(shown, others, unit, bar_width=min(room, _LONGEST_BAR))
    for turn in {_NAME, _SHARE} - {column.goes for column in bare.columns}:
        table = table.without(turn)
    return table.lines()


def _table(
    shown: Sequence[UnderlyingRow], others: Sequence[UnderlyingRow], unit: Unit, *, bar_width: int
) -> Table:
    axis = axis_for([row.exposure for row in shown], bar_width)
    columns = [
        Column("Underlying", left=True),
        Column("", left=True, goes=_NAME),
        Column("Value", goes=3),
        Column("Net exposure"),
        Column("", left=True, gap=1),
        Column("β"),
        Column("", left=True, gap=0),
        Column("Beta-adj", goes=4),
        *([Column(axis.heading(), left=True)] if bar_width else []),
        Column("% value", goes=_SHARE),
    ]
    rows = [
        [
            cell(shortened(row.underlying, _SYMBOL_WIDTH), "bold"),
            _name(row),
            unit.amount(row.value),
            unit.amount(row.exposure),
            cell("" if row.complete or row.exposure is None else f"+ {NOT_AVAILABLE}", "yellow"),
            cell(number(row.beta, 2)),
            _beta_markers(row),
            unit.amount(row.beta_adjusted),
            *([_bar(row.exposure, axis.bar(row.exposure))] if bar_width else []),
            coloured(percent(row.share_of_value)),
        ]
        for row in shown
    ]
    if others:
        rows.append(_others_row(others, unit, has_bar=bool(bar_width)))
    return Table(columns, rows)


def _name(row: UnderlyingRow) -> Text:
    name = cell(row.name or "", "dim")
    name.truncate(_NAME_WIDTH)
    return name


def _beta_markers(row: UnderlyingRow) -> Text:
    text = ""
    if row.beta_method in ("given", "override"):
        text += "!" if row.beta_method == "given" else "✎"
    if row.beta_stale or row.beta_method == "stated":
        text += "~"
    is_weak = row.beta_r_squared is not None and row.beta_r_squared < _WEAK_FIT
    if is_weak and row.beta_standard_error is not None:
        text += f" ±{number(row.beta_standard_error, 2)}"
    return cell(text, "yellow")


def _bar(value: float | None, halves: tuple[str, str]) -> Text:
    left, right = halves
    if value is None:
        return Text.assemble(left, (ZERO, "dim"), right)
    return Text.assemble((left, "red"), (ZERO, "dim"), (right, "cyan"))


def _others_row(others: Sequence[UnderlyingRow], unit: Unit, *, has_bar: bool) -> list[Text]:
    def total(field: str) -> float | None:
        known = [amount for row in others if (amount := getattr(row, field)) is not None]
        return sum(known) if known else None

    partial = sum(not row.complete for row in others)
    return [
        Text.assemble(
            f"{number(len(others))} more",
            (f", {number(partial)} {NOT_AVAILABLE}" if partial else "", "yellow"),
        ),
        EMPTY,
        unit.amount(total("value")),
        unit.amount(total("exposure")),
        EMPTY,
        EMPTY,
        EMPTY,
        unit.amount(total("beta_adjusted")),
        *([EMPTY] if has_bar else []),
        coloured(percent(total("share_of_value"))),
    ]
