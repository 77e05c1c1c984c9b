"""A whole service between a broken provider and a good one: fallback, circuit breaker, isolated symbols."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fault_laboratory import Book, Laboratory, Run
from fault_matrix import DAY
from quotewell.service import TickerService

BOOK = Book.of(12, every=3)
FX = ("EURUSD=X", "fx")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with Laboratory(tmp_path_factory.mktemp("providers"), BOOK) as laboratory:
        yield laboratory


@pytest.fixture
def laboratory(shared: Laboratory) -> Iterator[Laboratory]:
    """One whose cache is empty, and whose faults end with the test."""
    yield shared
    shared.simulator.clear_faults()
    shared.simulator.endpoints.fmp_per_day = None


def with_fallback(laboratory: Laboratory, *, key: str | None = None, filled: bool = False) -> TickerService:
    return laboratory.open(
        laboratory.cache(filled=filled),
        providers=("yahoo", "fmp"),
        fmp_api_key=key or laboratory.simulator.fmp_key,
    )


def asked(laboratory: Laboratory, endpoint: str) -> list[tuple[str, ...]]:
    """The symbols of each request to one endpoint."""
    return [request.symbols for request in laboratory.simulator.data_requests if request.endpoint == endpoint]


def sources(run: Run, tickers: TickerService) -> set[str | None]:
    """Where the prices came from."""
    readings = tickers.peek([need for need in run.verdicts if need[1] == "quote"])
    return {reading.record.source if reading.record else None for reading in readings.values()}


# --------------------------------------------------------------------------------------------------- fallback


def test_behind_a_broken_yahoo_fmp_gives_what_it_has_and_the_rest_has_a_reason(
    laboratory: Laboratory,
) -> None:
    with with_fallback(laboratory) as tickers:
        laboratory.simulator.fault("500", endpoint="yahoo")
        run = laboratory.run(tickers)
        assert sources(run, tickers) == {"fmp"}
    words = {need: word for need, word in run.verdicts.items() if need[1] in ("quote", "fx", "rate", "risk")}
    without_history = {symbol for symbol, facet in run.failures if facet == "history"}
    betas = {(symbol, "risk") for symbol in without_history if (symbol, "risk") in run.verdicts}
    assert 0 < len(betas) < len(BOOK.symbols)  # half of what is left of the quota
    assert {need for need, word in words.items() if word != "right"} == {FX, ("^TNX", "rate"), *betas}
    assert run.verdicts[FX] == "missing"
    assert run.failures[FX].kind == "server"


def test_only_the_symbols_and_facets_that_yahoo_lacks_are_asked_of_fmp(laboratory: Laboratory) -> None:
    lacking = BOOK.symbols[2:4]
    laboratory.simulator.clear_log()
    with with_fallback(laboratory) as tickers:
        laboratory.simulator.fault("omit", symbols=lacking, endpoint="quote")
        laboratory.simulator.fault("500", endpoint="spark")
        run = laboratory.run(tickers)
    assert [need for need, word in run.verdicts.items() if need[1] == "quote" and word != "right"] == []
    assert asked(laboratory, "fmp/profile") == [(symbol,) for symbol in lacking]


def test_what_is_not_in_fmps_plan_is_missing_for_itself_alone(laboratory: Laboratory) -> None:
    with with_fallback(laboratory) as tickers:
        laboratory.simulator.fault("500", endpoint="yahoo")
        laboratory.simulator.fault("402", endpoint="fmp", symbols=["SAA"])
        run = laboratory.run(tickers)
    missing = [need[0] for need in run.of("missing") if need[1] == "quote"]
    assert missing == ["SAA"]
    assert run.report.outcomes["SAA", "quote"].status == "failed"


def test_fmps_429_ends_the_fallback_after_one_request(laboratory: Laboratory) -> None:
    laboratory.simulator.clear_log()
    with with_fallback(laboratory, filled=True) as tickers:
        laboratory.simulator.fault("500", endpoint="yahoo")
        laboratory.simulator.endpoints.fmp_per_day = 0
        run = laboratory.run(tickers)
    assert len(asked(laboratory, "fmp/profile")) == 1
    assert {word for need, word in run.verdicts.items() if need[1] == "quote"} == {"stale"}


def test_a_refused_fmp_key_costs_three_requests_and_is_told(laboratory: Laboratory) -> None:
    laboratory.simulator.clear_log()
    with with_fallback(laboratory, key="no-such-key") as tickers:
        laboratory.simulator.fault("omit", endpoint="quote")
        run = laboratory.run(tickers)
        assert len(asked(laboratory, "fmp/profile")) == 3
        assert {word for need, word in run.verdicts.items() if need[1] == "quote"} == {"missing"}
        reasons = {outcome.reason for need, outcome in run.report.outcomes.items() if need[1] == "quote"}
        assert all(reason for reason in reasons)
        assert "no-such-key" not in str(run.report)


def test_a_price_that_fmp_confirms_is_no_longer_suspect(laboratory: Laboratory) -> None:
    """Both providers show the same leap: it has happened."""
    with with_fallback(laboratory, filled=True) as tickers:
        listing = laboratory.market.listing("SAA")
        assert listing is not None
        leapt = 10.0 * (listing.price or 0.0)
        laboratory.market.set_price("SAA", leapt)
        try:
            tickers.prefetch([("SAA", "quote")])
            quote = tickers.quotes(["SAA"])["SAA"]
        finally:
            laboratory.market.set_price("SAA", None)
        assert quote.record is not None
        assert (quote.record.last, quote.record.source, quote.record.suspect) == (leapt, "fmp", None)
        assert quote.failure is None


# -------------------------------------------------------------------------------------------- circuit breaker


@pytest.mark.parametrize("concurrency", [1, 2])
def test_the_circuit_opens_and_a_probe_closes_it_for_all_that_wait(
    laboratory: Laboratory, concurrency: int
) -> None:
    """Each symbol is a request of its own, so that there is something left to ask behind the probe."""
    needs = [(symbol, "quote") for symbol in BOOK.symbols]
    laboratory.simulator.clear_log()
    settings = {
        "providers": ("fmp",), "fmp_api_key": laboratory.simulator.fmp_key, "yahoo_concurrency": concurrency,
    }  # fmt: skip
    with laboratory.open(laboratory.cache(filled=False), **settings) as tickers:
        laboratory.simulator.fault("503")
        opened = tickers.prefetch(needs)
        assert opened.requests <= 3 + concurrency - 1
        assert {outcome.status for outcome in opened.outcomes.values()} == {"failed"}
        assert any("asked again in" in outcome.reason for outcome in opened.outcomes.values())
        assert tickers.prefetch(needs).requests == 0
        laboratory.clock.advance(31.0)
        assert tickers.prefetch(needs).requests == 1
        laboratory.simulator.clear_faults()
        assert tickers.prefetch(needs).requests == 0
        laboratory.clock.advance(61.0)
        healed = tickers.prefetch(needs)
        assert {outcome.status for outcome in healed.outcomes.values()} == {"fetched"}
        assert healed.requests == len(needs)


# ------------------------------------------------------------------------------------------- isolated symbols


@pytest.mark.parametrize("status", ["400", "500"])
def test_one_symbol_that_breaks_its_batch_is_isolated_with_few_requests(
    laboratory: Laboratory, status: str
) -> None:
    needs = [(symbol, "quote") for symbol in BOOK.symbols]
    with laboratory.open(laboratory.cache(filled=False)) as tickers:
        laboratory.simulator.fault(status, symbols=["SAE"])
        report = tickers.prefetch(needs)
    assert [need[0] for need, outcome in report.outcomes.items() if outcome.status == "failed"] == ["SAE"]
    assert report.requests <= 1 + 2 * 4  # 12 symbols are halved four times


def test_a_wrong_answer_believed_at_first_sight_is_outvoted_by_two_sessions(laboratory: Laboratory) -> None:
    """An answer that agrees with itself about a symbol never seen before: nothing can tell."""
    with laboratory.open(laboratory.cache(filled=False)) as tickers:
        laboratory.simulator.fault("price_and_close_x100", symbols=["SAA"])
        run = laboratory.run(tickers)
        assert ("SAA", "quote") in run.of("wrong")
        laboratory.simulator.clear_faults()
        laboratory.clock.advance(DAY)
        disputed = laboratory.run(tickers)
        assert disputed.failures["SAA", "quote"].kind == "suspect"
        laboratory.clock.advance(DAY)
        assert laboratory.run(tickers).of("wrong") == []
