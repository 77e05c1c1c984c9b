"""The book of one file as the options ask for it: of now, of a day in the past, or of the file's own day."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from quotewell.errors import UsageError
from quotewell.views.cli.options import Namespace, instant_of, mapping_of, open_service
from quotewell.views.render.progress import watched

if TYPE_CHECKING:
    from quotewell.portfolio.portfolio import Portfolio
    from quotewell.portfolio.summary import Summary
    from quotewell.service import TickerService

__all__ = ["fetched", "open_book", "summarise"]


@contextlib.contextmanager
def open_book(options: Namespace) -> Iterator[tuple[Portfolio, TickerService]]:
    """Read the files of `options.file`, open the service, and fetch what the book needs unless offline.

    With `--as-of` everything is of that day's close; offline without it, of the day of the file.

    Raises:
        ImportFailed: The file cannot be read, or holds no rows.
        UsageError: An option or a setting is wrong, there is no such account, or `--as-of` is a day to come.
    """
    from quotewell.portfolio.basis import Basis  # noqa: PLC0415  `--help` needs none of these
    from quotewell.portfolio.importers import read_files  # noqa: PLC0415
    from quotewell.portfolio.importers.accounts import of_accounts  # noqa: PLC0415
    from quotewell.views.books import book_of, refuse_empty  # noqa: PLC0415

    instant = instant_of(options.as_of)
    file = read_files(options.file, mapping_of(options))
    refuse_empty(file)
    file = of_accounts(file, getattr(options, "account", ()))
    with open_service(options) as tickers:
        settings = tickers.settings
        if instant is not None and instant > tickers.now():
            raise UsageError(
                f"--as-of {options.as_of}: that day's close is still to come", hint="leave it out for now"
            )
        basis = Basis(
            base_currency=settings.base_currency,
            benchmark=settings.benchmark,
            rates=dict(options.rate),
            dividend_yield=options.dividend_yield,
            beta=options.assume_beta,
            blume=options.blume,
            cash_like=options.cash_like or frozenset(),
        )
        book = book_of(file, tickers, basis=basis, at=instant)
        yield fetched(book, offline=settings.offline), tickers


def fetched(book: Portfolio, *, offline: bool = False) -> Portfolio:
    """The book, with all that it needs fetched in one plan."""
    if not offline:
        with watched() as watcher:
            book.prefetch(progress=watcher)
    return book


def summarise(book: Portfolio, tickers: TickerService) -> Summary:
    """The report on a book; its `requests` are all that `tickers` has sent."""
    import msgspec  # noqa: PLC0415  `--help` needs none

    return msgspec.structs.replace(book.summary(), requests=tickers.requests)
