"""A market invented from a seed: prices, dividends and histories with known betas."""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from quotewell.records import InstrumentType
from quotewell.symbols import Option, kind, parse_option
from quotewell.testing.simulator.instruments import ALWAYS_LISTED, Instrument, fx_price, instrument_for

__all__ = ["Listing", "Market"]

_YEARS_BACK = 6
_DAYS_AHEAD = 370
_MARKET_DRIFT = 0.0003
_MARKET_VOLATILITY = 0.01
_OPTION_VOLATILITY = 0.30
_OPTION_RATE = 0.04
_YEAR = 365 * 86400.0
_SATURDAY = 5
_ROUND_THE_CLOCK = ("currency", "crypto")


class Listing(msgspec.Struct, kw_only=True):
    """What the market says of one symbol at one instant; times in epoch seconds, days as ordinals."""

    symbol: str
    name: str
    type: InstrumentType
    currency: str | None
    exchange: str
    time_zone: str
    price: float | None
    previous_close: float | None
    bid: float | None
    ask: float | None
    time: int
    state: str
    session_date: int
    session_open: int
    session_close: int
    dividend_yield: float | None = None
    beta: float | None = None
    underlying: str | None = None
    dates: list[int] = []
    """Days of the daily bars, oldest first; with the running session's while there is one."""
    closes: list[float | None] = []
    dividends: list[tuple[int, float]] = []
    splits: list[tuple[int, float]] = []


class _Session(msgspec.Struct, frozen=True):
    date: int
    open: float
    close: float
    running: bool


