"""From settings to a running service; only this file names concrete levels, coordinators and providers."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from quotewell.cache.memory import MemoryCache
from quotewell.cache.readthrough import ReadThrough
from quotewell.cache.stats import Counters
from quotewell.cache.store import Store, TablePolicy
from quotewell.clock import SystemClock
from quotewell.errors import CacheDegradedWarning, CacheError, SymbolError, UsageError
from quotewell.freshness import Lifetime, SessionTable, lifetimes, session_table
from quotewell.protocols import Clock, Coordinator, Level, Provider
from quotewell.providers.chain import Chain
from quotewell.records import Facet, Record, Risk
from quotewell.risks import is_weekly
from quotewell.service import TickerService
from quotewell.sessions import ExchangeSessions
from quotewell.settings import Settings, load_settings
from quotewell.symbols import currency_code, normalise

__all__ = ["connect", "migration", "open"]

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
    settings = _in_canonical_form(settings)

    def kept(table: str) -> float:
        policy = store.policies.get(table)
        return math.inf if policy is None else policy.lifetime.on_error

    level, coordinator = _stores(settings, clock, kept) if stores is None else stores
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


def _in_canonical_form(settings: Settings) -> Settings:
    """The settings with the benchmark and the base currency as everything else writes them.

    Raises:
        UsageError: One of them is none.
    """
    try:
        benchmark = normalise(settings.benchmark)
    except SymbolError as error:
        raise UsageError(f"benchmark: {error}", hint=error.hint) from error
    try:
        base = currency_code(settings.base_currency)
    except SymbolError as error:
        raise UsageError(f"base_currency: {error}", hint=error.hint) from error
    if (benchmark, base) == (settings.benchmark, settings.base_currency):
        return settings
    return msgspec.structs.replace(settings, benchmark=benchmark, base_currency=base)


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
        self._beta = settings.beta

    def accepts(self, record: Record) -> bool:
        if not isinstance(record, Risk) or record.fetched_at is None:
            return True
        if record.benchmark != self._benchmark:
            return False
        if record.method in ("ols_daily", "ols_weekly"):
            always = self._beta == "weekly"
            by_week = is_weekly(record.symbol, self._benchmark, record.fetched_at, always=always)
            return self._beta != "provider" and by_week == (record.method == "ols_weekly")
        # Only where it stands in for too few returns does a stated beta tell how many there were.
        return self._beta == "provider" or record.method != "stated" or record.n is not None


def migration(settings: Settings, *, to_shared: bool) -> tuple[Level, Level]:
    """This machine's own cache and the shared one, in the order in which one is copied into the other.

    Raises:
        UsageError: No shared cache is named.
        CacheError: One of them cannot be opened.
    """
    from quotewell.cache.sqlite.level import SqliteLevel  # noqa: PLC0415  not needed by `memory://`

    if settings.cache_url is None:
        raise UsageError("no shared cache is named", hint="set QUOTEWELL_CACHE_URL")
    clock, table = SystemClock(), lifetimes(settings.lifetimes)
    open_shared, _ = _opening(settings, clock, lambda name: _on_error(table, name))
    own = SqliteLevel(settings.cache_folder / "cache.db", clock)
    try:
        shared = open_shared()
    except BaseException:
        own.close()
        raise
    return (own, shared) if to_shared else (shared, own)


def _on_error(table: Mapping[Facet, Lifetime], name: str) -> float:
    return next((lifetime.on_error for facet, lifetime in table.items() if facet == name), math.inf)


def _stores(settings: Settings, clock: Clock, kept: Callable[[str], float]) -> tuple[Level, Coordinator]:
    url = settings.cache_url
    if url is None:
        return _on_disk(settings.cache_folder, clock)
    if url == "memory://":
        return _in_memory(clock)
    return _shared(settings, clock, *_opening(settings, clock, kept))


def _in_memory(clock: Clock) -> tuple[Level, Coordinator]:
    from quotewell.cache.memory_level import MemoryLevel  # noqa: PLC0415  not needed by files
    from quotewell.coordination.local import LocalCoordinator  # noqa: PLC0415  likewise

    return MemoryLevel(clock), LocalCoordinator(clock)


def _on_disk(folder: Path, clock: Clock) -> tuple[Level, Coordinator]:
    from quotewell.coordination.sqlite import SqliteCoordinator  # noqa: PLC0415  not needed by `memory://`
    from quotewell.coordination.standby import StandbyCoordinator  # noqa: PLC0415  likewise

    level, told = _file(folder / "cache.db", clock)
    coordinator = StandbyCoordinator(lambda: SqliteCoordinator(folder / "state.db", clock), clock)
    if coordinator.first_error is not None:
        if not told:
            text = f"{coordinator.first_error}; rate limits and leases are this process's alone until it can"
            warnings.warn(f"{text} be used", CacheDegradedWarning, stacklevel=5)
        coordinator.told = True
    return level, coordinator


def _file(path: Path, clock: Clock) -> tuple[Level, bool]:
    """The level in a SQLite file, and whether it had to be said that memory stands in for it."""
    from quotewell.cache.sqlite.level import SqliteLevel  # noqa: PLC0415  not needed by `memory://`

    def reopened() -> Level:
        # A look-up that finds the file still locked must not wait long for it.
        SqliteLevel(path, clock, timeout=_QUICK).close()
        return SqliteLevel(path, clock)

    try:
        return SqliteLevel(path, clock), False
    except CacheError as error:
        from quotewell.cache.late_level import LateLevel  # noqa: PLC0415  only then

        text = f"{error}; this process keeps its values in memory alone until it can be used"
        warnings.warn(text, CacheDegradedWarning, stacklevel=6)
        return LateLevel(reopened, clock), True


_Opening = tuple[Callable[[], Level], Callable[[], Coordinator]]
"""How to open a shared level and its coordinator; both raise `CacheError`."""


def _shared(
    settings: Settings,
    clock: Clock,
    open_level: Callable[[], Level],
    open_coordinator: Callable[[], Coordinator],
) -> tuple[Level, Coordinator]:
    from quotewell.cache.spared_level import SparedLevel  # noqa: PLC0415  only where a cache is shared
    from quotewell.coordination.standby import StandbyCoordinator  # noqa: PLC0415  not needed by `memory://`

    spare, _ = _file(settings.cache_folder / "spare.db", clock)
    level = SparedLevel(open_level, spare, clock)
    level.companion = coordinator = StandbyCoordinator(open_coordinator, clock)
    error = level.first_error or coordinator.first_error
    if error is not None:
        text = (
            f"{error}; this process goes on with what it has in memory and in {spare.name}, until it is back"
        )
        warnings.warn(text, CacheDegradedWarning, stacklevel=5)
        level.told = coordinator.told = True
    return level, coordinator


def _opening(settings: Settings, clock: Clock, kept: Callable[[str], float]) -> _Opening:
    url = settings.cache_url or ""
    # The rest may hold a password, and so may a text without a scheme.
    scheme = url.partition("://")[0] if "://" in url else ""
    opening = _SHARED.get(scheme)
    if opening is None:
        hint = "valkey://, postgresql://, memory:// or leave it unset"
        raise UsageError(f"cache_url: no cache of the kind {scheme!r}", hint=hint)
    return opening(settings, clock, kept)


def _valkey(settings: Settings, clock: Clock, kept: Callable[[str], float]) -> _Opening:
    from quotewell.cache.valkey.level import ValkeyLevel  # noqa: PLC0415  an extra
    from quotewell.coordination.valkey import ValkeyCoordinator  # noqa: PLC0415  likewise

    url, prefix, timeout = settings.shared_url(), settings.cache_prefix, settings.cache_timeout
    return (
        lambda: ValkeyLevel(url, clock, prefix=prefix, timeout=timeout, kept=kept),
        lambda: ValkeyCoordinator(url, clock, prefix=prefix, timeout=timeout),
    )


def _postgres(settings: Settings, clock: Clock, kept: Callable[[str], float]) -> _Opening:
    from quotewell.cache.postgres.level import PostgresLevel  # noqa: PLC0415  an extra
    from quotewell.coordination.postgres import PostgresCoordinator  # noqa: PLC0415  likewise

    del kept  # its rows are pruned
    url, schema, timeout = settings.shared_url(), settings.cache_schema, settings.cache_timeout
    return (
        lambda: PostgresLevel(url, clock, schema=schema, timeout=timeout),
        lambda: PostgresCoordinator(url, clock, schema=schema, timeout=timeout),
    )


_SHARED: Mapping[str, Callable[[Settings, Clock, Callable[[str], float]], _Opening]] = {
    **dict.fromkeys(("valkey", "valkeys", "redis", "rediss"), _valkey),
    **dict.fromkeys(("postgresql", "postgres"), _postgres),
}


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
