"""From settings to a running service; only this file names concrete levels, coordinators and providers."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from quotewell.cache.memory import MemoryCache
from quotewell.cache.readthrough import ReadThrough
from quotewell.cache.stats import Counters
from quotewell.cache.store import Store, TablePolicy
from quotewell.clock import SystemClock
from quotewell.errors import CacheDegradedWarning, CacheError, UsageError
from quotewell.freshness import Lifetime, SessionTable, lifetimes, session_table
from quotewell.protocols import Clock, Coordinator, Level, Provider
from quotewell.providers.chain import Chain
from quotewell.records import Record, Risk
from quotewell.service import TickerService
from quotewell.sessions import ExchangeSessions
from quotewell.settings import Settings, load_settings

__all__ = ["connect", "open"]

_QUICK = 0.1
"""Seconds to wait for a lock on the way of a look-up."""


def open(**arguments: Any) -> TickerService:
    """Open the ticker service.

    Args:
        **arguments: Fields of `settings.Settings`; they win over environment and config file.

    Returns:
        A context manager; close it, or use `with`.

    Raises:
        UsageError: A setting is unknown or has a wrong value.
    """
    return connect(load_settings(arguments))


def connect(
    settings: Settings,
    *,
    clock: Clock | None = None,
    providers: Sequence[Provider] | None = None,
    stores: tuple[Level, Coordinator] | None = None,
) -> TickerService:
    """A service with exactly these settings.

    Args:
        settings: What to build.
        clock: Another clock than the system's.
        providers: Instead of those that the settings name.
        stores: Persistent level and coordinator instead of those that the settings name.
    """
    own = clock is not None or providers is not None or stores is not None
    clock = SystemClock() if clock is None else clock
    level, coordinator = _stores(settings, clock) if stores is None else stores
    table = lifetimes(settings.lifetimes)
    policies: dict[str, TablePolicy] = {facet: TablePolicy(lifetime) for facet, lifetime in table.items()}
    policies["risk"] = _RiskPolicy(table["risk"], settings)
    counters = Counters()
    store = Store(MemoryCache(settings.memory_records, settings.memory_bytes), level, policies, clock)
    engine = ReadThrough(store, coordinator, clock, counters, lease_seconds=settings.lease_seconds)
    # The engine itself keeps the sessions that some of its tables are judged by.
    sessions = ExchangeSessions(engine).table_of if settings.calendars == "exchange" else session_table
    store.policies |= {facet: _MarketPolicy(table[facet], sessions) for facet in ("quote", "history")}
    if providers is None:
        chain = Chain(_provider_makers(settings, coordinator, clock), clock)
    else:
        chain = Chain.of(providers, clock)
    return TickerService(
        engine=engine,
        chain=chain,
        coordinator=coordinator,
        clock=clock,
        counters=counters,
        settings=settings,
        reopen=None if own else _reopen,
    )


def _reopen(settings: Settings) -> TickerService:
    """What a pickled service is unpickled with; secrets come from the environment it arrives in.

    Without a key there, FMP is left out, as when opening.
    """
    return connect(settings.with_secrets())


class _MarketPolicy(TablePolicy):
    """Lives by the sessions of the symbol's exchange."""

    alike = staticmethod(str.isalpha)
    """Symbols of letters alone all trade in New York."""

    def __init__(self, lifetime: Lifetime, sessions: Callable[[str], SessionTable | None]) -> None:
        super().__init__(lifetime)
        self._sessions = sessions

    def sessions(self, key: str) -> SessionTable | None:
        return self._sessions(key)


class _RiskPolicy(TablePolicy):
    """A beta answers only if it was made as today's settings ask."""

    def __init__(self, lifetime: Lifetime, settings: Settings) -> None:
        super().__init__(lifetime)
        self._benchmark = settings.benchmark
        self._stated = settings.beta == "provider"

    def accepts(self, record: Record) -> bool:
        if not isinstance(record, Risk) or record.fetched_at is None:
            return True
        # Only where it stands in for too few returns does a stated beta tell how many there were.
        preferred = record.method == "stated" and record.n is None
        made = record.method != "ols_daily" if self._stated else not preferred
        return record.benchmark == self._benchmark and made


