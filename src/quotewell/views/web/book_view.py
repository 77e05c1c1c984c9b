"""One book as one page looks at it: an account or all, one underlying or all, now or a day in the past."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable

import msgspec

from quotewell.calendars import close_of
from quotewell.errors import UsageError
from quotewell.freshness import Phase
from quotewell.outcomes import Progress
from quotewell.portfolio.export import to_csv
from quotewell.portfolio.importers import ImportedFile
from quotewell.portfolio.needs import Entry, is_priced
from quotewell.portfolio.overrides import Overrides
from quotewell.portfolio.portfolio import Portfolio
from quotewell.portfolio.positions import Position
from quotewell.portfolio.summary import WhatIfPoint
from quotewell.records import Facet
from quotewell.service import TickerService
from quotewell.views.books import book_of
from quotewell.views.charts import CURVE_MOVES
from quotewell.views.content.overview import Overview, overview

__all__ = ["OWN", "BookView", "Choice", "part_of"]

OWN: tuple[Facet, ...] = ("quote", "risk", "dividend")
"""What can be one's own: prices, betas and dividend yields."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What of a book is looked at, and how."""

    account: str | None = None
    underlying: str | None = None
    day: dt.date | None = None
    """Valued at its close; None for now."""
    days: float = 0.0
    """By which the what-if is later."""
    volatility: float = 0.0
    """Points by which it is raised in the what-if."""


def part_of(file: ImportedFile, *, account: str | None = None, underlying: str | None = None) -> ImportedFile:
    """A file with copies of those rows that are of an account and move with an underlying.

    Rows that could not be read stay: nobody knows whose they are.
    """

    def is_wanted(entry: Entry) -> bool:
        if account is not None and account != (entry.account or entry.account_name):
            return False
        return underlying is None or (
            isinstance(entry, Position) and underlying in (entry.underlying, entry.symbol)
        )

    return msgspec.structs.replace(
        file,
        positions=[copy.copy(entry) for entry in file.positions if is_wanted(entry)],
        pending=[copy.copy(entry) for entry in file.pending if is_wanted(entry)],
    )


class BookView:
    """Values what is chosen of a book; blocking, for use in a thread.

    Args:
        file: All of it.
        tickers: What it asks.
    """

    def __init__(self, file: ImportedFile, tickers: TickerService) -> None:
        self.file = file
        self.tickers = tickers
        self.choice = Choice()
        self.overrides: dict[tuple[str, Facet], float] = {}
        """The user's own prices, betas and yields, of this page alone."""

    def phase(self, shown: Overview) -> Phase:
        """Whether figures change by themselves: valued now, with a provider to ask, and a market open.

        Those markets count on which what is shown trades; exchange rates do not.
        """
        if self.choice.day is not None or self.tickers.settings.offline:
            return "closed"
        return self.tickers.phase(
            {
                row.symbol
                for row in shown.rows
                if row.symbol is not None
                and row.kind in ("stock", "option")
                and "expired" not in row.flags
                and is_priced(row.symbol)
            }
        )

    def choose(self, **fields: object) -> None:
        """Look at another part.

        Raises:
            UsageError: The day's close is still to come.
        """
        choice = msgspec.structs.replace(self.choice, **fields)
        if choice.day is not None and close_of(choice.day) > self.tickers.now():
            raise UsageError(f"{choice.day}: that day's close is still to come")
        self.choice = choice

    def book(self, *, whole: bool = False) -> Portfolio:
        """The chosen part, or that with all underlyings."""
        choice = self.choice
        part = part_of(self.file, account=choice.account, underlying=None if whole else choice.underlying)
        at = None if choice.day is None else close_of(choice.day)
        own = Overrides(
            prices=self._own("quote"), betas=self._own("risk"), dividend_yields=self._own("dividend")
        )
        return book_of(part, self.tickers, at=at, own=own)

    def prefetch(self, progress: Callable[[Progress], None]) -> None:
        """Fetch what the whole book needs."""
        if not self.tickers.settings.offline:
            self.book(whole=True).prefetch(progress=progress)

    def overview(self, *, whole: bool = False) -> Overview:
        """All that is shown of it."""
        return overview(self.book(whole=whole), requests=self.tickers.requests)

    def curve(self, shown: Overview) -> tuple[WhatIfPoint, ...]:
        """The what-if of what is shown, days later and at another volatility where that is chosen."""
        choice = self.choice
        if not choice.days and not choice.volatility:
            return shown.curve
        return self.book().what_if(CURVE_MOVES, days=choice.days, volatility=choice.volatility)

    def csv(self, shown: Overview) -> str:
        """What is shown as CSV, which the importers read back."""
        part = part_of(self.file, account=self.choice.account, underlying=self.choice.underlying)
        return to_csv([*part.positions, *part.pending], shown.rows)

    def refresh(self, symbol: str, facet: Facet) -> str:
        """Ask for one value again, however fresh; the reason if it could not be had, else nothing."""
        report = self.tickers.refresh([(symbol, facet)])
        outcome = report.outcomes.get((symbol, facet))
        return "" if outcome is None or outcome.status == "fetched" else outcome.reason or outcome.status

    def override(self, symbol: str, facet: Facet, value: float | None) -> None:
        """Take the user's own value for a price, beta or yield; None for the market's again.

        Raises:
            UsageError: A value of this kind cannot be one's own, or not be this.
        """
        if facet not in OWN:
            raise UsageError(f"a {facet} cannot be overridden; price, beta and dividend yield can")
        if value is None:
            self.overrides.pop((symbol, facet), None)
            return
        if (facet == "quote" and value <= 0.0) or (facet == "dividend" and not 0.0 <= value < 1.0):
            raise UsageError("a price is above 0, a yield from 0 to below 100 %")
        self.overrides[symbol, facet] = value

    def _own(self, facet: Facet) -> dict[str, float]:
        return {symbol: value for (symbol, of), value in self.overrides.items() if of == facet}
