"""Whatever becomes of a shared cache: right answers, no crash, one warning, recovery without a restart."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from child_process import in_child
from engine_parts import fetches_ended
from quotewell.cache.spared_level import SparedLevel
from quotewell.errors import CacheDegradedWarning, CacheError, DataUnavailable
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.wiring import connect
from shared_engines import ENGINES, Engine

RETRY_LEVEL, RETRY_COORDINATOR = 5.0, 30.0
PRICES = {f"S{number}": 100.0 + number for number in range(60)}
KNOWN, OTHER = list(PRICES)[:30], list(PRICES)[30:]


@pytest.fixture
def clock() -> ManualClock:
    # A server that does not answer costs real seconds, in which the clock must not run on.
    return ManualClock(patience=20.0)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    (tmp_path / "server").mkdir()
    made = ENGINES[request.param](tmp_path / "server")
    yield made
    made.close()


@pytest.fixture
def provider(clock: ManualClock) -> FakeProvider:
    return FakeProvider(clock, PRICES)


def service(
    engine: Engine, folder: Path, clock: ManualClock, provider: FakeProvider, **settings: object
) -> TickerService:
    """A process of its own, with a spare of its own."""
    named = {"cache_dir": folder, "cache_timeout": 0.5, **engine.settings, **settings}
    return connect(Settings(**named), clock=clock, providers=[provider])  # type: ignore[arg-type]


@pytest.fixture
def tickers(
    engine: Engine, tmp_path: Path, clock: ManualClock, provider: FakeProvider
) -> Iterator[TickerService]:
    with service(engine, tmp_path / "mine", clock, provider) as made:
        assert prices(made, KNOWN) == {symbol: PRICES[symbol] for symbol in KNOWN}
        yield made
        engine.resume()


def prices(tickers: TickerService, symbols: list[str]) -> dict[str, float | None]:
    found = tickers.get_many(symbols)
    fetches_ended()
    return {symbol: None if quote is None else quote.last for symbol, quote in found.items()}


def level_of(tickers: TickerService) -> SparedLevel:
    level = tickers.engine.store.level
    assert isinstance(level, SparedLevel)
    return level


def recover(tickers: TickerService, clock: ManualClock) -> None:
    """Let the time pass after which everything is tried again."""
    for seconds in (RETRY_LEVEL, RETRY_COORDINATOR):
        clock.advance(seconds)
        tickers.engine.follow_others()
    assert level_of(tickers).in_order


class Noting:
    """A level in front of another that notes what it is asked."""

    def __init__(self, inner: object, asked: list[str]) -> None:
        self._inner = inner
        self._asked = asked

    def __getattr__(self, method: str) -> object:
        self._asked.append(method)
        return getattr(self._inner, method)


@pytest.mark.parametrize("fault", ["kill", "suspend"])
def test_in_an_outage_everything_is_answered_and_afterwards_shared_again(
    engine: Engine,
    tmp_path: Path,
    clock: ManualClock,
    provider: FakeProvider,
    tickers: TickerService,
    fault: str,
) -> None:
    requests = provider.requests
    clock.advance(1.0)
    getattr(engine, fault)()
    with pytest.warns(CacheDegradedWarning) as told:
        assert prices(tickers, list(PRICES)) == PRICES
    assert len(told) == 1, "not of the level and of the coordinator, too"
    assert provider.requests == requests + 1, "for what nobody had"

    engine.start() if fault == "kill" else engine.resume()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recover(tickers, clock)
        with service(engine, tmp_path / "another", clock, provider, offline=True) as another:
            assert prices(another, OTHER) == {symbol: PRICES[symbol] for symbol in OTHER}
        provider.prices["S0"] = 7.0
        tickers.invalidate(["S0"], hard=True)
        assert prices(tickers, ["S0"]) == {"S0": 7.0}


def test_a_server_that_does_not_answer_is_asked_once_in_a_while(
    engine: Engine, clock: ManualClock, tickers: TickerService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question costs its time-out: that is all that a caller can lose."""
    asked: list[str] = []
    monkeypatch.setattr(level_of(tickers), "_shared", Noting(level_of(tickers)._shared, asked))
    clock.advance(1.0)
    engine.suspend()
    with pytest.warns(CacheDegradedWarning):
        prices(tickers, OTHER)
    assert len(asked) == 1
    prices(tickers, KNOWN)
    clock.advance(RETRY_LEVEL)
    for _ in range(5):
        prices(tickers, KNOWN)
    assert len(asked) == 2