def _stores(settings: Settings, clock: Clock) -> tuple[Level, Coordinator]:
    url = settings.cache_url
    if url == "memory://":
        return _in_memory(clock)
    if url is not None:
        # The rest may hold a password, and so may a text without a scheme.
        scheme = url.partition("://")[0] if "://" in url else ""
        raise UsageError(f"cache_url: no cache of the kind {scheme!r}", hint="memory:// or leave it unset")
    return _on_disk(settings.cache_folder, clock)


def _in_memory(clock: Clock) -> tuple[Level, Coordinator]:
    from quotewell.cache.memory_level import MemoryLevel  # noqa: PLC0415  not needed by files
    from quotewell.coordination.local import LocalCoordinator  # noqa: PLC0415  likewise

    return MemoryLevel(clock), LocalCoordinator(clock)


def _on_disk(folder: Path, clock: Clock) -> tuple[Level, Coordinator]:
    from quotewell.cache.sqlite import SqliteLevel  # noqa: PLC0415  not needed by `memory://`
    from quotewell.coordination.sqlite import SqliteCoordinator  # noqa: PLC0415  likewise
    from quotewell.coordination.standby import StandbyCoordinator  # noqa: PLC0415  likewise

    def reopened() -> Level:
        # A look-up that finds the file still locked must not wait long for it.
        SqliteLevel(folder / "cache.db", clock, timeout=_QUICK).close()
        return SqliteLevel(folder / "cache.db", clock)

    told = False
    try:
        level: Level = SqliteLevel(folder / "cache.db", clock)
    except CacheError as error:
        from quotewell.cache.late_level import LateLevel  # noqa: PLC0415  only then

        told = True
        text = f"{error}; this process keeps its values in memory alone until it can be used"
        warnings.warn(text, CacheDegradedWarning, stacklevel=5)
        level = LateLevel(reopened, clock)
    coordinator = StandbyCoordinator(lambda: SqliteCoordinator(folder / "state.db", clock), clock)
    if coordinator.first_error is not None:
        if not told:
            text = f"{coordinator.first_error}; rate limits and leases are this process's alone until it can"
            warnings.warn(f"{text} be used", CacheDegradedWarning, stacklevel=5)
        coordinator.told = True
    return level, coordinator


def _provider_makers(
    settings: Settings, coordinator: Coordinator, clock: Clock
) -> dict[str, Callable[[], Provider]]:
    makers: dict[str, Callable[[], Provider]] = {}
    for name in settings.providers:
        maker = _MAKERS.get(name)
        if maker is None:
            raise UsageError(f"providers: no provider {name!r}", hint=f"one of {', '.join(_MAKERS)}")
        if name == "files" and settings.files_dir is None:
            raise UsageError("the provider 'files' needs a folder", hint="set QUOTEWELL_FILES_DIR")
        if name != "fmp" or settings.fmp_api_key is not None:
            makers[name] = functools.partial(maker, settings, coordinator, clock)
    return makers


# Each provider is imported when it is first asked: yahoo alone would double the cost of a look-up.


def _yahoo(settings: Settings, coordinator: Coordinator, clock: Clock) -> Provider:
    from quotewell.providers.yahoo import YahooProvider  # noqa: PLC0415

    return YahooProvider(settings, coordinator, clock)


def _fmp(settings: Settings, coordinator: Coordinator, clock: Clock) -> Provider:
    from quotewell.providers.fmp import FmpProvider  # noqa: PLC0415

    return FmpProvider(settings, coordinator, clock)


def _files(settings: Settings, coordinator: Coordinator, clock: Clock) -> Provider:
    from quotewell.providers.files import FilesProvider  # noqa: PLC0415

    del coordinator
    return FilesProvider((settings.files_dir or Path()).expanduser(), clock)


def _snapshot(settings: Settings, coordinator: Coordinator, clock: Clock) -> Provider:
    from quotewell.providers.snapshot import SnapshotProvider  # noqa: PLC0415

    del settings, coordinator
    return SnapshotProvider(clock)


_MAKERS: Mapping[str, Callable[[Settings, Coordinator, Clock], Provider]] = {
    "yahoo": _yahoo,
    "fmp": _fmp,
    "files": _files,
    "snapshot": _snapshot,
}
