"""Refresh-ahead: what is often used is fetched again shortly before it grows old, so that nobody waits.

For processes that live long (`quotewell watch`, a server); one-shot commands never need it. Of all processes
that share a cache one refreshes, by a lease; it takes at most half of each provider's rate, in the lane that
goes last, and asks for nothing of a symbol while its exchange is closed, but once after the close.

```python
import quotewell
from quotewell import Refresher

with quotewell.open() as tickers, Refresher(tickers, ["AAPL", "MSFT"]) as refresher:
    print(tickers.get_price("AAPL"))  # fresh for as long as this runs
    print(refresher.status())
```
"""

from __future__ import annotations

import math
import os
import threading
import warnings
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import msgspec

from quotewell.calendars import Sessions
from quotewell.endpoints import Lane
from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.freshness import DATA_DELAY, Judgement, throttled
from quotewell.records import FACETS, Need, Record
from quotewell.service import TickerService
from quotewell.symbols import normalise

__all__ = ["RefreshStatus", "Refresher", "is_due", "often_used"]

_LEASE = "refresher"
_PERIOD = 30.0
_MOST = 500
_OFTEN = 3.0
"""Uses, of which half is forgotten in a week, that make a symbol worth keeping warm."""
_SHARE = 0.5
"""Of each provider's rate."""
_LONGEST_PERIOD = 900.0
_LISTED_FOR = 20
"""Periods after which it is looked again what facets of the symbols there are."""
_LATER_FACETS = ("history",)
"""What only the end of a session makes old: to ask before it would be in vain."""


class RefreshStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a `Refresher` has done so far, and when it goes on."""

    rounds: int = 0
    leads: bool = False
    """Whether this process is the one that refreshes."""
    symbols: int = 0
    """Those looked after in the last round."""
    refreshed: int = 0
    """Values so far."""
    failed: int = 0
    requests: int = 0
    postponed: int = 0
    """Values that the last round left to the next, to keep to its share of the rate."""
    last_at: float | None = None
    """Epoch seconds of the last round."""
    next_at: float | None = None
    error: str = ""
    """Why the last round could not be made, or brought nothing."""


def often_used(
    watched: Iterable[str], usage: Iterable[tuple[str, float]], *, most: int = _MOST, least: float = _OFTEN
) -> list[str]:
    """The symbols to keep warm: those watched, then those used most.

    Args:
        watched: Canonical symbols that somebody looks at now.
        usage: Symbols and how often they were used lately, the most used first.
        most: Symbols to return at most.
        least: Uses below which a symbol is left alone.
    """
    used = (symbol for symbol, count in usage if count >= least)
    return list(dict.fromkeys([*watched, *used]))[:most]


def is_due(
    facet: str,
    record: Record,
    judgement: Judgement,
    around: Sessions | None,
    *,
    now: float,
    ahead: float,
) -> bool:
    """Whether a value is to be fetched again now.

    Args:
        facet: Of the record.
        record: As it is stored; one without a value is not due: nobody has got any use of it.
        judgement: Its freshness now.
        around: The sessions of its exchange around now; None where none applies.
        now: Epoch seconds.
        ahead: Seconds before a value grows old in which it is refreshed.
    """
    if record.fetched_at is None or throttled(record, now):
        return False
    if now + (0.0 if facet in _LATER_FACETS else ahead) < judgement.fresh_until:
        return False
    if around is None or around.is_open:
        return True
    closing_price_is_known = around.previous.close + around.exchange.closing_auction + DATA_DELAY
    return record.fetched_at < closing_price_is_known <= now


class Refresher:
    """Keeps what is often used fresh, in a thread of its own; a context manager.

    Args:
        tickers: Whose values; must stay open for as long as this runs.
        symbols: What is watched in this process, whatever the usage counts say.
        period: Seconds between rounds; doubled, to a quarter of an hour, while rounds bring nothing.
        most: Symbols to look after at most.

    Raises:
        SymbolError: One of `symbols` cannot be a ticker.
    """

    def __init__(
        self,
        tickers: TickerService,
        symbols: Iterable[str] = (),
        *,
        period: float = _PERIOD,
        most: int = _MOST,
    ) -> None:
        self._tickers = tickers
        self._watched = [normalise(symbol) for symbol in symbols]
        self._period = period
        self._most = most
        self._clock = tickers.clock
        self._token = f"{os.getpid()}-{os.urandom(4).hex()}"
        self._status = RefreshStatus()
        self._stopping = threading.Condition()
        self._stopped = False
        self._known: list[Need] = []
        self._known_until = -math.inf
        self._symbols: list[str] = []
        self._vain = 0
        self._warned = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin the rounds, the first at once.

        Raises:
            RuntimeError: It was started before.
        """
        if self._thread is not None:
            raise RuntimeError("a refresher is started once")
        self._thread = threading.Thread(target=self._run, name="quotewell-refresher", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the rounds, and let another process refresh; may be called twice.

        A round that is under way is waited for: it takes as long as its requests.
        """
        with self._stopping:
            self._stopped = True
            self._stopping.notify_all()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()
        try:
            self._tickers.coordinator.release([_LEASE], self._token)
        except CacheError as error:
            self._warn(error)

    def status(self) -> RefreshStatus:
        """What was done so far."""
        return self._status

    def round(self) -> RefreshStatus:
        """Refresh what is due now; called by the thread, or by who has no use of one."""
        now = self._clock.now()
        before = self._status
        try:
            status = self._refreshed(before, now)
        except CacheError as error:
            self._warn(error)
            status = msgspec.structs.replace(before, leads=False, error=str(error))
        brought_nothing = bool(status.error) and status.refreshed == before.refreshed
        self._vain = self._vain + 1 if brought_nothing else 0
        wait = min(self._period * 2.0**self._vain, max(_LONGEST_PERIOD, self._period))
        self._status = msgspec.structs.replace(
            status, rounds=before.rounds + 1, last_at=now, next_at=now + wait
        )
        return self._status

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------- inside

    def _run(self) -> None:
        while not self._stopped:
            status = self.round()
            until = self._clock.monotonic() + (status.next_at or 0.0) - (status.last_at or 0.0)
            with self._stopping:
                while not self._stopped and (left := until - self._clock.monotonic()) > 0.0:
                    self._clock.wait(self._stopping, left)

    def _refreshed(self, before: RefreshStatus, now: float) -> RefreshStatus:
        tickers = self._tickers
        if tickers.settings.offline:
            return msgspec.structs.replace(before, error="offline")
        if _LEASE not in tickers.coordinator.lease([_LEASE], self._token, 3.0 * self._period):
            return msgspec.structs.replace(before, leads=False, symbols=0, postponed=0, error="")
        symbols = often_used(self._watched, tickers.coordinator.top_usage(self._most), most=self._most)
        due = self._due(symbols, now)
        chosen = self._within_share(due)
        requests = tickers.requests
        readings = tickers.read(chosen, force=True, lane=Lane.REFRESH, timeout=self._period) if chosen else {}
        failures = [reading.failure for reading in readings.values() if reading.failure is not None]
        return msgspec.structs.replace(
            before,
            leads=True,
            symbols=len(symbols),
            refreshed=before.refreshed + len(readings) - len(failures),
            failed=before.failed + len(failures),
            requests=before.requests + tickers.requests - requests,
            postponed=len(due) - len(chosen),
            error=failures[0].reason if failures and len(failures) == len(readings) else "",
        )

    def _due(self, symbols: list[str], now: float) -> list[Need]:
        """What is due, in the order of `symbols`."""
        if now >= self._known_until or symbols != self._symbols:
            known = self._tickers.stored([(symbol, facet) for symbol in symbols for facet in FACETS])
            self._known, self._symbols, self._known_until = (
                list(known),
                symbols,
                now + _LISTED_FOR * self._period,
            )
        # Nearly all are in memory, and fresh: only the others are worth a look at the persistent level.
        found = self._tickers.stored(self._tickers.growing_old(self._known, self._period))
        due = []
        for (symbol, facet), record in found.items():
            judgement, around = self._tickers.judged(facet, record, now)
            if is_due(facet, record, judgement, around, now=now, ahead=self._period):
                due.append((symbol, facet))
        return due

    def _within_share(self, due: list[Need]) -> list[Need]:
        """As many of the first of `due` as this round may ask for."""
        chosen = due
        while chosen:
            seconds = self._tickers.planned(chosen, force=True).busy
            allowed = self._period * _SHARE
            if seconds <= allowed:
                break
            chosen = chosen[: min(int(len(chosen) * allowed / seconds), len(chosen) - 1)]
        return chosen

    def _warn(self, error: CacheError) -> None:
        if not self._warned:
            self._warned = True
            text = f"{error}; nothing is refreshed in the background until it works again"
            warnings.warn(text, CacheDegradedWarning, stacklevel=3)
