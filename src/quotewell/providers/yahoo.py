"""The `yahoo` provider: quotes and histories of many symbols a request, without a key.

Importing this module is cheap; yfinance and curl_cffi are imported when the first request is made.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from quotewell.endpoints import Call, Endpoint, Fetched, Lane, Limit
from quotewell.errors import ProviderError, UsageError
from quotewell.protocols import Clock, Coordinator
from quotewell.providers.halving import ask_in_halves
from quotewell.providers.transport import Slots, Transport
from quotewell.providers.yahoo_parse import NAME, quote_records, quote_rows, summary_records
from quotewell.records import Dividend, Facet, Need, Record
from quotewell.settings import Settings

if TYPE_CHECKING:
    from quotewell.providers.yahoo_series import Series
    from quotewell.providers.yahoo_session import YahooSession

__all__ = ["YahooProvider"]

_HOST = "https://query1.finance.yahoo.com"
_FIELDS = (
    "symbol,shortName,longName,quoteType,currency,exchange,exchangeTimezoneName,exchangeDataDelayedBy,marketState,"
    "regularMarketPrice,regularMarketPreviousClose,regularMarketTime,bid,ask,dividendYield,"
    "trailingAnnualDividendYield,beta"
)
_MODULES = "summaryDetail,defaultKeyStatistics,quoteType"
_FIVE_YEARS = 5 * 366 * 86400
_ONLY_LAST_AMONG = 3
_HANDSHAKE = 2
_DAY = 86400
_EPOCH_DAY = 719163
"""1970-01-01 as an ordinal."""

_Records = Mapping[Facet, Record]


class YahooProvider:
    """Yahoo Finance.

    Endpoints: `quote` (50 symbols: price, name, dividend yield, exchange rates, Treasury yields), `spark`
    (20 symbols: daily closes), `chart` (one symbol: daily closes with splits and dividends) and
    `quote_summary` (one symbol: stated beta, dividend yield).

    Args:
        settings: Base URL, rate, burst, concurrency, timeouts.
        coordinator: The rate budget and pauses, shared by all processes.
        clock: The time.

    Raises:
        UsageError: If the base URL has no scheme: it would be taken for no base URL at all.
    """

    name = NAME
    endpoints = (
        Endpoint(NAME, "quote", frozenset(("quote", "profile", "dividend", "fx", "rate")), 50),
        Endpoint(NAME, "spark", frozenset(("history",)), 20),
        Endpoint(NAME, "chart", frozenset(("history", "payouts")), 1),
        Endpoint(NAME, "quote_summary", frozenset(("profile", "dividend")), 1),
    )

    def __init__(self, settings: Settings, coordinator: Coordinator, clock: Clock) -> None:
        base_url = settings.yahoo_base_url
        if base_url and not base_url.startswith(("http://", "https://")):
            raise UsageError(f"yahoo_base_url: {base_url!r} is no URL", hint="like http://127.0.0.1:8000")
        self.requests = 0
        self._clock = clock
        self._base_url = base_url
        self._transport = Transport(
            NAME,
            Limit(settings.yahoo_rate, settings.yahoo_burst),
            concurrency=settings.yahoo_concurrency,
            connect_timeout=settings.connect_timeout,
            request_timeout=settings.request_timeout,
            coordinator=coordinator,
            clock=clock,
            counted=self._count,
        )
        self._lock = threading.Lock()
        self._session: YahooSession | None = None
        self._session_process = 0
        self._fetchers: dict[str, Callable[[Call, Lane, float], Fetched]] = {
            "quote": self._fetch_quotes,
            "spark": self._fetch_spark,
            "chart": self._fetch_chart,
            "quote_summary": self._fetch_summary,
        }

    @property
    def handshakes(self) -> int:
        """Requests for cookie and crumb so far."""
        return self._transport.handshakes

    @property
    def handshake(self) -> int:
        """Two before the first data request, for cookie and crumb."""
        is_open = self._session is not None and self._session_process == os.getpid()
        return 0 if is_open else _HANDSHAKE

    @property
    def limit(self) -> Limit:
        """The configured rate limit."""
        return self._transport.limit

    @property
    def waited(self) -> float:
        """Seconds that requests have waited for the rate limit."""
        return self._transport.waited

    def fetch(self, call: Call, *, lane: Lane, deadline: float) -> Fetched:
        """Make one call; a batch that Yahoo refuses is halved to isolate the bad symbol.

        Args:
            call: What to ask.
            lane: Who is asking, for the rate budget.
            deadline: Monotonic seconds by which the answer is needed.

        Raises:
            ProviderError: When the whole call failed.
        """
        fetcher = self._fetchers.get(call.endpoint.name)
        if fetcher is None:
            raise ProviderError(NAME, "unsupported", f"no endpoint {call.endpoint.name!r}")
        try:
            return fetcher(call, lane, deadline)
        except ProviderError as error:
            if error.failure != "unknown":
                raise
            return Fetched(unknown=set(call.needs))

    def close(self) -> None:
        """Release connections; the next call opens new ones."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def _fetch_quotes(self, call: Call, lane: Lane, deadline: float) -> Fetched:
        halved = ask_in_halves(call.symbols, lambda symbols: self._quote_rows(symbols, lane, deadline))
        found: dict[str, _Records] = {}
        for _, rows in halved.answers:
            for symbol, (row, arrived) in rows.items():
                found[symbol] = quote_records(symbol, row, arrived)
        return _settled(call, found, halved.failed)

    def _quote_rows(
        self, symbols: tuple[str, ...], lane: Lane, deadline: float
    ) -> dict[str, tuple[Mapping[str, object], float]]:
        rows = self._ask_quotes(symbols, lane, deadline)
        if len(symbols) >= _ONLY_LAST_AMONG and rows.keys() == {symbols[-1]}:
            # Seen at Yahoo's: a whole batch answered with its last symbol only. Asked again, it was complete.
            rows.update(self._ask_quotes(symbols[:-1], lane, deadline))
        return rows

    def _ask_quotes(
        self, symbols: tuple[str, ...], lane: Lane, deadline: float
    ) -> dict[str, tuple[Mapping[str, object], float]]:
        params = {"symbols": ",".join(symbols), "fields": _FIELDS, "formatted": "false"}
        payload = self._get("/v7/finance/quote", params, lane, deadline)
        arrived = self._clock.now()
        return {symbol: (row, arrived) for symbol, row in quote_rows(payload, symbols).items()}

    def _fetch_spark(self, call: Call, lane: Lane, deadline: float) -> Fetched:
        from quotewell.providers.yahoo_series import spark_range, spark_series  # noqa: PLC0415  with the request

        reach = spark_range(call.since, self._clock.now())

        def ask(symbols: tuple[str, ...]) -> dict[str, Series | None]:
            params = {"symbols": ",".join(symbols), "range": reach, "interval": "1d"}
            payload = self._get("/v7/finance/spark", params, lane, deadline)
            return spark_series(payload, symbols, self._clock.now())

        halved = ask_in_halves(call.symbols, ask)
        series = {symbol: found for _, answer in halved.answers for symbol, found in answer.items()}
        return _settled_series(call, series, halved.failed)

    def _fetch_chart(self, call: Call, lane: Lane, deadline: float) -> Fetched:
        from quotewell.providers.yahoo_series import chart_payouts, chart_series  # noqa: PLC0415  with the request

        symbol = call.symbols[0]
        now = int(self._clock.now())
        first = now - _FIVE_YEARS if call.since is None else (call.since - _EPOCH_DAY) * _DAY
        params = {
            "period1": str(first),
            "period2": str(now),
            "interval": "1d",
            "events": "div,splits",
        }
        payload = self._get(f"/v8/finance/chart/{_in_path(symbol)}", params, lane, deadline)
        series = chart_series(payload, symbol, self._clock.now())
        fetched = _settled_series(call, {symbol: series}, {})
        if series is not None and call.since is None:  # the end of a chart does not tell all dividends
            fetched.found[symbol, "payouts"] = chart_payouts(series)
            fetched.failed.pop((symbol, "payouts"), None)
        return fetched

    def _fetch_summary(self, call: Call, lane: Lane, deadline: float) -> Fetched:
        symbol = call.symbols[0]
        path = f"/v10/finance/quoteSummary/{_in_path(symbol)}"
        payload = self._get(path, {"modules": _MODULES, "formatted": "false"}, lane, deadline)
        return _settled(call, {symbol: summary_records(symbol, payload, self._clock.now())}, {})

    def _get(self, path: str, params: dict[str, str], lane: Lane, deadline: float) -> object:
        session = self._open()
        return session.get_json(_HOST + path, params, lane=lane, deadline=deadline)

    def _open(self) -> YahooSession:
        """This process's session: a forked child must not use its parent's connections."""
        from quotewell.providers.yahoo_session import YahooSession  # noqa: PLC0415  imports yfinance: a second

        with self._lock:
            if self._session is None or self._session_process != os.getpid():
                self._session = YahooSession(self._transport, self._base_url, Slots(1, self._clock))
                self._session_process = os.getpid()
            return self._session

    def _count(self, requests: int) -> None:
        self.requests = requests


