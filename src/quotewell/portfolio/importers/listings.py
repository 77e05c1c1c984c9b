"""Where Interactive Brokers' securities are listed: its exchange codes, and Yahoo's suffixes for them."""

from __future__ import annotations

from quotewell.portfolio.importers.outcome import RowError

__all__ = ["listed_symbol"]

_SUFFIXES = {
    "AEB": ".AS", "ASX": ".AX", "BM": ".MC", "BVL": ".LS", "BVME": ".MI", "BVME.ETF": ".MI", "CPH": ".CO",
    "EBS": ".SW", "ENEXT.BE": ".BR", "FWB": ".F", "FWB2": ".F", "GETTEX": ".MU", "HEX": ".HE", "IBIS": ".DE",
    "IBIS2": ".DE", "JSE": ".JO", "KSE": ".KS", "LSE": ".L", "LSEETF": ".L", "MEXI": ".MX", "NSE": ".NS",
    "OSE": ".OL", "SBF": ".PA", "SEHK": ".HK", "SFB": ".ST", "SGX": ".SI", "SWB": ".SG", "TASE": ".TA",
    "TSE": ".TO", "TSEJ": ".T", "VENTURE": ".V", "VIRTX": ".SW", "VSE": ".VI", "WSE": ".WA",
}  # fmt: skip
_AMERICAN = frozenset(
    ("AMEX", "ARCA", "BATS", "BYX", "CBOE", "IEX", "ISLAND", "NASDAQ", "NYSE", "OTCBB", "PINK", "VALUE")
)
_BY_CURRENCY = {
    "AUD": ".AX", "CAD": ".TO", "CHF": ".SW", "DKK": ".CO", "GBP": ".L", "HKD": ".HK", "ILS": ".TA",
    "JPY": ".T", "KRW": ".KS", "MXN": ".MX", "NOK": ".OL", "PLN": ".WA", "SEK": ".ST", "SGD": ".SI",
    "USD": "", "ZAR": ".JO",
}  # fmt: skip
"""Where a currency has one large exchange; the euro has many."""
_HONG_KONG_DIGITS = 4


def listed_symbol(symbol: str, exchange: str, currency: str) -> str:
    """A stock's symbol with the suffix of its exchange.

    Args:
        symbol: As Interactive Brokers writes it, without a suffix.
        exchange: The listing exchange's code; empty if it is not told.
        currency: In which it is quoted, which tells the exchange where that is not.

    Raises:
        RowError: If neither tells where it is listed: a symbol alone would be another company's in New York.
    """
    code = exchange.strip().upper()
    suffix = "" if code in _AMERICAN else _SUFFIXES.get(code)
    if suffix is None:
        suffix = _BY_CURRENCY.get(currency.upper())
    if suffix is None:
        known = f"the exchange {exchange!r} is not known" if code else f"no exchange is told for {currency}"
        raise RowError(f"{symbol}: {known}; add ListingExchange to the query")
    bare = symbol.strip()
    if suffix == ".HK" and bare.isdecimal():
        bare = bare.zfill(_HONG_KONG_DIGITS)
    return bare.replace(" ", "-") + suffix if suffix else bare
