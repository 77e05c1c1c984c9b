"""What the engine relies on of every provider. A new one is added as one line of `PROVIDERS`."""

from __future__ import annotations

import math
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from open_coordinator import OpenCoordinator
from quotewell.endpoints import Call, Endpoint, Fetched, Lane
from quotewell.errors import ProviderError
from quotewell.protocols import Provider
from quotewell.providers.files import FilesProvider
from quotewell.providers.fmp import FmpProvider
from quotewell.providers.snapshot import SnapshotProvider
from quotewell.providers.validate import check
from quotewell.providers.yahoo import YahooProvider
from quotewell.records import RECORD_TYPES, Need
from quotewell.settings import Settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.testing.simulator import MarketSimulator

KNOWN = ("AAPL", "MSFT")
UNKNOWN = ("NOSUCH", "ZZZZ")
ODD = ("AAPL250620C00200000", "EURUSD=X", "^IRX", "^GSPC", "BRK-B", "VOD.L")
NOW = ManualClock().now()


class World:
    """Everything that a provider may need; both symbols of `KNOWN` exist in each of them."""

    def __init__(self, simulator: MarketSimulator, folder: Path) -> None:
        self.simulator = simulator
        self.clock = ManualClock()
        self.coordinator = OpenCoordinator(self.clock)
        self.folder = folder
        self.settings = Settings(
            yahoo_base_url=simulator.yahoo_url,
            fmp_base_url=simulator.fmp_url,
            fmp_api_key=simulator.fmp_key,
            fmp_batch_quotes=True,
        )
        self.fake = FakeProvider(
            self.clock, dict.fromkeys(KNOWN, 100.0), {symbol: [99.0, 100.0] for symbol in KNOWN}
        )
        (folder / "closes").mkdir(parents=True)
        rows = "".join(f"{symbol},100,99,USD,,{symbol} Inc.,0.01\n" for symbol in KNOWN)
        header = "symbol,price,previous_close,currency,as_of,name,dividend_yield\n"
        (folder / "quotes.csv").write_text(header + rows)
        for symbol in KNOWN:
            (folder / "closes" / f"{symbol}.csv").write_text("date,close\n2025-01-13,99\n2025-01-14,100\n")

    def fall(self) -> None:
        """Break every source."""
        self.simulator.fault("500")
        shutil.rmtree(self.folder)
        self.fake.failure = "server"


PROVIDERS: dict[str, Callable[[World], Provider]] = {
    "fake": lambda world: world.fake,
    "files": lambda world: FilesProvider(world.folder, world.clock),
    "fmp": lambda world: FmpProvider(world.settings, world.coordinator, world.clock),
    "snapshot": lambda world: SnapshotProvider(world.clock),
    "yahoo": lambda world: YahooProvider(world.settings, world.coordinator, world.clock),
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[MarketSimulator]:
    with MarketSimulator(symbols=KNOWN, now=NOW, fmp_batch_quotes=True) as running:
        yield running


@pytest.fixture
def world(simulator: MarketSimulator, tmp_path: Path) -> Iterator[World]:
    yield World(simulator, tmp_path / "files")
    simulator.clear_faults()


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest, world: World) -> Iterator[Provider]:
    made = PROVIDERS[request.param](world)
    yield made
    made.close()


def calls(endpoint: Endpoint, symbols: tuple[str, ...]) -> list[Call]:
    size = endpoint.symbols_per_call
    pieces = [symbols[start : start + size] for start in range(0, len(symbols), size)]
    return [
        Call(endpoint, piece, frozenset((symbol, facet) for symbol in piece for facet in endpoint.facets))
        for piece in pieces
    ]


def fetch(provider: Provider, call: Call, *, deadline: float = math.inf) -> Fetched:
    return provider.fetch(call, lane=Lane.INTERACTIVE, deadline=deadline)


def outcomes(call: Call, fetched: Fetched) -> dict[Need, int]:
    places = (fetched.found, fetched.unknown, fetched.omitted, fetched.failed)
    return {need: sum(need in place for place in places) for need in call.needs}


def test_its_endpoints_are_its_own_and_can_be_planned_with(provider: Provider) -> None:
    names = [endpoint.name for endpoint in provider.endpoints]
    assert names
    assert len(set(names)) == len(names)
    for endpoint in provider.endpoints:
        assert endpoint.provider == provider.name
        assert endpoint.facets <= RECORD_TYPES.keys()
        assert endpoint.facets
        assert endpoint.symbols_per_call >= 1
        assert endpoint.cost >= 0.0


