"""Two processes' views of one cache, in any order of events, against a model of plain dictionaries.

Whatever happens: no value is invented, none is served after its deletion, staleness is always marked, no
failure replaces a value, what is fresh costs no request, every read has an outcome, and what one view writes
or invalidates the other sees after 50 ms.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from quotewell.cache.memory_level import MemoryLevel
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.coordination.local import LocalCoordinator
from quotewell.coordination.sqlite import SqliteCoordinator
from quotewell.errors import CacheDegradedWarning, CacheError, DataUnavailable, FailureKind, StaleDataWarning
from quotewell.protocols import Coordinator, Level
from quotewell.records import FACETS, Facet, Freshness, Need, Quote
from quotewell.testing import FakeProvider, ManualClock
from stateful.engine_model import POLL_SECONDS, Model
from stateful.engine_watch import PASSING, View, Watch
from valkey_servers import own_prefix, valkey_coordinator, valkey_level

pytestmark = pytest.mark.filterwarnings("ignore::quotewell.errors.CacheDegradedWarning")

LISTED = ("AAPL", "MSFT", "BTC-USD")
"""The last trades round the clock."""
SYMBOLS = (*LISTED, "NOPE")
WRITES = frozenset(("put_many", "fail_many", "invalidate_many", "delete_many"))
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
WEDNESDAY_MORNING = 1_736_953_200.0

views = st.sampled_from((0, 1))
symbols = st.sampled_from(SYMBOLS)
some = st.lists(symbols, min_size=1, max_size=4, unique=True)
needs = st.sets(st.tuples(symbols, st.sampled_from(("quote", "profile"))), min_size=1, max_size=5)
spans = st.one_of(
    st.sampled_from((0.01, POLL_SECONDS / 2, POLL_SECONDS, 5.1, 31.0, 5 * MINUTE, 10 * MINUTE, HOUR, DAY)),
    st.floats(0.001, 1.0),
    st.floats(1.0, 20 * MINUTE),
    st.floats(HOUR, 12 * HOUR),
    st.floats(DAY, 60 * DAY),
)


class Engine(RuleBasedStateMachine):
    """The rules; `stores` of a subclass makes what a new process opens."""

    def stores(self) -> tuple[Level, Coordinator]:
        """Level and coordinator of one more view."""
        raise NotImplementedError

    @initialize(start=st.floats(0.0, 7 * DAY))
    def open(self, start: float) -> None:
        self.clock = ManualClock(WEDNESDAY_MORNING + start, patience=30.0)
        self.provider = FakeProvider(self.clock, dict.fromkeys(LISTED, 100.0))
        self.views = [self.opened(number) for number in range(2)]
        self.model = Model(self.views[0].tickers.engine.store.judge)

    def opened(self, number: int) -> View:
        return View(number, self.stores(), self.clock, self.provider)

    def watch(self, number: int) -> Watch:
        return Watch(self.model, self.views[number], SYMBOLS)

    def teardown(self) -> None:
        for view in getattr(self, "views", ()):
            view.level.broken, view.level.fail_on = False, set()
            view.tickers.close()

    # ------------------------------------------------------------------------------------- the world

    @rule(symbol=st.sampled_from(LISTED), price=st.integers(50, 149))
    def appears_or_trades(self, symbol: str, price: int) -> None:
        self.provider.prices[symbol] = float(price)

    @rule(symbol=st.sampled_from(LISTED))
    def vanishes(self, symbol: str) -> None:
        self.provider.prices.pop(symbol, None)

    @rule(symbol=symbols)
    def is_left_out_or_no_longer(self, symbol: str) -> None:
        self.provider.omitted ^= {symbol}

    @rule(kind=st.sampled_from((None, None, "invalid", *sorted(PASSING))))
    def provider_fails_or_heals(self, kind: FailureKind | None) -> None:
        self.provider.failure = kind

    @rule(seconds=spans)
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(seconds=st.floats(10.0, 3 * DAY))
    def machine_is_suspended(self, seconds: float) -> None:
        self.clock.set_wall(self.clock.now() + seconds)
        self.clock.advance(POLL_SECONDS)

    @rule(number=views, only_writes=st.booleans())
    def loses_its_level_or_finds_it_again(self, number: int, only_writes: bool) -> None:
        level = self.views[number].level
        if level.broken or level.fail_on:
            level.broken, level.fail_on = False, set()
        elif only_writes:
            level.fail_on = set(WRITES)
        else:
            level.broken = True

    @rule(number=views)
    def restarts(self, number: int) -> None:
        self.views[number].tickers.close()
        self.views[number] = self.opened(number)

    # ------------------------------------------------------------------------------------ withdrawing

    @rule(number=views, names=some, facets=st.sampled_from((None, ("quote",))), hard=st.booleans())
    def invalidates(self, number: int, names: list[str], facets: tuple[Facet] | None, hard: bool) -> None:
        wanted: list[Need] = [
            (name, facet) for name in names for facet in (FACETS if facets is None else facets)
        ]
        tickers = self.views[number].tickers
        self.withdraws(number, wanted, lambda: tickers.invalidate(names, facets=facets, hard=hard), hard=hard)

    @rule(number=views)
    def clears(self, number: int) -> None:
        wanted: list[Need] = [(name, facet) for name in SYMBOLS for facet in FACETS]
        view = self.views[number]
        if self.withdraws(number, wanted, view.tickers.clear_cache, hard=True):
            view.warned.clear()

    def withdraws(self, number: int, wanted: list[Need], call: Callable[[], int], *, hard: bool) -> bool:
        level = self.views[number].level
        if level.broken or level.fail_on:
            with pytest.raises(CacheError):
                call()
            return False
        count = call()
        assert sum(need in self.model.stored for need in wanted) <= count <= len(wanted)
        event = self.model.event(number, self.clock.monotonic(), hard=hard)
        for need in wanted:
            self.model.withdraw(need, event)
        return True

    # ---------------------------------------------------------------------------------------- reading

    @rule(number=views, wanted=needs, grace=st.booleans(), max_age=st.none() | st.floats(1.0, HOUR))
    def reads(self, number: int, wanted: set[Need], grace: bool, max_age: float | None) -> None:
        with self.watch(number) as watch:
            readings = self.views[number].tickers.read(wanted, grace=grace, max_age=max_age)
        watch.check(wanted, readings, grace=grace, max_age=max_age)

    @rule(number=views, wanted=needs)
    def peeks(self, number: int, wanted: set[Need]) -> None:
        with self.watch(number) as watch:
            readings = self.views[number].tickers.peek(wanted)
        assert watch.calls == []
        assert set(readings) == wanted
        watch.check_values(readings)

    @rule(number=views, names=some)
    def gets_many(self, number: int, names: list[str]) -> None:
        with self.watch(number) as watch:
            quotes = self.views[number].tickers.get_many(names)
        assert list(quotes) == names
        watch.check_requests({(name, "quote") for name in names})
        for name, quote in quotes.items():
            watch.check_record((name, "quote"), quote)

    @rule(number=views, symbol=symbols)
    def gets_a_price(self, number: int, symbol: str) -> None:
        view, need, price = self.views[number], (symbol, "quote"), None
        with self.watch(number) as watch, warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("ignore", CacheDegradedWarning)
            warnings.simplefilter("always", StaleDataWarning)
            with suppress(DataUnavailable):
                price = view.tickers.get_price(symbol)
        watch.check_requests({need})
        known = view.tickers.peek([need])  # the same, or what a refresh in passing has brought
        watch.check_values(known)
        record = known[need].record
        assert (price is None) == (record is None) or watch.calls
        if isinstance(record, Quote):
            assert record.last == price or watch.calls
        is_stale = known[need].freshness == Freshness.STALE
        assert bool(told) == (is_stale and symbol not in view.warned), "told once a symbol"
        if told:
            view.warned.add(symbol)

    @rule(number=views, names=some, force=st.booleans())
    def prefetches_or_refreshes(self, number: int, names: list[str], force: bool) -> None:
        tickers = self.views[number].tickers
        wanted: set[Need] = {(name, facet) for name in names for facet in ("quote", "profile")}
        with self.watch(number) as watch:
            report = (tickers.refresh if force else tickers.prefetch)(wanted)
        watch.check_report(wanted, report, force=force)


class MemoryEngine(Engine):
    """Over one level in memory, which both views share."""

    shared: tuple[Level, Coordinator] | None = None

    def stores(self) -> tuple[Level, Coordinator]:
        if self.shared is None:
            self.shared = MemoryLevel(self.clock), LocalCoordinator(self.clock)
        return self.shared


class SqliteEngine(Engine):
    """Over one folder, which each view opens for itself."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())

    def stores(self) -> tuple[Level, Coordinator]:
        return (
            SqliteLevel(self.folder / "cache.db", self.clock),
            SqliteCoordinator(self.folder / "state.db", self.clock),
        )

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.folder)