def test_while_it_is_gone_the_spare_answers_a_process_that_has_nothing_in_memory(
    engine: Engine, tmp_path: Path, clock: ManualClock, provider: FakeProvider, tickers: TickerService
) -> None:
    engine.kill()
    requests = provider.requests
    with pytest.warns(CacheDegradedWarning, match="goes on with what it has"):
        fresh = service(engine, tmp_path / "mine", clock, provider)
    with fresh:
        assert fresh.quotes(["S0"])["S0"].level == "sqlite"
        assert prices(fresh, KNOWN) == {symbol: PRICES[symbol] for symbol in KNOWN}
        assert provider.requests == requests
        with pytest.raises(CacheError):
            fresh.invalidate(["S0"])
        engine.start()
        recover(fresh, clock)
        assert fresh.invalidate(["S0"]) >= 0
        assert fresh.cache_stats().level.name != "sqlite"


def test_connections_that_are_cut_cost_nothing(
    engine: Engine, clock: ManualClock, provider: FakeProvider, tickers: TickerService
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for turn in range(5):
            engine.cut()
            clock.advance(1.0)
            assert prices(tickers, ["S1"]) == {"S1": PRICES["S1"]}
            provider.prices["S0"] = 1000.0 + turn
            engine.cut()
            tickers.invalidate(["S0"])
            engine.cut()
            assert prices(tickers, ["S0"]) == {"S0": 1000.0 + turn}
    assert level_of(tickers).in_order


@pytest.mark.parametrize("hard", [True, False])
def test_what_another_process_invalidates_while_this_one_is_cut_off_is_noticed_afterwards(
    engine: Engine,
    tmp_path: Path,
    clock: ManualClock,
    provider: FakeProvider,
    tickers: TickerService,
    hard: bool,
) -> None:
    """The value fetched meanwhile is refused, for its fetch began before the invalidation was known of."""
    level = level_of(tickers)
    clock.advance(1.0)
    level._retry_at = clock.monotonic() + RETRY_LEVEL  # as after a question that was not answered
    with service(engine, tmp_path / "another", clock, provider) as another:
        tickers.refresh([("S0", "quote")])
        provider.prices["S0"] = 7.0
        another.invalidate(["S0"], hard=hard)
        recover(tickers, clock)
        assert prices(tickers, ["S0"]) == {"S0": 7.0}
        assert prices(another, ["S0"]) == {"S0": 7.0}


def test_a_forked_process_goes_on_with_connections_of_its_own(
    clock: ManualClock, provider: FakeProvider, tickers: TickerService
) -> None:
    def child() -> list[float | None]:
        tickers.engine.store.memory.clear()
        clock.advance(1.0)
        first = prices(tickers, ["S0"])["S0"]
        tickers.invalidate(["S0"], hard=True)
        provider.prices["S0"] = 7.0
        return [first, prices(tickers, ["S0"])["S0"]]

    assert in_child(child) == f"returned [{PRICES['S0']}, 7.0]"
    clock.advance(1.0)
    assert prices(tickers, ["S0"]) == {"S0": 7.0}, "the parent sees what its child has done"
    assert level_of(tickers).in_order


def test_an_outage_at_the_end_of_a_process_does_not_keep_it(
    engine: Engine, tmp_path: Path, clock: ManualClock, provider: FakeProvider
) -> None:
    tickers = service(engine, tmp_path / "mine", clock, provider)
    prices(tickers, KNOWN)
    engine.kill()
    with pytest.warns(CacheDegradedWarning):
        tickers.close()
    with pytest.raises((CacheError, DataUnavailable)):
        tickers.get_price("S59")
