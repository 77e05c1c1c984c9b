"""The connection to Yahoo: yfinance's handshake over a session that obeys our budget, deadlines and counts.

The only module that touches yfinance's internals: `YfData` with `get_raw_json`, `_get_cookie_and_crumb` and
`_crumb`, and the cookie cache. All control sits in `Session.request`, below yfinance, because yfinance itself
answers one 429 with up to nine requests, forgets `Retry-After`, and sleeps and retries as it likes.
"""

from __future__ import annotations

import json
import threading
import warnings
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from curl_cffi import CurlECode, CurlOpt
from curl_cffi import requests as curl

from quotewell.endpoints import Lane
from quotewell.errors import ProviderError
from quotewell.providers.transport import (
    ConnectionBrokenError,
    Slots,
    Timeouts,
    Transport,
    failure_of_status,
)
from quotewell.providers.yahoo_parse import (
    NAME,
    WireError,
    error_of,
    is_crumb,
    says_too_many,
    says_unauthorized,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # at import yfinance warns, and changes the process's warning filters
    from yfinance import cache as yfinance_cache
    from yfinance.data import YfData
    from yfinance.exceptions import YFException

__all__ = ["YahooSession"]

_COOKIE_HOST = "fc.yahoo.com"
_CRUMB_PATH = "/v1/test/getcrumb"
_DATA_HOSTS = frozenset(("query1.finance.yahoo.com", "query2.finance.yahoo.com"))
_LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))
_ENOUGH = 1000
_BROKEN = frozenset(
    (
        CurlECode.GOT_NOTHING,
        CurlECode.RECV_ERROR,
        CurlECode.SEND_ERROR,
        CurlECode.PARTIAL_FILE,
        CurlECode.HTTP2,
        CurlECode.HTTP2_STREAM,
    )
)


class StaleCrumbError(ProviderError):
    """Yahoo does not accept the crumb (any more); a new one may do."""


class _Turn(NamedTuple):
    lane: Lane
    deadline: float


class _Response(curl.Response):
    def json(self, **options: Any) -> Any:
        """Decode with the standard library, which, unlike orjson, reads the NaN that Yahoo may send."""
        return json.loads(self.content, **options)


class YahooSession:
    """JSON from Yahoo; thread-safe, for one process (not across `fork`).

    It has its own `YfData`, not the singleton that the process's other users of yfinance share: their
    `download()` would replace its session, and our session would rule their requests.

    Args:
        transport: Turns, counts and pauses.
        base_url: Scheme and host (and a path before Yahoo's) in place of Yahoo's hosts; None for Yahoo.
        handshakes: One slot: the handshake is made by one thread, for all.
    """

    def __init__(self, transport: Transport, base_url: str | None, handshakes: Slots) -> None:
        # The cookie cache is a pickle in a file; there is no pickle here.
        yfinance_cache._CookieCacheManager._Cookie_cache = yfinance_cache._CookieCacheDummy()  # noqa: SLF001  no public way
        self._transport = transport
        self._handshakes = handshakes
        self._session = _Session(transport, base_url)
        self._data = type.__call__(YfData, session=self._session)
        self._lock = threading.Lock()

    def get_json(self, url: str, params: dict[str, str], *, lane: Lane, deadline: float) -> object:
        """GET one of Yahoo's data URLs.

        Retries what a retry can mend, each once: a broken connection, and a crumb that has expired.

        Args:
            url: As at Yahoo's, without a query.
            params: The query, without the crumb.
            lane: Who is asking, for the rate budget.
            deadline: Monotonic seconds by which the answer is needed.

        Raises:
            ProviderError: `unknown` for a 404 that says so; else as `Transport.send`, `network`, `invalid`.
        """
        self._session.turns.turn = _Turn(lane, deadline)
        mended: set[type[ProviderError]] = set()
        while True:
            crumb: str | None = None
            try:
                crumb = self._ready(deadline)
                return self._raw_json(url, params)
            except (ConnectionBrokenError, StaleCrumbError) as error:
                if type(error) in mended:
                    raise
                mended.add(type(error))
                if isinstance(error, StaleCrumbError):
                    self._renew(crumb)

    def close(self) -> None:
        """Release this thread's connection; other threads' go with them."""
        self._session.close()

    def _ready(self, deadline: float) -> str | None:
        """Make the handshake unless that is done; return the crumb."""
        if self._data._crumb is None:  # noqa: SLF001  no public way
            if not self._handshakes.take(deadline):
                raise self._transport.late()
            try:
                self._data._get_cookie_and_crumb()  # noqa: SLF001  waits for a lock without a deadline, so under a slot
            except YFException as error:
                raise self._transport.failed("server", f"no handshake: {error}") from error
            finally:
                self._handshakes.give_back()
        crumb: str | None = self._data._crumb  # noqa: SLF001  no public way
        return crumb

    def _renew(self, refused: str | None) -> None:
        """Forget cookie and crumb, unless another thread has already renewed them."""
        with self._lock:
            if self._data._crumb == refused:  # noqa: SLF001  no public way
                self._session.forget_cookie()
                self._data._cookie = self._data._crumb = None  # noqa: SLF001  no public way

    def _raw_json(self, url: str, params: dict[str, str]) -> object:
        try:
            payload: object = self._data.get_raw_json(url, params=params)
        except (YFException, ValueError) as error:  # ValueError: no JSON, or no UTF-8
            raise self._transport.failed("server", f"the answer cannot be read: {error}") from error
        if says_unauthorized(payload):
            raise StaleCrumbError(NAME, "denied", "crumb or cookie refused")
        return payload


