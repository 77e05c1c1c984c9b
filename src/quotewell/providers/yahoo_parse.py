"""From Yahoo's wire objects to records; pure, and prepared for anything in place of anything.

Prices stay in the unit that the wire names (`GBp` is not converted here), numbers that are not finite are
missing, and a missing number is None. Yields: v7 gives percent, quoteSummary a fraction; records hold
fractions.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from quotewell.errors import ProviderError
from quotewell.providers.treasury import TREASURY_YEARS, treasury_rate
from quotewell.records import Dividend, Facet, FailureKind, Fx, InstrumentType, Profile, Quote, Rate, Record
from quotewell.symbols import kind

__all__ = [
    "NAME",
    "WireError",
    "best_rows",
    "error_of",
    "is_crumb",
    "number",
    "quote_records",
    "quote_rows",
    "result_of",
    "rows_of",
    "says_too_many",
    "says_unauthorized",
    "summary_records",
    "text",
]

NAME = "yahoo"

Wire = Mapping[str, Any]

_TYPES: dict[str, InstrumentType] = {
    "EQUITY": "stock",
    "ETF": "etf",
    "MUTUALFUND": "fund",
    "MONEYMARKET": "money_market",
    "INDEX": "index",
    "OPTION": "option",
    "CURRENCY": "currency",
    "CRYPTOCURRENCY": "crypto",
    "FUTURE": "future",
    "BOND": "bond",
}
_MINUTE = 60.0
_LONGEST_CRUMB = 64
_SHOWN = 200
_TOO_MANY = "too many requests"
_ENVELOPES = ("finance", "quoteResponse", "spark", "chart", "quoteSummary")


# ------------------------------------------------------------------------------------------- plain values


def number(value: object) -> float | None:
    """A finite number, also as `{"raw": 1.5, "fmt": "1.50"}`; None for anything else."""
    if isinstance(value, Mapping):
        value = value.get("raw")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        converted = float(value)
    except OverflowError:
        return None
    return converted if math.isfinite(converted) else None


def text(value: object) -> str | None:
    """A string that says something; None for anything else."""
    return value.strip() or None if isinstance(value, str) else None


def mapping(value: object) -> Wire:
    """The object, or an empty one in place of anything else."""
    return value if isinstance(value, Mapping) else {}


def instrument_type(value: object) -> InstrumentType | None:
    """Yahoo's `quoteType` or `instrumentType` as a record's; None for an unknown one, never a guess."""
    return _TYPES.get(value.upper()) if isinstance(value, str) else None


# ---------------------------------------------------------------------------------------- answers as a whole


def is_crumb(body: str) -> bool:
    """Whether the body of getcrumb is a crumb: one short word, no sentence, no page, no JSON."""
    printable = body.isascii() and body.isprintable()
    return 0 < len(body) <= _LONGEST_CRUMB and printable and not any(sign in body for sign in ' <>{}"')


def says_too_many(body: str) -> bool:
    """Whether a body, whatever its status, is Yahoo's sentence for a rate limit and not data."""
    return not body.lstrip().startswith(("{", "[")) and _TOO_MANY in body.lower()


class WireError(NamedTuple):
    """An error that Yahoo put into an answer."""

    envelope: str
    """`finance` for the service as a whole, else the endpoint's own; empty for a bare string."""
    code: str
    description: str

    @property
    def not_found(self) -> bool:
        """Whether it says that there is no such symbol; `finance` would say that of a retired endpoint."""
        return self.code == "Not Found" and self.envelope not in ("", "finance")


def error_of(payload: object) -> WireError | None:
    """The error that an answer holds, under whatever envelope; None without one."""
    if isinstance(payload, str):
        return WireError("", "", payload)
    for envelope in _ENVELOPES:
        body = mapping(payload).get(envelope)
        error = mapping(body).get("error")
        if isinstance(error, Mapping):
            return WireError(envelope, text(error.get("code")) or "", text(error.get("description")) or "")
        for words in (body, error):
            if isinstance(words, str):
                return WireError(envelope, "", words)
    return None


def says_unauthorized(payload: object) -> bool:
    """Whether an answer complains of the crumb or the cookie."""
    error = error_of(payload)
    if error is None:
        return False
    return error.code == "Unauthorized" or error.description.startswith(("Invalid Crumb", "Invalid Cookie"))


def result_of(payload: object, envelope: str) -> list[object]:
    """The list of results in an answer with status 200.

    Raises:
        ProviderError: `unknown` if the answer is that there is no such symbol, `server` if it is another
            error, `invalid` if it is of no known shape.
    """
    body = mapping(payload).get(envelope)
    result = mapping(body).get("result")
    if isinstance(result, list) and result:
        return result
    error = error_of(payload)
    if error is not None:
        failure: FailureKind = "unknown" if error.not_found else "server"
        said = f"{error.code} {error.description}".strip()[:_SHOWN] or "?"
        raise ProviderError(NAME, failure, f"error in place of data: {said}")
    if isinstance(body, Mapping) and "result" in body and (result is None or isinstance(result, list)):
        return []
    raise ProviderError(NAME, "server", f"the answer has no {envelope}.result")


def rows_of(results: Iterable[object], asked: Collection[str]) -> list[tuple[str, Wire]]:
    """The objects that are about one of the asked symbols; strings, nulls and strangers are left out."""
    wanted = frozenset(asked)
    rows = ((mapping(row).get("symbol"), mapping(row)) for row in results)
    return [(symbol, row) for symbol, row in rows if isinstance(symbol, str) and symbol in wanted]


