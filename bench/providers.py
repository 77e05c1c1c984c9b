"""Price, beta and name of many tickers: requests and seconds of yfinance's own ways and of our service.

All ask the same simulated Yahoo. Each run is a process of its own, `python -m bench.providers WAY FOLDER URL
COUNT`, which keeps in FOLDER what it keeps, and prints the seconds from the question to all figures and how
many it has found; opening, and importing yfinance and pandas, are not counted.
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import msgspec
from curl_cffi import CurlOpt
from curl_cffi import requests as curl

from bench.measure import Comparison, Row, child, quotients
from bench.sample import symbols
from quotewell.testing import MarketSimulator
from quotewell.testing.simulator.instruments import instrument_for
from quotewell.wiring import open as open_service

__all__ = ["providers"]

_LATENCY = 0.01  # seconds; the text of the page names it
_ROUNDS: Mapping[int, int] = {60: 2, 500: 1}
_MANY = 500  # so many are asked again only of quotewell: what yfinance keeps, 60 have shown
_QUOTES_A_REQUEST = 50
_HISTORIES_A_REQUEST = 20
_HANDSHAKE = 2
_NO_LIMIT = 1_000_000
_COOKIE_HOST = "fc.yahoo.com"

_Figures = tuple[int, int, int]
"""How many prices, betas and names."""


class _Run(msgspec.Struct):
    seconds: float
    found: _Figures
    requests: int


def providers(folder: Path) -> Iterator[Row | Comparison]:
    """The table of requests and seconds, and the rows that have a floor."""
    for count, rounds in _ROUNDS.items():
        names = _stocks(count)
        with MarketSimulator(symbols=names, latency=_LATENCY) as simulator:
            for name in (*names, "^GSPC"):
                simulator.market.listing(name, bars=True)  # invented now, so that nobody waits for it
            compared = {way: _compared(way, count, rounds, simulator, folder) for way in _WAYS}
        yield from compared.values()
        yield from _rows(compared["ours"], compared["info"])


def _rows(ours: Comparison, info: Comparison) -> Iterator[Row]:
    count = ours.tickers
    quotes, histories = -(-count // _QUOTES_A_REQUEST), -(-(count + 1) // _HISTORIES_A_REQUEST)
    measure = f"requests of `prefetch` for price, beta and name of {count} tickers"
    yield Row(
        measure=measure,
        against="",
        values=(float(ours.requests),),
        at_most=float(_HANDSHAKE + quotes + histories),
        unit="",
    )
    if ours.requests_again is not None:
        yield Row(
            measure="the same again in another process",
            against="",
            values=(float(ours.requests_again),),
            at_most=0.0,
            unit="",
        )
    yield Row(
        measure=f"seconds of yfinance's `Ticker.info` for {count} tickers",
        against="the same of `prefetch`",
        values=quotients(info.seconds, ours.seconds),
    )


def _compared(way: str, count: int, rounds: int, simulator: MarketSimulator, folder: Path) -> Comparison:
    """One way, with nothing kept, and again in another process with what the first has kept.

    Of several runs the fewest figures and the most requests count: a busy machine loses yfinance an answer.
    """
    first: list[_Run] = []
    second: list[_Run] = []
    for turn in range(rounds):
        place = folder / f"{way}-{count}-{turn}"
        place.mkdir(parents=True)
        for runs in (first, second) if way == "ours" or count < _MANY else (first,):
            simulator.clear_log()
            arguments = ["-m", "bench.providers", way, str(place), simulator.yahoo_url, str(count)]
            elapsed, found = msgspec.json.decode(child(arguments), type=tuple[float, _Figures])
            runs.append(_Run(elapsed, found, len(simulator.requests)))
    return Comparison(
        tickers=count,
        way=_WAYS[way].text,
        found=min(run.found for run in (*first, *second)),
        requests=max(run.requests for run in first),
        seconds=tuple(run.seconds for run in first),
        requests_again=max((run.requests for run in second), default=None),
        seconds_again=tuple(run.seconds for run in second),
    )


def _stocks(count: int) -> list[str]:
    """Symbols that are stocks by their form, so that nobody misses the beta of a fund."""
    many = (symbol for symbol in symbols(2 * count) if instrument_for(symbol).type == "stock")
    return list(itertools.islice(many, count))


def _info(names: Sequence[str], folder: Path, url: str) -> tuple[float, _Figures]:
    """One ticker after the other, all fields that there are."""
    yfinance, session = _yfinance(folder, url)
    start = time.perf_counter()
    infos = [yfinance.Ticker(name, session=session).info for name in names]
    elapsed = time.perf_counter() - start
    prices, betas, texts = (
        sum(info.get(field) is not None for info in infos)
        for field in ("regularMarketPrice", "beta", "longName")
    )
    return elapsed, (prices, betas, texts)


def _download(names: Sequence[str], folder: Path, url: str) -> tuple[float, _Figures]:
    """Bars of five days, of which the last has the price."""
    yfinance, session = _yfinance(folder, url)
    start = time.perf_counter()
    frame = yfinance.download(names, period="5d", progress=False, session=session)
    prices = frame["Close"].iloc[-1].to_dict()
    elapsed = time.perf_counter() - start
    return elapsed, (sum(math.isfinite(price) for price in prices.values()), 0, 0)


def _ours(names: Sequence[str], folder: Path, url: str) -> tuple[float, _Figures]:
    """One prefetch, and what is then at hand; `get_*` would raise if a figure were missing."""
    import quotewell.providers.yahoo_session  # noqa: F401, PLC0415  imports yfinance, which is not counted

    limits = {"yahoo_rate": _NO_LIMIT, "yahoo_burst": _NO_LIMIT}
    with open_service(cache_dir=folder, yahoo_base_url=url, providers=["yahoo"], **limits) as tickers:
        start = time.perf_counter()
        tickers.prefetch(names)
        figures = [(tickers.get_price(name), tickers.get_beta(name)) for name in names]
        profiles = tickers.profiles(names)
        elapsed = time.perf_counter() - start
    texts = sum(reading.record is not None and bool(reading.record.name) for reading in profiles.values())
    return elapsed, (len(figures), len(figures), texts)


class _Way(NamedTuple):
    text: str
    ask: Callable[[Sequence[str], Path, str], tuple[float, _Figures]]


_WAYS: Mapping[str, _Way] = {
    "info": _Way("yfinance, `Ticker(t).info` for each", _info),
    "download": _Way('yfinance, `download(period="5d")`', _download),
    "ours": _Way("quotewell, `prefetch`", _ours),
}


def _yfinance(folder: Path, url: str) -> tuple[Any, curl.Session[curl.Response]]:
    """The library, which keeps its files in `folder`, and a session for it."""
    import yfinance  # noqa: PLC0415  a second, and not needed by the other ways

    yfinance.set_tz_cache_location(str(folder))
    return yfinance, _Session(url)


class _Session(curl.Session[curl.Response]):
    """A session of the kind that yfinance makes for itself, which sends its requests to the simulator."""

    def __init__(self, url: str) -> None:
        super().__init__(impersonate="chrome", curl_options={CurlOpt.NOPROXY: "*"})
        self._base = urlsplit(url)
        self._cookie_answer: curl.Response | None = None

    def request(self, method: Any, url: str, *arguments: Any, **options: Any) -> curl.Response:
        """Send it, but ask for the cookie only once: one of Yahoo's own host would be kept in a file."""
        parts = urlsplit(url)
        asks_cookie = parts.hostname == _COOKIE_HOST
        if asks_cookie and self._cookie_answer is not None:
            return self._cookie_answer
        rewritten = urlunsplit((self._base.scheme, self._base.netloc, parts.path or "/", parts.query, ""))
        answer = super().request(method, rewritten, *arguments, **options)
        if asks_cookie:
            self._cookie_answer = answer
        return answer


def main() -> None:
    """One run."""
    _, way, folder, url, count = sys.argv
    found = _WAYS[way].ask(_stocks(int(count)), Path(folder), url)
    print(msgspec.json.encode(found).decode())


if __name__ == "__main__":
    main()
