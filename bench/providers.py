"""What price, beta and name of a portfolio cost: yfinance's ways and ours, against one simulated Yahoo."""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec
from curl_cffi import CurlOpt
from curl_cffi import requests as curl

from bench.sample import symbols
from quotewell.service import TickerService
from quotewell.testing import MarketSimulator
from quotewell.wiring import open as open_service

__all__ = ["Comparison", "comparison_table", "comparisons"]

_SIZES = (60, 500)
_LATENCY = 0.01
_RATE, _BURST = 2.0, 5
_COOKIE_HOST = "fc.yahoo.com"


class Comparison(msgspec.Struct, frozen=True):
    """One way to know a number of tickers, and its cost."""

    way: str
    tickers: int
    requests: int
    """The handshake not counted."""
    seconds: float
    lacks: str = ""

    @property
    def at_the_limit(self) -> float:
        """The least seconds at two requests a second."""
        return max(0.0, self.requests - _BURST) / _RATE


def comparisons(folder: Path) -> list[Comparison]:
    """All ways, for all sizes."""
    return [row for size in _SIZES for row in _of_size(size, folder / str(size))]


def comparison_table(rows: Sequence[Comparison]) -> str:
    """The rows in Markdown."""
    lines = [
        "| tickers | way | requests | seconds | at 2 a second | lacks |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.tickers} | {row.way} | {row.requests:,} | {row.seconds:.1f} | {row.at_the_limit:,.0f} s |"
        f" {row.lacks} |"
        for row in rows
    ]
    return "\n".join(lines)


def _of_size(size: int, folder: Path) -> Iterator[Comparison]:
    names = symbols(size)
    with MarketSimulator(symbols=names, latency=_LATENCY) as simulator:
        with _yfinance(simulator.yahoo_url) as (yfinance, session):
            yield _timed("yfinance, `Ticker(t).info` in a loop", names, simulator, lambda: [
                yfinance.Ticker(name, session=session).info for name in names
            ])  # fmt: skip
            yield _timed(
                "yfinance, `download`", names, simulator,
                lambda: yfinance.download(
                    names, period="1mo", session=session, progress=False, auto_adjust=False
                ),
                lacks="beta, name, currency",
            )  # fmt: skip
        with _ours(simulator.yahoo_url, folder) as tickers:
            yield _timed("quotewell, cold", names, simulator, lambda: _known(tickers, names))
            yield _timed("quotewell, warm", names, simulator, lambda: _known(tickers, names))


def _timed(
    way: str, names: Sequence[str], simulator: MarketSimulator, work: Callable[[], object], lacks: str = ""
) -> Comparison:
    simulator.clear_log()
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    return Comparison(way, len(names), len(simulator.data_requests), seconds, lacks)


@contextmanager
def _ours(base_url: str, folder: Path) -> Iterator[TickerService]:
    with open_service(
        providers=("yahoo",),
        yahoo_base_url=base_url,
        yahoo_rate=10_000.0,
        yahoo_burst=1_000,
        cache_dir=folder,
    ) as tickers:
        yield tickers


def _known(tickers: TickerService, names: Sequence[str]) -> None:
    """Price, beta and name of each, or an error."""
    tickers.prefetch(names)
    for name in names:
        data = tickers.get_ticker_data(name)
        if data.quote is None or data.risk is None or data.profile is None or data.profile.name is None:
            raise RuntimeError(f"{name}: {data.failures}")


class _Session(curl.Session[Any]):
    """yfinance's requests, sent to the simulator; the cookie is asked for once, as our own session does."""

    def __init__(self, base_url: str) -> None:
        super().__init__(impersonate="chrome", curl_options={CurlOpt.NOPROXY: "*"})
        self._base = urlsplit(base_url)
        self._cookie_answer: Any = None

    def request(self, method: Any, url: str, *arguments: Any, **options: Any) -> Any:
        parts = urlsplit(url)
        if parts.hostname == _COOKIE_HOST and self._cookie_answer is not None:
            return self._cookie_answer
        moved = urlunsplit((self._base.scheme, self._base.netloc, parts.path or "/", parts.query, ""))
        answer = super().request(method, moved, *arguments, **options)
        if parts.hostname == _COOKIE_HOST:
            self._cookie_answer = answer
        return answer


@contextmanager
def _yfinance(base_url: str) -> Iterator[tuple[Any, _Session]]:
    """yfinance, quiet, and a session of its own for it."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        import yfinance  # noqa: PLC0415  warns at import
        from yfinance import cache  # noqa: PLC0415
        from yfinance.data import YfData  # noqa: PLC0415

        # Neither its cookie cache nor the session of an earlier size is to answer.
        cache._CookieCacheManager._Cookie_cache = cache._CookieCacheDummy()  # noqa: SLF001
        type(YfData)._instances.pop(YfData, None)  # type: ignore[attr-defined]  # noqa: SLF001
        session = _Session(base_url)
        yield yfinance, session
        session.close()
