"""The `fmp` provider: Financial Modeling Prep, with a key.

`profile` gives everything about one symbol in one request. `batch-quote` gives prices of 20 symbols, on plans
that have it (`fmp_batch_quotes`). Commas in `symbol=` silently bring an empty list, so `profile` is asked for
one symbol only. Securities are asked for; options, currencies, cryptocurrencies, futures and indices are not:
their symbols are written differently there, and an empty answer would be taken for an unknown symbol.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from quotewell.endpoints import Call, Endpoint, Fetched, Lane, Limit
from quotewell.errors import ProviderError, UsageError
from quotewell.protocols import Clock, Coordinator
from quotewell.providers.fmp_parse import SOURCE, parse_batch_quote, parse_profile
from quotewell.providers.halving import ask_in_halves
from quotewell.providers.transport import ConnectionBrokenError, StatusError, Timeouts, Transport
from quotewell.records import FailureKind, Quote
from quotewell.settings import Settings
from quotewell.symbols import kind

if TYPE_CHECKING:
    import httpx

__all__ = ["FmpProvider"]

_CONCURRENCY = 4
_BATCH = 20
_OK = 200
_NOT_IN_PLAN = 402
_PROFILE = Endpoint(SOURCE, "profile", frozenset(("quote", "profile", "dividend")), 1)
_BATCH_QUOTE = Endpoint(SOURCE, "batch_quote", frozenset(("quote",)), _BATCH)

ParsedT = TypeVar("ParsedT")


class _Answer(NamedTuple):
    status_code: int
    headers: Mapping[str, str]
    body: bytes


class _Turn(NamedTuple):
    """How a request takes its turn; arguments of `Transport.send`."""

    lane: Lane
    deadline: float
    leave: int


class FmpProvider:
    """Asks Financial Modeling Prep; thread-safe.

    Args:
        settings: Key, base URL, rate limit and timeouts.
        coordinator: Keeps the rate budget for all processes.
        clock: The time.
        client: Sends the requests; by default one is made at the first request. A given one is not closed.

    Raises:
        UsageError: When there is no key, or one that cannot be sent in a header.
    """

    name = SOURCE

    def __init__(
        self, settings: Settings, coordinator: Coordinator, clock: Clock, client: httpx.Client | None = None
    ) -> None:
        key = (settings.fmp_api_key or "").strip()
        if not key.isascii() or not key.isprintable() or not key:
            raise UsageError(
                "fmp: the key is missing or has characters that no key has",
                hint="set QUOTEWELL_FMP_API_KEY, or leave fmp out of QUOTEWELL_PROVIDERS",
            )
        self.endpoints: tuple[Endpoint, ...] = (
            (_PROFILE, _BATCH_QUOTE) if settings.fmp_batch_quotes else (_PROFILE,)
        )
        self._headers = {"apikey": key, "accept": "application/json"}
        self._base_url = settings.fmp_base_url.rstrip("/")
        self._clock = clock
        self._given = client
        self._own: httpx.Client | None = None
        self._lock = threading.Lock()
        self.requests = 0
        self._transport = Transport(
            SOURCE,
            Limit(settings.fmp_rate, settings.fmp_burst, settings.fmp_per_day or None),
            concurrency=_CONCURRENCY,
            connect_timeout=settings.connect_timeout,
            request_timeout=settings.request_timeout,
            coordinator=coordinator,
            clock=clock,
            counted=self._count,
        )

    handshake = 0
    """The key goes with each request."""

    @property
    def limit(self) -> Limit:
        """The configured rate limit and daily quota."""
        return self._transport.limit

    @property
    def waited(self) -> float:
        """Seconds that requests have waited for the rate limit."""
        return self._transport.waited

    def fetch(self, call: Call, *, lane: Lane, deadline: float) -> Fetched:
        """Make one call.

        A symbol that is not in the plan (status 402) fails as `denied`, for itself alone.

        Args:
            call: What to ask.
            lane: Who is asking, for the rate budget.
            deadline: Monotonic seconds by which the answer is needed.

        Raises:
            ProviderError: When the whole call failed.
        """
        fetched = Fetched()
        asked = tuple(symbol for symbol in call.symbols if kind(symbol) == "security")
        turn = _Turn(lane, deadline, call.leave)
        if call.endpoint.name == _BATCH_QUOTE.name:
            errors = self._batch_quote(asked, fetched, turn) if asked else {}
        else:
            errors = self._profiles(asked, fetched, turn)
        for need in call.needs - fetched.found.keys():
            symbol, facet = need
            error = errors.get(symbol)
            if error is not None:
                fetched.failed[need] = error
            elif symbol in errors:
                fetched.unknown.add(need)
            elif symbol not in asked:
                fetched.failed[need] = _error("unsupported", f"{symbol}: is asked for securities only")
            elif (symbol, "profile") in fetched.found:
                fetched.failed[need] = _error("invalid", f"{symbol}: the profile has no usable {facet}")
            else:
                fetched.omitted.add(need)
        return fetched

    def close(self) -> None:
        """Release connections; may be called twice."""
        with self._lock:
            own, self._own = self._own, None
        if own is not None:
            own.close()

    def _count(self, requests: int) -> None:
        self.requests = requests

    def _profiles(
        self, symbols: Sequence[str], fetched: Fetched, turn: _Turn
    ) -> dict[str, ProviderError | None]:
        """Ask symbol by symbol; what went wrong with each, None for an unknown one."""
        errors: dict[str, ProviderError | None] = {}
        for symbol in symbols:
            parse = partial(parse_profile, symbol=symbol)
            try:
                found = self._ask("profile", {"symbol": symbol}, parse, turn)
            except StatusError as error:
                if error.status != _NOT_IN_PLAN:
                    raise
                errors[symbol] = _denied(symbol)
                continue
            if found is None:
                errors[symbol] = None
            else:
                fetched.found |= found
        return errors

    def _batch_quote(
        self, symbols: Sequence[str], fetched: Fetched, turn: _Turn
    ) -> dict[str, ProviderError | None]:
        """Ask for many at once; what went wrong with those that were refused."""

        def ask(piece: tuple[str, ...]) -> dict[str, Quote]:
            return self._ask("batch-quote", {"symbols": ",".join(piece)}, parse_batch_quote, turn)

        try:
            halved = ask_in_halves(symbols, ask)
        except StatusError as error:
            if error.status != _NOT_IN_PLAN:
                raise
            return {symbol: _denied(symbol) for symbol in symbols}
        for piece, quotes in halved.answers:
            fetched.found |= {(symbol, "quote"): quotes[symbol] for symbol in piece if symbol in quotes}
        return {
            symbol: _denied(symbol)
            if isinstance(error, StatusError) and error.status == _NOT_IN_PLAN
            else error
            for symbol, error in halved.failed.items()
        }

    def _ask(
        self,
        path: str,
        parameters: Mapping[str, str],
        parse: Callable[..., ParsedT],
        turn: _Turn,
    ) -> ParsedT:
        """What a good answer says; a broken connection is tried once more."""

        def attempt(timeouts: Timeouts) -> _Answer:
            return self._send(f"{self._base_url}/{path}", parameters, timeouts)

        try:
            answer = self._transport.send(attempt, **turn._asdict())
        except ConnectionBrokenError:
            answer = self._transport.send(attempt, **turn._asdict())
        status = answer.status_code
        # One symbol outside the plan refuses a whole batch, as a server's error does: halving finds it.
        self._transport.raise_for_status(status, "", failure="server" if status == _NOT_IN_PLAN else None)
        if status != _OK:
            raise _error("invalid", f"HTTP {status} in place of data; check QUOTEWELL_FMP_BASE_URL")
        try:
            return parse(answer.body, now=self._clock.now())
        except ProviderError as error:
            if error.failure == "rate_limited":
                raise self._transport.rate_limited(answer.headers, error.reason) from error
            raise

    def _send(self, url: str, parameters: Mapping[str, str], timeouts: Timeouts) -> _Answer:
        import httpx  # noqa: PLC0415  a quarter of a second that only a request needs

        ends = self._clock.monotonic() + timeouts.total
        timeout = httpx.Timeout(timeouts.total, connect=timeouts.connect)
        client = self._client()
        try:
            with client.stream(
                "GET", url, params=dict(parameters), headers=self._headers, timeout=timeout
            ) as response:
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    # httpx limits each read, not their sum.
                    if self._clock.monotonic() > ends:
                        raise self._transport.timed_out()
                return _Answer(response.status_code, response.headers, bytes(body))
        except httpx.TimeoutException as error:
            raise self._transport.timed_out() from error
        except (httpx.ConnectError, httpx.ProxyError, httpx.UnsupportedProtocol) as error:
            raise self._transport.unreachable(str(error)) from error
        except httpx.RequestError as error:
            raise self._transport.broken(str(error)) from error
        except httpx.InvalidURL as error:
            raise _error("invalid", "check QUOTEWELL_FMP_BASE_URL: it is no URL") from error

    def _client(self) -> httpx.Client:
        import httpx  # noqa: PLC0415  see _send

        if self._given is not None:
            return self._given
        with self._lock:
            if self._own is None:
                self._own = httpx.Client()
            return self._own


def _denied(symbol: str) -> ProviderError:
    return _error("denied", f"{symbol}: not in the plan of this key (HTTP 402)")


def _error(failure: FailureKind, reason: str) -> ProviderError:
    return ProviderError(SOURCE, failure, reason)