@pytest.mark.parametrize("symbols", [KNOWN, UNKNOWN, KNOWN + UNKNOWN, KNOWN + ODD], ids=" ".join)
def test_every_asked_need_has_exactly_one_outcome(provider: Provider, symbols: tuple[str, ...]) -> None:
    for endpoint in provider.endpoints:
        for call in calls(endpoint, symbols):
            fetched = fetch(provider, call)
            assert set(outcomes(call, fetched).values()) == {1}
            checked = check(fetched, {}, NOW)
            assert set(outcomes(call, checked).values()) == {1}


def test_every_endpoint_brings_something_of_a_known_symbol(provider: Provider) -> None:
    for endpoint in provider.endpoints:
        for call in calls(endpoint, KNOWN):
            found = fetch(provider, call).found
            assert {symbol for symbol, _ in found} == set(call.symbols)
            assert {facet for _, facet in found} <= endpoint.facets


def test_an_unknown_symbol_has_no_value(provider: Provider) -> None:
    for endpoint in provider.endpoints:
        for call in calls(endpoint, UNKNOWN):
            assert fetch(provider, call).found == {}


def test_records_carry_symbol_source_and_times(provider: Provider) -> None:
    for endpoint in provider.endpoints:
        for call in calls(endpoint, KNOWN):
            for (symbol, facet), record in fetch(provider, call).found.items():
                assert type(record) is RECORD_TYPES[facet]
                assert record.symbol == symbol
                assert record.symbol in call.symbols
                assert record.source
                assert record.fetched_at == NOW
                assert record.failure is None
                assert record.as_of is None or record.as_of <= NOW or facet == "history"


def test_a_history_comes_with_its_bars_oldest_first(provider: Provider) -> None:
    for endpoint in provider.endpoints:
        if "history" in endpoint.facets:
            for call in calls(endpoint, KNOWN):
                fetched = fetch(provider, call)
                assert fetched.closes.keys() == {
                    symbol for symbol, facet in fetched.found if facet == "history"
                }
                for closes in fetched.closes.values():
                    assert len(closes.dates) == len(closes.closes) > 0
                    assert closes.dates == sorted(set(closes.dates))


def test_failures_are_provider_errors_that_name_the_provider(provider: Provider) -> None:
    for endpoint in provider.endpoints:
        for call in calls(endpoint, KNOWN + ODD):
            for error in fetch(provider, call).failed.values():
                assert isinstance(error, ProviderError)
                assert error.provider == provider.name


def test_when_its_source_fails_nothing_but_a_provider_error_comes_out(
    provider: Provider, world: World
) -> None:
    world.fall()
    for endpoint in provider.endpoints:
        for call in calls(endpoint, KNOWN):
            try:
                fetched = fetch(provider, call)
            except ProviderError as error:
                assert error.provider == provider.name  # noqa: PT017  raising is one of two good outcomes
            else:
                assert set(outcomes(call, fetched).values()) == {1}


def test_a_deadline_that_has_passed_is_an_outcome_or_a_provider_error(provider: Provider) -> None:
    (call, *_) = calls(provider.endpoints[0], KNOWN)
    try:
        fetched = fetch(provider, call, deadline=-1.0)
    except ProviderError as error:
        assert error.failure == "timeout"  # noqa: PT017  raising is one of two good outcomes
    else:
        assert set(outcomes(call, fetched).values()) == {1}


def test_requests_are_counted_and_cost_what_the_endpoint_says(provider: Provider) -> None:
    for endpoint in provider.endpoints:
        for call in calls(endpoint, KNOWN):
            before = provider.requests
            fetch(provider, call)
            assert provider.requests - before == endpoint.cost


def test_threads_do_not_disturb_each_other(provider: Provider) -> None:
    (call, *_) = calls(provider.endpoints[0], KNOWN)
    expected = fetch(provider, call).found
    answers: list[Fetched] = []
    threads = [threading.Thread(target=lambda: answers.append(fetch(provider, call))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.found for answer in answers] == [expected] * 4


def test_it_may_be_closed_twice(provider: Provider) -> None:
    (call, *_) = calls(provider.endpoints[0], KNOWN)
    fetch(provider, call)
    provider.close()
    provider.close()
