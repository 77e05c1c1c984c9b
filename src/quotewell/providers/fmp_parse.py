"""Reading the answers of Financial Modeling Prep (`/stable`): pure, from bytes to records.

Fields that are absent, null or of another type than documented count as absent; what then lacks its essential
value is left out of the result.
"""

from __future__ import annotations

import json
from typing import Any

from quotewell.errors import ProviderError
from quotewell.records import Dividend, InstrumentType, Need, Profile, Quote, Record

__all__ = ["SOURCE", "parse_batch_quote", "parse_profile"]

SOURCE = "fmp"

_TYPES_BY_EXCHANGE: dict[str, InstrumentType] = {"CRYPTO": "crypto", "FOREX": "currency", "INDEX": "index"}
_LIMIT_WORDS = "limit reach"
_KEY_WORDS = "api key"

Item = dict[str, Any]


def parse_profile(body: bytes, symbol: str, now: float) -> dict[Need, Record] | None:
    """Everything that `profile?symbol=` says.

    The previous close is price minus change; the dividend yield is `lastDividend` (a year's dividends per
    share) over price. The answer names no time of the price, so `as_of` stays unknown. The price of an
    instrument that no longer trades is left out: nobody knows how old it is.

    Args:
        body: The answer's body.
        symbol: What was asked.
        now: Epoch seconds, for `fetched_at`.

    Returns:
        Records by need, for `symbol` only; None when the list is empty: the symbol is unknown.

    Raises:
        ProviderError: For a body that is no list of objects, or is an error message.
    """
    items = _items(body)
    if not items:
        return None
    item = next((item for item in items if _text(item, "symbol") == symbol), None)
    if item is None:
        raise _unreadable(f"{symbol}: the profile is about {_text(items[0], 'symbol') or 'nothing'}")
    price, change = _number(item, "price"), _number(item, "change")
    currency, exchange = _text(item, "currency"), _text(item, "exchange")
    instrument = _type(item)
    found: dict[Need, Record] = {
        (symbol, "profile"): Profile(
            symbol=symbol,
            source=SOURCE,
            fetched_at=now,
            name=_text(item, "companyName"),
            type=instrument,
            exchange=exchange,
            sector=_text(item, "sector"),
            currency=currency,
            stated_beta=_number(item, "beta"),
        )
    }
    if price is None or item.get("isActivelyTrading") is False:
        return found
    found[symbol, "quote"] = Quote(
        symbol=symbol,
        source=SOURCE,
        fetched_at=now,
        last=price,
        previous_close=None if change is None else price - change,
        currency=currency,
        exchange=exchange,
        type=instrument,
    )
    dividend = _number(item, "lastDividend")
    if dividend is not None and price > 0.0:
        found[symbol, "dividend"] = Dividend(
            symbol=symbol, source=SOURCE, fetched_at=now, dividend_yield=dividend / price
        )
    return found


def parse_batch_quote(body: bytes, now: float) -> dict[str, Quote]:
    """The quotes of `batch-quote?symbols=`, by symbol; they name no currency.

    Args:
        body: The answer's body.
        now: Epoch seconds, for `fetched_at`.

    Raises:
        ProviderError: For a body that is no list of objects, or is an error message.
    """
    quotes: dict[str, Quote] = {}
    for item in _items(body):
        symbol, price = _text(item, "symbol"), _number(item, "price")
        if symbol is not None and price is not None:
            quotes[symbol] = Quote(
                symbol=symbol,
                source=SOURCE,
                as_of=_number(item, "timestamp"),
                fetched_at=now,
                last=price,
                previous_close=_number(item, "previousClose"),
                exchange=_text(item, "exchange"),
            )
    return quotes


def _items(body: bytes) -> list[Item]:
    try:
        answer = json.loads(body, parse_int=float)  # accepts NaN; msgspec would refuse the whole answer
    except ValueError as error:
        raise _unreadable(f"the answer is no JSON: {error}") from error
    if isinstance(answer, dict):
        raise _refusal(answer)
    if not isinstance(answer, list):
        raise _unreadable(f"the answer is no list but a {type(answer).__name__}")
    return [item for item in answer if isinstance(item, dict)]


def _refusal(answer: Item) -> ProviderError:
    """What an error object under status 200 means."""
    message = next((value for value in answer.values() if isinstance(value, str)), "")
    if _LIMIT_WORDS in message.lower():
        return ProviderError(SOURCE, "rate_limited", "the plan's limit of requests is reached")
    if _KEY_WORDS in message.lower():
        # Not quoted: such a message may repeat the key.
        return ProviderError(SOURCE, "denied", "the key is refused; check QUOTEWELL_FMP_API_KEY")
    return ProviderError(SOURCE, "server", "an error message in place of data")


def _type(item: Item) -> InstrumentType | None:
    by_exchange = _TYPES_BY_EXCHANGE.get(_text(item, "exchange") or "")
    if by_exchange is not None:
        return by_exchange
    is_etf, is_fund = item.get("isEtf"), item.get("isFund")
    if is_etf is True:
        return "etf"
    if is_fund is True:
        return "fund"
    return "stock" if is_etf is False and is_fund is False else None


def _number(item: Item, field: str) -> float | None:
    value = item.get(field)
    return value if isinstance(value, float) else None


def _text(item: Item, field: str) -> str | None:
    value = item.get(field)
    return value if isinstance(value, str) and value else None


def _unreadable(reason: str) -> ProviderError:
    return ProviderError(SOURCE, "invalid", reason)