class _Session(curl.Session[_Response]):
    """What yfinance sends its requests with."""

    def __init__(self, transport: Transport, base_url: str | None) -> None:
        base = urlsplit(base_url or "")
        options: dict[CurlOpt, str] = {CurlOpt.NOPROXY: "*"} if base.hostname in _LOOPBACK else {}
        super().__init__(impersonate="chrome", response_class=_Response, curl_options=options)
        self.turns = threading.local()
        self._transport = transport
        self._base = base
        self._cookie_answer: _Response | None = None

    def forget_cookie(self) -> None:
        """Ask for a new cookie the next time."""
        self._cookie_answer = None
        self.cookies.clear()

    def request(self, method: Any, url: str, *arguments: Any, **options: Any) -> _Response:
        """Send a request of yfinance's, when and where we say.

        Raises:
            ProviderError: For everything but an answer that yfinance can use: it never sees an error.
        """
        host, path = urlsplit(url).hostname or "", urlsplit(url).path
        remembered = self._cookie_answer if host == _COOKIE_HOST else None
        if remembered is not None:
            return remembered  # else yfinance would ask again before every call
        handshake = host not in _DATA_HOSTS or path == _CRUMB_PATH
        turn: _Turn = self.turns.turn

        def attempt(timeouts: Timeouts) -> _Response:
            options["timeout"] = (timeouts.connect, timeouts.total - timeouts.connect)
            return self._perform(method, url, arguments, options)

        answer = self._transport.send(attempt, lane=turn.lane, deadline=turn.deadline, handshake=handshake)
        if host == _COOKIE_HOST:
            # Its status is 404 even when all is well; what counts is the cookie.
            if answer.status_code >= 500 and not self.cookies:
                raise self._no_handshake("cookie", answer)
            self._cookie_answer = answer
        elif path == _CRUMB_PATH:
            self._check_crumb(answer)
        else:
            self._check(answer)
        return answer

    def _perform(self, method: Any, url: str, arguments: Any, options: dict[str, Any]) -> _Response:
        try:
            return super().request(method, self._rewritten(url), *arguments, **options)
        except curl.exceptions.Timeout:
            raise self._transport.timed_out() from None
        except curl.exceptions.DNSError as error:
            if urlsplit(url).hostname == _COOKIE_HOST:
                raise  # on many a blocklist; yfinance then gets the cookie elsewhere
            raise self._transport.unreachable(str(error)) from None
        except curl.exceptions.RequestException as error:
            if error.code in _BROKEN:
                raise self._transport.broken(str(error)) from None
            raise self._transport.unreachable(str(error)) from None

    def _rewritten(self, url: str) -> str:
        if not self._base.netloc:
            return url
        parts = urlsplit(url)
        path = self._base.path.rstrip("/") + (parts.path or "/")
        return urlunsplit((self._base.scheme, self._base.netloc, path, parts.query, ""))

    def _check_crumb(self, answer: _Response) -> None:
        body = answer.text
        if says_too_many(body):
            raise self._transport.rate_limited(answer.headers, "Too Many Requests in place of a crumb")
        if answer.status_code >= 400:
            raise self._no_handshake("crumb", answer)
        if not is_crumb(body):
            raise self._transport.failed("server", "no crumb: Yahoo answered with something else")

    def _no_handshake(self, missing: str, answer: _Response) -> ProviderError:
        """No `StatusError`: the symbols of the batch are not to blame, so halving it would be useless."""
        status = answer.status_code
        return self._transport.failed(failure_of_status(status), f"no {missing}: HTTP {status}")

    def _check(self, answer: _Response) -> None:
        if answer.status_code == 401:
            raise StaleCrumbError(NAME, "denied", "crumb or cookie refused (HTTP 401)")
        if says_too_many(answer.content[:_ENOUGH].decode("utf-8", "replace")):
            raise self._transport.rate_limited(answer.headers, "Too Many Requests in place of data")
        if answer.status_code >= 400:
            error = _said(answer)
            unknown = answer.status_code == 404 and error is not None and error.not_found
            self._transport.raise_for_status(
                answer.status_code,
                "" if error is None else error.description,
                failure="unknown" if unknown else None,
            )


def _said(answer: _Response) -> WireError | None:
    """The error in a body; None when it is none or no JSON."""
    try:
        return error_of(answer.json())
    except ValueError:
        return None
