"""What is traded in the simulated market: well-known instruments, and invented ones for any other symbol."""

from __future__ import annotations

import hashlib

import msgspec

from quotewell.records import InstrumentType
from quotewell.symbols import exchange_suffix, kind

__all__ = ["ALWAYS_LISTED", "Instrument", "fx_price", "instrument_for"]

NEW_YORK = "America/New_York"


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable thing, and the parameters of its invented price path.

    Args:
        symbol: Canonical symbol.
        name: What people call it.
        type: Kind of instrument.
        currency: Quote currency as Yahoo writes it (`GBp` for London).
        exchange: Yahoo's exchange code.
        time_zone: IANA name of the exchange's time zone; sessions run from 09:30 to 16:00 there.
        price: Close of the last session before the market was set up, in `currency`.
        beta: Its daily returns are beta times the return of ^GSPC plus noise.
        noise: Standard deviation of that noise, as a daily fraction.
        dividend_yield: Fraction a year, paid in four parts; None when the provider would not say.
        splits: Days (proleptic ordinals) and ratios, new shares for one old.
    """

    symbol: str
    name: str
    type: InstrumentType
    price: float
    currency: str = "USD"
    exchange: str = "NMS"
    time_zone: str = NEW_YORK
    beta: float = 1.0
    noise: float = 0.006
    dividend_yield: float | None = None
    splits: tuple[tuple[int, float], ...] = ()


# Prices, yields and betas are of the right size, but invented.
_STOCKS: tuple[tuple[str, str, float, float, float], ...] = (
    ("AAPL", "Apple Inc.", 333.69, 1.10, 0.0033),
    ("AMD", "Advanced Micro Devices, Inc.", 161.20, 1.85, 0.0),
    ("AMZN", "Amazon.com, Inc.", 221.40, 1.31, 0.0),
    ("BAC", "Bank of America Corporation", 51.10, 1.25, 0.0210),
    ("BRK-B", "Berkshire Hathaway Inc.", 498.30, 0.85, 0.0),
    ("CRM", "Salesforce, Inc.", 245.70, 1.30, 0.0066),
    ("GOOGL", "Alphabet Inc.", 251.90, 1.09, 0.0033),
    ("JNJ", "Johnson & Johnson", 186.10, 0.55, 0.0280),
    ("JPM", "JPMorgan Chase & Co.", 312.50, 1.12, 0.0180),
    ("KO", "The Coca-Cola Company", 66.80, 0.55, 0.0300),
    ("META", "Meta Platforms, Inc.", 712.00, 1.27, 0.0029),
    ("MSFT", "Microsoft Corporation", 517.90, 0.98, 0.0068),
    ("NVDA", "NVIDIA Corporation", 187.60, 2.05, 0.0002),
    ("PG", "The Procter & Gamble Company", 152.20, 0.45, 0.0270),
    ("TSLA", "Tesla, Inc.", 429.80, 2.10, 0.0),
    ("WMT", "Walmart Inc.", 102.10, 0.66, 0.0092),
    ("XOM", "Exxon Mobil Corporation", 113.40, 0.75, 0.0350),
)
_FUNDS: tuple[tuple[str, str, InstrumentType, float, float, float], ...] = (
    ("DIA", "SPDR Dow Jones Industrial Average ETF Trust", "etf", 466.30, 0.92, 0.0150),
    ("IWM", "iShares Russell 2000 ETF", "etf", 243.10, 1.15, 0.0100),
    ("QQQ", "Invesco QQQ Trust", "etf", 600.40, 1.17, 0.0050),
    ("SPAXX", "Fidelity Government Money Market Fund", "money_market", 1.00, 0.0, 0.0390),
    ("SPY", "SPDR S&P 500 ETF Trust", "etf", 667.20, 1.00, 0.0110),
    ("TLT", "iShares 20+ Year Treasury Bond ETF", "etf", 89.40, 0.10, 0.0420),
    ("VTSAX", "Vanguard Total Stock Market Index Fund", "fund", 160.90, 1.02, 0.0115),
)
_INDICES: dict[str, tuple[str, float]] = {
    "^GSPC": ("S&P 500", 6690.0),
    "^DJI": ("Dow Jones Industrial Average", 46600.0),
    "^NDX": ("NASDAQ 100", 24780.0),
    "^RUT": ("Russell 2000", 2440.0),
    "^VIX": ("CBOE Volatility Index", 16.6),
    "^IRX": ("13 WEEK TREASURY BILL", 3.85),
    "^FVX": ("Treasury Yield 5 Years", 3.71),
    "^TNX": ("CBOE Interest Rate 10 Year T No", 4.12),
    "^TYX": ("Treasury Yield 30 Years", 4.71),
}
ALWAYS_LISTED = ("^GSPC", "^IRX", "^FVX", "^TNX", "^TYX")
"""Listed in every market: the benchmark, and the points of the risk-free curve (in percent)."""

_DOLLARS = {
    "AUD": 0.66,
    "CAD": 0.72,
    "CHF": 1.25,
    "CNY": 0.14,
    "DKK": 0.157,
    "EUR": 1.172,
    "GBP": 1.345,
    "HKD": 0.128,
    "ILS": 0.30,
    "JPY": 0.0068,
    "NOK": 0.10,
    "SEK": 0.106,
    "SGD": 0.777,
    "USD": 1.0,
    "ZAR": 0.058,
}
_ABROAD = {
    "AS": ("EUR", "AMS", "Europe/Amsterdam"),
    "DE": ("EUR", "GER", "Europe/Berlin"),
    "HK": ("HKD", "HKG", "Asia/Hong_Kong"),
    "JO": ("ZAc", "JNB", "Africa/Johannesburg"),
    "L": ("GBp", "LSE", "Europe/London"),
    "PA": ("EUR", "PAR", "Europe/Paris"),
    "SW": ("CHF", "EBS", "Europe/Zurich"),
    "T": ("JPY", "JPX", "Asia/Tokyo"),
    "TA": ("ILA", "TLV", "Asia/Jerusalem"),
    "TO": ("CAD", "TOR", "America/Toronto"),
}


def fx_price(pair: str) -> float | None:
    """The rate of `EURUSD=X`; None for a currency that the market does not know."""
    local, base = _DOLLARS.get(pair[:3]), _DOLLARS.get(pair[3:6])
    return None if local is None or base is None or len(pair) != 8 else local / base  # noqa: PLR2004, RUF100


def instrument_for(symbol: str, seed: int = 0) -> Instrument:
    """The well-known instrument of that symbol, or one invented from symbol and seed.

    Args:
        symbol: Canonical symbol; any but an option's.
        seed: Changes what is invented, not what is known.
    """
    known = _known(symbol)
    if known is not None:
        return known
    form = kind(symbol)
    price = round(20.0 + 480.0 * _uniform(seed, symbol, "price"), 2)
    beta = round(0.4 + 1.4 * _uniform(seed, symbol, "beta"), 2)
    if form == "fx":
        rate = fx_price(symbol) or price / 100
        return _currency(symbol, rate)
    if form == "crypto":
        return Instrument(
            symbol=symbol,
            name=f"{symbol[:-4]} {symbol[-3:]}",
            type="crypto",
            price=price * 100,
            currency=symbol[-3:],
            exchange="CCC",
            time_zone="UTC",
            beta=beta,
        )
    if form in ("future", "index", "rate"):
        kind_of_contract: InstrumentType = "future" if form == "future" else "index"
        return Instrument(symbol=symbol, name=symbol, type=kind_of_contract, price=price * 10, beta=beta)
    currency, exchange, time_zone = _ABROAD.get(exchange_suffix(symbol) or "", ("USD", "NYQ", NEW_YORK))
    pays = _uniform(seed, symbol, "pays") < 0.6  # noqa: PLR2004, RUF100  about as many as in the S&P 500
    return Instrument(
        symbol=symbol,
        name=f"{symbol.partition('.')[0].title()} Corporation",
        type="stock",
        price=price,
        currency=currency,
        exchange=exchange,
        time_zone=time_zone,
        beta=beta,
        dividend_yield=round(0.04 * _uniform(seed, symbol, "yield"), 4) if pays else 0.0,
    )


def _known(symbol: str) -> Instrument | None:
    for ticker, name, price, beta, dividend_yield in _STOCKS:
        if ticker == symbol:
            return Instrument(
                symbol=symbol, name=name, type="stock", price=price, beta=beta, dividend_yield=dividend_yield
            )
    for ticker, name, fund, price, beta, dividend_yield in _FUNDS:
        if ticker == symbol:
            return Instrument(
                symbol=symbol,
                name=name,
                type=fund,
                price=price,
                beta=beta,
                exchange="PCX",
                noise=0.0 if fund == "money_market" else 0.002,
                dividend_yield=dividend_yield,
            )
    if symbol in _INDICES:
        name, price = _INDICES[symbol]
        noise = 0.0 if symbol == "^GSPC" else 0.004
        beta = 0.0 if symbol in ALWAYS_LISTED[1:] else 1.0
        return Instrument(
            symbol=symbol, name=name, type="index", price=price, exchange="SNP", beta=beta, noise=noise
        )
    rate = fx_price(symbol) if kind(symbol) == "fx" else None
    return _currency(symbol, rate) if rate is not None else None


def _currency(symbol: str, rate: float) -> Instrument:
    return Instrument(
        symbol=symbol,
        name=f"{symbol[:3]}/{symbol[3:6]}",
        type="currency",
        price=rate,
        currency=symbol[3:6],
        exchange="CCY",
        time_zone="Europe/London",
        beta=0.05,
        noise=0.003,
    )


def _uniform(seed: int, symbol: str, what: str) -> float:
    digest = hashlib.blake2b(f"{seed}/{symbol}/{what}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
