"""The ticker service: what a caller sees of one symbol, of many, and what it costs."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

import quotewell
from quotewell import DataUnavailable, Freshness, SymbolError, TickerService, UsageError
from quotewell.cache.memory_level import MemoryLevel
from quotewell.coordination.local import LocalCoordinator
from quotewell.errors import CacheError
from quotewell.protocols import TickerSource
from quotewell.settings import Settings
from quotewell.testing import BrokenLevel, FakeProvider, ManualClock
from quotewell.wiring import connect

BENCHMARK = "^GSPC"


def walk(seed: int, beta: float, days: int = 600) -> list[float]:
    """Closes whose returns are exactly `beta` times those of the benchmark (seed 0, beta 1)."""
    market = random.Random(0)
    noise = random.Random(seed)
    close, closes = 100.0, []
    for _ in range(days):
        close *= 1 + beta * market.gauss(0, 0.01) + (noise.gauss(0, 1e-6) if seed else 0.0)
        closes.append(close)
    return closes


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def provider(clock: ManualClock) -> FakeProvider:
    symbols = ["AAPL", "MSFT", BENCHMARK]
    closes = {"AAPL": walk(1, 1.5), "MSFT": walk(2, 0.5), BENCHMARK: walk(0, 1.0)}
    return FakeProvider(clock, dict.fromkeys(symbols, 100.0), closes)


@pytest.fixture
def tickers(clock: ManualClock, provider: FakeProvider) -> Iterator[TickerService]:
    with service(clock, provider) as made:
        yield made


def service(clock: ManualClock, *providers: FakeProvider, **settings: object) -> TickerService:
    stores = (MemoryLevel(clock), LocalCoordinator(clock))
    return connect(Settings(**settings), clock=clock, providers=providers, stores=stores)  # type: ignore[arg-type]


def test_the_service_is_a_ticker_source(tickers: TickerService) -> None:
    source: TickerSource = tickers
    assert source.quotes(["AAPL"])["AAPL"].usable


def test_betas_are_computed_from_closes_against_the_benchmark(tickers: TickerService) -> None:
    assert tickers.get_beta("AAPL") == pytest.approx(1.5, abs=1e-3)
    assert tickers.get_beta("MSFT") == pytest.approx(0.5, abs=1e-3)
    assert tickers.get_beta(BENCHMARK) == 1.0
    risk = tickers.risks(["AAPL"])["AAPL"].record
    assert risk is not None
    assert (risk.method, risk.benchmark, risk.n) == ("ols_daily", BENCHMARK, 504)


def test_a_beta_costs_one_history_request_for_symbol_and_benchmark(
    tickers: TickerService, provider: FakeProvider
) -> None:
    tickers.get_beta("AAPL")
    assert [(call.endpoint.name, set(call.symbols)) for call in provider.calls] == [
        ("history", {"AAPL", BENCHMARK})
    ]


def test_another_benchmark_computes_anew_from_cached_closes(
    clock: ManualClock, provider: FakeProvider
) -> None:
    stores = (MemoryLevel(clock), LocalCoordinator(clock))
    for benchmark, beta, requests in ((BENCHMARK, 1.5, 2), ("MSFT", 3.0, 2)):
        settings = Settings(benchmark=benchmark)
        one = connect(settings, clock=clock, providers=[provider], stores=stores)
        one.prefetch(["AAPL", "MSFT"])
        assert one.get_beta("AAPL") == pytest.approx(beta, abs=1e-2)
        assert provider.requests == requests


def test_too_little_history_is_no_beta(tickers: TickerService, provider: FakeProvider) -> None:
    provider.histories["AAPL"] = walk(1, 1.5, days=100)
    with pytest.raises(DataUnavailable, match="AAPL: no risk: 99 returns in common"):
        tickers.get_beta("AAPL")


def test_the_providers_beta_is_used_when_asked_for(clock: ManualClock, provider: FakeProvider) -> None:
    provider.stated_betas["AAPL"] = 1.1
    with service(clock, provider, beta="provider") as tickers:
        assert tickers.get_beta("AAPL") == 1.1
        with pytest.raises(DataUnavailable, match="no provider states a beta"):
            tickers.get_beta("MSFT")
    assert {call.endpoint.name for call in provider.calls} == {"quote"}


def test_ticker_data_has_provenance_for_each_facet_and_reasons_for_gaps(
    tickers: TickerService, clock: ManualClock
) -> None:
    data = tickers.get_ticker_data("aapl")
    assert data.symbol == "AAPL"
    assert data.quote is not None
    assert data.quote.provenance == quotewell.Provenance(
        "fake", clock.now(), clock.now(), Freshness.FRESH, "provider"
    )
    assert data.risk is not None
    assert data.failures == {}
    unknown = tickers.get_ticker_data("NOPE")
    assert unknown.quote is None
    assert {facet: failure.kind for facet, failure in unknown.failures.items()} == {
        "quote": "unknown",
        "profile": "unknown",
        "dividend": "unknown",
        "risk": "insufficient",
    }


def test_the_level_tells_where_a_value_came_from(tickers: TickerService) -> None:
    levels = [tickers.quotes(["AAPL"])["AAPL"].level for _ in range(2)]
    assert levels == ["provider", "memory"]


def test_get_many_answers_by_the_symbols_as_given(tickers: TickerService, provider: FakeProvider) -> None:
    tickers.get_price("AAPL")
    quotes = tickers.get_many(["AAPL", "msft", "NOPE"])
    assert {symbol: quote and quote.last for symbol, quote in quotes.items()} == {
        "AAPL": 100.0,
        "msft": 100.0,
        "NOPE": None,
    }
    assert provider.asked_symbols == ["AAPL", "MSFT", "NOPE"]


def test_prefetch_makes_one_plan_of_the_fewest_requests(clock: ManualClock) -> None:
    symbols = [f"{first}{second}" for first in "ABCDEFGH" for second in "ABCDEFGHIJ"]
    closes = {symbol: walk(1, 1.0, 200) for symbol in symbols} | {BENCHMARK: walk(0, 1.0, 200)}
    provider = FakeProvider(clock, dict.fromkeys(symbols, 10.0), closes)
    with service(clock, provider) as tickers:
        report = tickers.prefetch(symbols)
        assert report.requests == 2 + 5  # ⌈80 / 50⌉ + ⌈81 / 20⌉
        assert report.counts() == {
            "fresh": 0, "fetched": 320, "kept": 0, "unknown": 0, "omitted": 0, "failed": 0,
        }  # fmt: skip
        again = tickers.prefetch(symbols)
        assert again.requests == 0
        assert again.counts()["fresh"] == 320


def test_every_requested_symbol_has_an_outcome(tickers: TickerService, provider: FakeProvider) -> None:
    provider.omitted = {"MSFT"}
    report = tickers.prefetch([("AAPL", "quote"), ("MSFT", "quote"), ("NOPE", "quote"), ("AAPL", "fx")])
    assert {need: outcome.status for need, outcome in report.outcomes.items()} == {
        ("AAPL", "quote"): "fetched",
        ("MSFT", "quote"): "omitted",
        ("NOPE", "quote"): "unknown",
        ("AAPL", "fx"): "failed",
    }
    assert "no configured provider" in report.outcomes["AAPL", "fx"].reason


@pytest.mark.parametrize("text", ["", "A" * 5000, "A\x00B"])
def test_text_that_is_no_symbol_is_refused(tickers: TickerService, text: str) -> None:
    with pytest.raises(SymbolError):
        tickers.get_price(text)


def test_stats_count_what_happened(tickers: TickerService, provider: FakeProvider) -> None:
    tickers.get_price("AAPL")
    tickers.get_price("AAPL")
    tickers.get_price("AAPL")
    with pytest.raises(DataUnavailable):
        tickers.get_price("NOPE")
    with pytest.raises(DataUnavailable):
        tickers.get_price("NOPE")
    stats = tickers.cache_stats()
    quote = stats.facets["quote"]
    assert (quote.memory_hits, quote.misses, quote.negative_hits) == (2, 2, 1)
    assert (quote.fetched, quote.failures) == (1, 1)
    assert stats.requests == provider.requests == 2
    assert stats.level.records["quote"] == 2


def test_an_invalidation_that_cannot_reach_the_truth_raises(
    clock: ManualClock, provider: FakeProvider
) -> None:
    level = BrokenLevel(MemoryLevel(clock))
    stores = (level, LocalCoordinator(clock))
    with connect(Settings(), clock=clock, providers=[provider], stores=stores) as tickers:
        tickers.get_price("AAPL")
        level.broken = True
        with pytest.raises(CacheError):
            tickers.invalidate(["AAPL"])
        with pytest.raises(CacheError):
            tickers.clear_cache()
        level.broken = False


def test_open_reads_settings_and_refuses_unknown_ones() -> None:
    with quotewell.open(cache_url="memory://", providers=["snapshot"]) as tickers:
        assert tickers.get_price("AAPL") == 125.674
    with pytest.raises(UsageError, match="unknown setting: cashe_dir"):
        quotewell.open(cashe_dir="x")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"providers": ["yahooo"]}, "no provider 'yahooo'"),
        ({"providers": ["files"]}, "needs a folder"),
        ({"cache_url": "mysql://x"}, "no cache of the kind 'mysql'"),
    ],
)
def test_settings_that_cannot_be_wired_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        quotewell.open(**{"cache_url": "memory://", **settings})


def test_public_names_are_complete() -> None:
    for name in quotewell.__all__:
        assert getattr(quotewell, name) is not None
    assert set(quotewell.__all__) == set(dir(quotewell)) == quotewell._HOMES.keys() | {"__version__"}
    assert quotewell.__all__ == sorted(quotewell.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = quotewell.nope