class Market:
    """Instruments and their price paths, all from one seed.

    Every instrument's daily return is its beta times the return of ^GSPC plus noise, on every weekday. The
    path reaches some years back from the start and a year ahead, so that a moving clock meets new prices.
    Options on listed underlyings are listed too, at 30 % volatility, until they expire.

    Args:
        symbols: Symbols or instruments to list beside ^GSPC, the four Treasury yields and the exchange rates
            of the larger currencies, which always are.
        seed: Changes every path.
        now: The instant as epoch seconds, or a callable that tells it; None for the system's clock.
        years: How far the path reaches back. Less makes smaller answers, but other prices.
    """

    def __init__(
        self,
        symbols: Iterable[str | Instrument] | None = None,
        *,
        seed: int = 0,
        now: float | Callable[[], float] | None = None,
        years: int = _YEARS_BACK,
    ) -> None:
        self.seed = seed
        self.now: Callable[[], float] = now if callable(now) else time.time if now is None else lambda: now
        self._lock = threading.Lock()
        self._instruments: dict[str, Instrument] = {}
        self._prices: dict[str, float] = {}
        self._paths: dict[str, list[float]] = {}
        self._started = self.now()
        start = dt.datetime.fromtimestamp(self._started, dt.UTC).date().toordinal()
        self._days = [
            day
            for day in range(start - years * 365, start + _DAYS_AHEAD)
            if dt.date.fromordinal(day).weekday() < _SATURDAY
        ]
        self._index = {day: position for position, day in enumerate(self._days)}
        self._market_returns = self._noise("^GSPC", _MARKET_VOLATILITY) + _MARKET_DRIFT
        self.add(*ALWAYS_LISTED, *(symbols or ()))

    def add(self, *symbols: str | Instrument) -> None:
        """List more symbols or instruments; an instrument replaces one of the same symbol."""
        for entry in symbols:
            instrument = entry if isinstance(entry, Instrument) else self._invented(entry)
            if instrument is not None:
                with self._lock:
                    self._instruments[instrument.symbol] = instrument
                    self._paths.pop(instrument.symbol, None)

    def remove(self, *symbols: str) -> None:
        """Take symbols off the market; from now on they are unknown."""
        with self._lock:
            for symbol in symbols:
                self._instruments.pop(symbol, None)

    def set_price(self, symbol: str, price: float | None) -> None:
        """Let `symbol` trade at `price` from now on; None returns to its path."""
        with self._lock:
            if price is None:
                self._prices.pop(symbol, None)
            else:
                self._prices[symbol] = price

    def split(self, symbol: str, ratio: float) -> None:
        """Split a stock now, new shares for one old: all its prices are those of new shares from now on.

        Raises:
            KeyError: It is not listed.
        """
        with self._lock:
            instrument = self._instruments[symbol]
        today = _session_at(self.now(), instrument.time_zone).date
        path = [price / ratio for price in self._path(instrument)]
        with self._lock:
            splits = (*instrument.splits, (today, ratio))
            self._instruments[symbol] = msgspec.structs.replace(instrument, splits=splits)
            self._paths[symbol] = path

    def correct(self, symbol: str, day: int, close: float) -> None:
        """Let the close of a past day (ordinal) have been another one.

        Raises:
            KeyError: The symbol is not listed, or the day is none of its market's.
        """
        path = self._path(self._instruments[symbol])
        path[self._index[day]] = close

    @property
    def symbols(self) -> list[str]:
        """All listed symbols but options and exchange rates."""
        with self._lock:
            return list(self._instruments)

    def instrument(self, symbol: str) -> Instrument | None:
        """The instrument, None when it is not listed."""
        with self._lock:
            found = self._instruments.get(symbol)
        if found is None and kind(symbol) == "fx" and fx_price(symbol) is not None:
            return instrument_for(symbol)
        return found

    def listing(self, symbol: str, *, bars: bool = False) -> Listing | None:
        """What the market says of `symbol` now, None when it is unknown.

        Args:
            symbol: Canonical symbol.
            bars: Whether daily bars, dividends and splits are wanted too.
        """
        instrument = self.instrument(symbol)
        if instrument is not None:
            return self._listing(instrument, bars=bars)
        option = parse_option(symbol)
        return self._option_listing(option) if option is not None and option.symbol == symbol else None

    def _invented(self, symbol: str) -> Instrument | None:
        return None if parse_option(symbol) is not None else instrument_for(symbol, self.seed)

    def _listing(self, instrument: Instrument, *, bars: bool) -> Listing:
        now = self.now()
        session = _session_at(now, instrument.time_zone)
        path = self._path(instrument)
        at = self._index[session.date]
        close, before = path[at], path[at - 1]
        if session.running:
            close = before + (close - before) * (now - session.open) / (session.close - session.open)
        with self._lock:
            price = self._prices.get(instrument.symbol, _rounded(close))
        always_open = instrument.type in _ROUND_THE_CLOCK
        listing = Listing(
            symbol=instrument.symbol,
            name=instrument.name,
            type=instrument.type,
            currency=instrument.currency,
            exchange=instrument.exchange,
            time_zone=instrument.time_zone,
            price=price,
            previous_close=_rounded(before),
            bid=_rounded(price * 0.9999),
            ask=_rounded(price * 1.0001),
            time=int(now if session.running or always_open else session.close + 1),
            state="REGULAR" if session.running or always_open else "CLOSED",
            session_date=session.date,
            session_open=int(session.open),
            session_close=int(session.close),
            dividend_yield=instrument.dividend_yield,
            beta=instrument.beta if instrument.type == "stock" else None,
        )
        if bars:
            listing.dates = self._days[: at + 1]
            listing.closes = [*map(_rounded, path[:at]), price]
            listing.splits = list(instrument.splits)
            listing.dividends = self._dividends(instrument, path, at)
        return listing

    def _option_listing(self, option: Option) -> Listing | None:
        instrument = self.instrument(option.underlying or "")
        left = option.expiry_instant() - self.now()
        if instrument is None or left <= 0:
            return None
        underlying = self._listing(instrument, bars=False)
        spot, before = underlying.price, underlying.previous_close
        if spot is None or before is None:
            return None
        scale = option.underlying_scale
        right = "call" if option.is_call else "put"
        with self._lock:
            price = self._prices.get(option.symbol, _rounded(_option_price(option, spot * scale, left)))
        return msgspec.structs.replace(
            underlying,
            symbol=option.symbol,
            name=f"{option.root} {option.expiry:%b %Y} {option.strike:.3f} {right}",
            type="option",
            exchange="OPR",
            price=price,
            previous_close=_rounded(_option_price(option, before * scale, left + 86400.0)),
            bid=max(0.0, _rounded(price * 0.99 - 0.01)),
            ask=_rounded(price * 1.01 + 0.01),
            dividend_yield=None,
            beta=None,
            underlying=instrument.symbol,
        )

    def _path(self, instrument: Instrument) -> list[float]:
        with self._lock:
            path = self._paths.get(instrument.symbol)
        if path is None:
            returns = instrument.beta * self._market_returns
            if instrument.noise:
                returns = returns + self._noise(instrument.symbol, instrument.noise)
            levels = np.cumprod(1.0 + np.maximum(returns, -0.5))
            anchor = self._index[_session_at(self._started, instrument.time_zone, completed=True).date]
            path = (instrument.price * levels / levels[anchor]).tolist()
            with self._lock:
                self._paths[instrument.symbol] = path
        return path

    def _noise(self, symbol: str, deviation: float) -> np.ndarray:
        generator = np.random.default_rng([self.seed, zlib.crc32(symbol.encode())])
        return deviation * generator.standard_normal(len(self._days))

    def _dividends(self, instrument: Instrument, path: list[float], at: int) -> list[tuple[int, float]]:
        if not instrument.dividend_yield or instrument.type not in ("stock", "etf", "fund"):
            return []
        first = zlib.crc32(instrument.symbol.encode()) % 63
        amount = instrument.dividend_yield / 4
        return [(self._days[i], round(path[i] * amount, 4)) for i in range(first, at + 1, 63)]


def _session_at(now: float, time_zone: str, *, completed: bool = False) -> _Session:
    """The session that runs at `now`, else the last one that has closed."""
    zone = ZoneInfo(time_zone)
    day = dt.datetime.fromtimestamp(now, zone).date()
    while True:
        if day.weekday() < _SATURDAY:
            opens = dt.datetime.combine(day, dt.time(9, 30), zone).timestamp()
            closes = dt.datetime.combine(day, dt.time(16), zone).timestamp()
            if now >= closes or (now >= opens and not completed):
                return _Session(day.toordinal(), opens, closes, now < closes)
        day -= dt.timedelta(days=1)


def _option_price(option: Option, spot: float, left: float) -> float:
    """Black-Scholes at a volatility of 30 % and a rate of 4 %, at least one cent."""
    years = left / _YEAR
    deviation = _OPTION_VOLATILITY * math.sqrt(years)
    forward = spot * math.exp(_OPTION_RATE * years)
    d1 = math.log(forward / option.strike) / deviation + deviation / 2
    sign = 1.0 if option.is_call else -1.0
    value = sign * (forward * _phi(sign * d1) - option.strike * _phi(sign * (d1 - deviation)))
    return max(0.01, value * math.exp(-_OPTION_RATE * years))


def _phi(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _rounded(price: float) -> float:
    """As many decimals as a feed would show: cents, but finer for exchange rates and yields."""
    return round(price, 2 if price >= 10.0 else 4 if price >= 1.0 else 6)
