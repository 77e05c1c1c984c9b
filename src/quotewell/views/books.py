"""The book of a file as a service values it: with overrides; of now, of an instant, or of its own day."""

from __future__ import annotations

from quotewell.asof import AsOfSource
from quotewell.errors import ImportFailed
from quotewell.portfolio.basis import Basis
from quotewell.portfolio.importers import ImportedFile
from quotewell.portfolio.overrides import Overrides, load_overrides
from quotewell.portfolio.portfolio import Portfolio
from quotewell.service import TickerService

__all__ = ["book_of", "refuse_empty"]


def book_of(
    file: ImportedFile,
    tickers: TickerService,
    *,
    basis: Basis | None = None,
    at: float | None = None,
    own: Overrides | None = None,
) -> Portfolio:
    """The book of a file, with the overrides that the settings name.

    Args:
        file: What an importer has read; overrides rename its positions.
        tickers: Where market data comes from.
        basis: What the valuation rests on; by default base currency and benchmark of the settings.
        at: The valuation instant (epoch seconds), after which nothing is used. Without it the book is of
            now, or, offline, of the file's own day.
        own: Overrides of this one book, which win over those of the settings; none by default.

    Raises:
        ImportFailed: The file has no rows.
        UsageError: The overrides cannot be read.
    """
    refuse_empty(file)
    settings = tickers.settings
    overrides = Overrides() if settings.overrides is None else load_overrides(settings.overrides)
    overrides.rename(file)
    if at is None and settings.offline:
        at = file.as_of
    if basis is None:
        basis = Basis(base_currency=settings.base_currency, benchmark=settings.benchmark)
    return Portfolio(
        file,
        tickers if at is None else AsOfSource(tickers, at),
        basis=(own or Overrides()).applied(overrides.applied(basis)),
        at=at,
        offline=settings.offline,
    )


def refuse_empty(file: ImportedFile) -> None:
    """Raise `ImportFailed` if a file has no rows."""
    if not file.rows:
        raise ImportFailed(file.path, "there are no rows below the header", hint="export the positions again")