def _in_path(symbol: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415  with the request

    return quote(symbol, safe="=")


def _settled(call: Call, found: Mapping[str, _Records], failed: Mapping[str, ProviderError]) -> Fetched:
    """Sort the asked needs by outcome; what came along unasked is kept.

    Args:
        call: The call.
        found: The records of each symbol that was answered.
        failed: Why symbols of a refused batch were not.
    """
    fetched = Fetched()
    for symbol, records in found.items():
        for facet, record in records.items():
            fetched.found[symbol, facet] = record
    for need in call.needs - fetched.found.keys():
        symbol = need[0]
        error = failed.get(symbol)
        if error is not None and error.failure == "unknown":
            fetched.unknown.add(need)
        elif error is not None:
            fetched.failed[need] = error
        elif symbol not in found:
            fetched.omitted.add(need)
        elif need[1] == "dividend":
            # The answer is silent on dividends: the yield is not known, which is worth knowing for a day.
            beside = found[symbol]["profile"]
            fetched.found[need] = Dividend(
                symbol=symbol, source=NAME, as_of=beside.as_of, fetched_at=beside.fetched_at
            )
        else:
            fetched.failed[need] = _without(need, found[symbol])
    return fetched


def _without(need: Need, records: _Records) -> ProviderError:
    """Why a symbol that was answered has no record of the asked facet."""
    symbol, facet = need
    if facet in ("history", "payouts"):
        return ProviderError(NAME, "insufficient", f"{symbol}: the answer has no daily close")
    if "quote" not in records and facet in ("quote", "fx", "rate"):
        return ProviderError(NAME, "invalid", f"{symbol}: the answer has no price")
    return ProviderError(NAME, "unsupported", f"{symbol}: no {facet} for a symbol of this kind")


def _settled_series(
    call: Call, found: Mapping[str, Series | None], failed: Mapping[str, ProviderError]
) -> Fetched:
    records: dict[str, _Records] = {}
    for symbol, series in found.items():
        records[symbol] = {} if series is None else {"history": series[0]}
    fetched = _settled(call, records, failed)
    fetched.closes = {symbol: series[1] for symbol, series in found.items() if series is not None}
    return fetched