class ValkeyEngine(Engine):
    """Over one server, to which each view connects for itself."""

    def __init__(self) -> None:
        super().__init__()
        self.prefix = own_prefix()

    def stores(self) -> tuple[Level, Coordinator]:
        level = valkey_level(self.clock, prefix=self.prefix)
        # It would tell of a change a moment of real time later, while the clock stands still.
        level._push.listen = lambda: None  # type: ignore[method-assign]
        return level, valkey_coordinator(self.clock, prefix=self.prefix)


def effort(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


class MemoryEngineAtLength(MemoryEngine):
    """The same for `make torture`."""


class SqliteEngineAtLength(SqliteEngine):
    """Likewise."""


class ValkeyEngineAtLength(ValkeyEngine):
    """Likewise."""


TestMemoryEngine = MemoryEngine.TestCase
TestMemoryEngine.settings = effort(300, 40)
TestSqliteEngine = SqliteEngine.TestCase
TestSqliteEngine.settings = effort(100, 40)
TestValkeyEngine = ValkeyEngine.TestCase
TestValkeyEngine.settings = effort(100, 40)
TestMemoryEngineAtLength = pytest.mark.timeout(3600)(pytest.mark.torture(MemoryEngineAtLength.TestCase))
TestMemoryEngineAtLength.settings = effort(2000, 80)
TestSqliteEngineAtLength = pytest.mark.timeout(3600)(pytest.mark.torture(SqliteEngineAtLength.TestCase))
TestSqliteEngineAtLength.settings = effort(600, 80)
TestValkeyEngineAtLength = pytest.mark.timeout(3600)(pytest.mark.torture(ValkeyEngineAtLength.TestCase))
TestValkeyEngineAtLength.settings = effort(600, 80)