def best_rows(rows: Iterable[tuple[str, Wire]]) -> dict[str, Wire]:
    """One row a symbol: of duplicates the one that has a price, then the one of the latest trade."""
    best: dict[str, Wire] = {}
    for symbol, row in rows:
        if symbol not in best or _worth(row) > _worth(best[symbol]):
            best[symbol] = row
    return best


def _worth(row: Wire) -> tuple[bool, float]:
    return number(row.get("regularMarketPrice")) is not None, number(row.get("regularMarketTime")) or 0.0


# -------------------------------------------------------------------------------------------------- quotes


def quote_rows(payload: object, asked: Collection[str]) -> dict[str, Wire]:
    """The rows of `/v7/finance/quote` by symbol; symbols that were left out are absent.

    Raises:
        ProviderError: `server` or `invalid`, see `result_of`.
    """
    return best_rows(rows_of(result_of(payload, "quoteResponse"), asked))


def quote_records(symbol: str, row: Wire, fetched_at: float) -> dict[Facet, Record]:
    """The records that one v7 row holds.

    `quote` only with a price; `fx` for currency pairs, `rate` for Treasury indices; `dividend` only when a
    yield is given, of which 0 is one. `profile` always.

    Args:
        symbol: The canonical symbol.
        row: The wire object.
        fetched_at: Epoch seconds at which the answer arrived.
    """
    as_of = number(row.get("regularMarketTime"))
    price = number(row.get("regularMarketPrice"))
    described = _profile(symbol, row, fetched_at)
    described.as_of = as_of
    described.stated_beta = number(row.get("beta"))
    records: dict[Facet, Record] = {"profile": described}
    if price is not None:
        records["quote"] = Quote(
            symbol=symbol,
            source=NAME,
            as_of=as_of,
            fetched_at=fetched_at,
            last=price,
            bid=number(row.get("bid")),
            ask=number(row.get("ask")),
            previous_close=number(row.get("regularMarketPreviousClose")),
            currency=described.currency,
            exchange=described.exchange,
            type=described.type,
            delay=_delay(row),
            market_state=text(row.get("marketState")),
        )
        records.update(_figures(symbol, price, as_of, fetched_at))
    dividend_yield = _v7_yield(row)
    if dividend_yield is not None:
        records["dividend"] = Dividend(
            symbol=symbol, source=NAME, as_of=as_of, fetched_at=fetched_at, dividend_yield=dividend_yield
        )
    return records


def _figures(symbol: str, price: float, as_of: float | None, fetched_at: float) -> dict[Facet, Record]:
    """What the price of a currency pair or of a Treasury index is beside a price."""
    form = kind(symbol)
    if form == "fx":
        return {"fx": Fx(symbol=symbol, source=NAME, as_of=as_of, fetched_at=fetched_at, rate=price)}
    rate = treasury_rate(symbol, price) if form == "rate" else None
    if rate is None:
        return {}
    years = TREASURY_YEARS[symbol]
    return {
        "rate": Rate(symbol=symbol, source=NAME, as_of=as_of, fetched_at=fetched_at, years=years, rate=rate)
    }


def _profile(symbol: str, row: Wire, fetched_at: float) -> Profile:
    return Profile(
        symbol=symbol,
        source=NAME,
        fetched_at=fetched_at,
        name=text(row.get("longName")) or text(row.get("shortName")) or text(row.get("displayName")),
        type=instrument_type(row.get("quoteType")),
        exchange=text(row.get("exchange")),
        time_zone=text(row.get("exchangeTimezoneName")) or text(row.get("timeZoneFullName")),
        currency=text(row.get("currency")),
    )


def _delay(row: Wire) -> float | None:
    """Seconds; the wire counts minutes."""
    minutes = number(row.get("exchangeDataDelayedBy"))
    return None if minutes is None else minutes * _MINUTE


def _v7_yield(row: Wire) -> float | None:
    """`dividendYield` is a percentage; `trailingAnnualDividendYield`, which non-payers have, a fraction."""
    percent = number(row.get("dividendYield"))
    return number(row.get("trailingAnnualDividendYield")) if percent is None else percent / 100.0


# ----------------------------------------------------------------------------------------------- summaries


def summary_records(symbol: str, payload: object, fetched_at: float) -> dict[Facet, Record]:
    """The records in an answer of `/v10/finance/quoteSummary`: `profile`, and `dividend` when it has a yield.

    `beta3Year` of funds is left alone: it is measured against each fund's own index.

    Raises:
        ProviderError: `server` or `invalid`, see `result_of`.
    """
    results = result_of(payload, "quoteSummary")
    modules = mapping(results[0] if results else None)
    detail, described = mapping(modules.get("summaryDetail")), mapping(modules.get("quoteType"))
    if not detail and not described:
        raise ProviderError(NAME, "invalid", f"{symbol}: the summary is empty")
    profile = _profile(symbol, {"currency": detail.get("currency"), **described}, fetched_at)
    profile.stated_beta = number(detail.get("beta"))
    records: dict[Facet, Record] = {"profile": profile}
    stated = number(detail.get("dividendYield"))
    trailing = number(detail.get("trailingAnnualDividendYield"))
    dividend_yield = trailing if stated is None else stated
    if dividend_yield is not None:
        records["dividend"] = Dividend(
            symbol=symbol, source=NAME, fetched_at=fetched_at, dividend_yield=dividend_yield
        )
    return records
