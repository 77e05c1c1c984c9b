"""What the report is about and how far its prices and betas go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import PurePath
from zoneinfo import ZoneInfo

from quotewell.portfolio.summary import BetaState, PriceFreshness, Summary
from quotewell.views.render.layout import Line, cell, parted
from quotewell.views.render.text import Text
from quotewell.views.words import NOT_AVAILABLE, age, count, day, number, shortened

__all__ = ["day_in_new_york", "header", "moment", "title"]

_NEW_YORK = ZoneInfo("America/New_York")
_FILE_WIDTH = 40


def header(summary: Summary, width: int) -> list[Line]:
    """File and time; then prices and betas."""
    about = (
        summary.broker,
        *([count(len(summary.accounts), "account")] if len(summary.accounts) > 1 else []),
        count(summary.counts.rows, "row"),
    )
    return [
        *title(summary.file, about, summary.as_of, summary.valuation_at, width),
        *parted(_prices(summary.freshness), _betas(summary.betas, summary.benchmark), width),
    ]


def title(
    file: str, about: Sequence[str], as_of: dt.datetime | None, valued_at: dt.datetime | None, width: int
) -> list[Line]:
    """What is shown, of what day, and valued when.

    Args:
        file: Its path.
        about: What else there is to say of it.
        as_of: When its prices were the market's; None if unknown.
        valued_at: The valuation instant; None if unknown.
        width: Characters in a line.
    """
    details = cell("".join(f" · {detail}" for detail in about))
    name = shortened(PurePath(file).name, max(min(_FILE_WIDTH, width - details.cell_len), 8))
    line = cell(name, "bold").append_text(details)
    positions = "on an unknown day" if as_of is None else f"of {day_in_new_york(as_of)}"
    if valued_at is None:
        valued = cell(f"valued {NOT_AVAILABLE}: give --as-of DATE", "yellow")
    else:
        valued = cell(f"valued {moment(valued_at)}")
    return parted(line, Text.assemble(f"positions {positions} · ", valued), width)


def day_in_new_york(instant: dt.datetime) -> str:
    """The day of an instant as a calendar in New York shows it: `8 May 2025`."""
    return day(instant.astimezone(_NEW_YORK))


def moment(instant: dt.datetime) -> str:
    """An instant as a clock in New York shows it: `8 May 2025 16:00 New York`."""
    there = instant.astimezone(_NEW_YORK)
    return f"{day(there)} {there:%H:%M} New York"


def _prices(freshness: PriceFreshness) -> Text:
    line = cell(f"prices {number(freshness.fresh)} fresh")
    if freshness.stale:
        line.append_text(cell(f" · {number(freshness.stale)} ~stale", "yellow"))
    if freshness.missing:
        line.append_text(cell(f" · {number(freshness.missing)} {NOT_AVAILABLE}", "yellow"))
    oldest = freshness.oldest
    if oldest is not None and oldest.age is not None and oldest.age >= 1:
        line.append_text(cell(f" · oldest {age(oldest.age)}, {oldest.symbol}"))
    elif oldest is not None and oldest.age is None:
        line.append_text(cell(f" · oldest {day(oldest.as_of.astimezone(_NEW_YORK))}, {oldest.symbol}"))
    return line


def _betas(betas: BetaState, benchmark: str) -> Text:
    if not betas.needed:
        return cell("no betas needed")
    details = [f"{number(betas.returns)} returns vs {benchmark}" if betas.returns else f"vs {benchmark}"]
    details += [
        f"{number(betas.by_method[method])} {marker}"
        for method, marker in (("stated", "~the provider's"), ("given", "!assumed"))
        if betas.by_method.get(method)
    ]
    line = cell(f"betas {number(betas.known)} of {number(betas.needed)}")
    if betas.known < betas.needed:
        line.stylize("yellow")
    return line.append_text(cell(f" · {' · '.join(details)}"))
