"""What Financial Modeling Prep's `stable/` endpoints answer, made from listings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quotewell.testing.simulator.market import Listing

__all__ = ["INVALID_KEY", "LIMIT_REACHED", "NOT_IN_PLAN", "profile_answer", "quote_answer", "short_answer"]

INVALID_KEY = {
    "Error Message": "Invalid API KEY. Feel free to create a Free API Key or visit our documentation."
}
LIMIT_REACHED = {"Error Message": "Limit Reach . Please upgrade your plan or visit our documentation."}
NOT_IN_PLAN = "Restricted Endpoint: This endpoint is not available under your current subscription."


def profile_answer(listings: Sequence[Listing]) -> list[dict[str, Any]]:
    """The body of `profile`; an empty list for an unknown symbol."""
    return [
        {
            "symbol": listing.symbol,
            "price": listing.price,
            "beta": listing.beta,
            "lastDividend": _last_dividend(listing),
            "change": _change(listing),
            "companyName": listing.name,
            "currency": listing.currency,
            "exchange": listing.exchange,
            "isEtf": listing.type == "etf",
            "isFund": listing.type in ("fund", "money_market"),
            "isActivelyTrading": True,
        }
        for listing in listings
    ]


def quote_answer(listings: Sequence[Listing]) -> list[dict[str, Any]]:
    """The body of `quote` and `batch-quote`."""
    return [
        {
            "symbol": listing.symbol,
            "name": listing.name,
            "price": listing.price,
            "change": _change(listing),
            "volume": 1_000_000,
            "exchange": listing.exchange,
            "previousClose": listing.previous_close,
            "timestamp": listing.time,
        }
        for listing in listings
    ]


def short_answer(listings: Sequence[Listing]) -> list[dict[str, Any]]:
    """The body of `batch-quote-short`."""
    return [
        {"symbol": listing.symbol, "price": listing.price, "change": _change(listing), "volume": 1_000_000}
        for listing in listings
    ]


def _change(listing: Listing) -> float | None:
    if listing.price is None or listing.previous_close is None:
        return None
    return round(listing.price - listing.previous_close, 6)


def _last_dividend(listing: Listing) -> float | None:
    """Dividends of a year per share."""
    if listing.dividend_yield is None or listing.price is None:
        return None
    return round(listing.dividend_yield * listing.price, 4)
