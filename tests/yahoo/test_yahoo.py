"""The Yahoo provider over the real yfinance and curl_cffi, against the simulator on this machine."""

from __future__ import annotations

import datetime as dt
import os
import threading

import msgspec
import pytest

from quotewell.coordination.local import LocalCoordinator
from quotewell.endpoints import Call, Lane
from quotewell.errors import ProviderError, UsageError
from quotewell.protocols import Provider
from quotewell.providers.yahoo import YahooProvider
from quotewell.records import Closes, Dividend, Facet, Fx, Need, Payouts, Profile, Quote, Rate
from quotewell.settings import Settings
from quotewell.testing.simulator.faults import REPLY_FAULTS, Reply
from yahoo_setup import NOW, SPLIT, STOCKS, Setup

# --------------------------------------------------------------------------------------------- requests sent


def test_the_first_request_costs_two_for_the_handshake_and_later_ones_none(setup: Setup) -> None:
    setup.fetch("quote", "AAPL")
    setup.fetch("quote", "MSFT")
    assert setup.endpoints == ["cookie", "crumb", "quote", "quote"]
    assert (setup.provider.requests, setup.provider.handshakes) == (2, 2)
    assert len(setup.coordinator.spent) == 4


@pytest.mark.parametrize(("endpoint", "batch", "requests"), [("quote", 50, 3), ("spark", 20, 6)])
def test_120_symbols_cost_one_request_a_batch(setup: Setup, endpoint: str, batch: int, requests: int) -> None:
    per_call = setup.call(endpoint, "AAPL").endpoint.symbols_per_call
    assert per_call == batch
    found: set[Need] = set()
    for start in range(0, len(STOCKS), per_call):
        found |= setup.fetch(endpoint, *STOCKS[start : start + per_call]).found.keys()
    facet = "quote" if endpoint == "quote" else "history"
    assert found >= {(symbol, facet) for symbol in STOCKS}
    assert setup.provider.requests == len(setup.simulator.data_requests) == requests


def test_handshake_and_data_alike_keep_to_the_rate_limit(setup: Setup) -> None:
    settings = Settings(yahoo_base_url=setup.simulator.yahoo_url, yahoo_rate=2.0, yahoo_burst=2)
    setup.provider = YahooProvider(settings, LocalCoordinator(setup.clock), setup.clock)
    for symbol in ("AAPL", "MSFT", "SPY"):
        setup.fetch("quote", symbol)
    assert setup.clock.now() - NOW == pytest.approx(3 / (0.95 * 2.0))


def test_threads_share_one_handshake(setup: Setup) -> None:
    setup.in_real_time()
    threads = [threading.Thread(target=setup.fetch, args=("quote", symbol)) for symbol in STOCKS[:6]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(setup.endpoints) == ["cookie", "crumb", *["quote"] * 6]


def test_a_deadline_that_has_passed_sends_nothing(setup: Setup) -> None:
    with pytest.raises(ProviderError, match="deadline") as caught:
        setup.fetch("quote", "AAPL", deadline=setup.clock.monotonic())
    assert caught.value.failure == "timeout"
    assert setup.endpoints == []


def test_the_wait_for_another_threads_handshake_ends_at_the_deadline(setup: Setup) -> None:
    hang = setup.simulator.fault("hang", endpoint="crumb", times=1)
    first = threading.Thread(target=setup.fetch, args=("quote", "AAPL"))
    first.start()
    while "crumb" not in setup.endpoints:
        first.join(0.001)
    with pytest.raises(ProviderError, match="deadline"):
        setup.fetch("quote", "MSFT", deadline=setup.clock.monotonic() + 1.0)
    hang.release()
    first.join()
    assert setup.endpoints == ["cookie", "crumb", "quote"]


# --------------------------------------------------------------------------------------------- what is found


def test_a_quote_call_brings_everything_that_came_along(setup: Setup) -> None:
    symbols = ("AAPL", "VOD.L", "EURUSD=X", "^TNX", "AAPL261218C00300000")
    found = setup.fetch("quote", *symbols).found
    quotes = [found[symbol, "quote"] for symbol in symbols]
    assert [quote.symbol for quote in quotes] == list(symbols)
    assert [(quote.currency, quote.type) for quote in quotes if isinstance(quote, Quote)] == [
        ("USD", "stock"),
        ("GBp", "stock"),
        ("USD", "currency"),
        ("USD", "index"),
        ("USD", "option"),
    ]
    assert {(record.source, record.fetched_at) for record in quotes} == {("yahoo", NOW)}
    assert [NOW - (record.as_of or 0.0) for record in quotes] == [
        0.0,
        3599.0,
        0.0,
        0.0,
        0.0,
    ]  # London has closed
    profile, dividend = found["AAPL", "profile"], found["AAPL", "dividend"]
    fx, rate = found["EURUSD=X", "fx"], found["^TNX", "rate"]
    assert isinstance(profile, Profile)
    assert isinstance(dividend, Dividend)
    assert isinstance(fx, Fx)
    assert isinstance(rate, Rate)
    assert (profile.name, profile.stated_beta, profile.time_zone) == ("Apple Inc.", 1.1, "America/New_York")
    assert dividend.dividend_yield == pytest.approx(0.0033)
    assert fx.rate == pytest.approx(1.17, abs=0.02)
    assert rate.rate == pytest.approx(0.0408, abs=0.001)
    assert rate.years == 10.0


def test_spark_brings_completed_closes_for_three_years(setup: Setup) -> None:
    fetched = setup.fetch("spark", "AAPL", "7203.T", "NOPE")
    assert fetched.found.keys() == {("AAPL", "history"), ("7203.T", "history")}
    assert fetched.omitted == {("NOPE", "history")}
    days = {symbol: dt.date.fromordinal(closes.dates[-1]) for symbol, closes in fetched.closes.items()}
    assert days == {"AAPL": dt.date(2026, 10, 6), "7203.T": dt.date(2026, 10, 7)}
    assert all(len(closes.closes) == 800 for closes in fetched.closes.values())


def test_a_chart_brings_the_same_closes_with_splits_and_dividends(setup: Setup) -> None:
    spark = setup.fetch("spark", "SPLT").closes["SPLT"]
    chart = setup.fetch("chart", "SPLT").closes["SPLT"]
    assert isinstance(chart, Closes)
    assert (chart.dates, chart.closes) == (spark.dates, spark.closes)
    assert [(split.date, split.ratio) for split in chart.splits] == list(SPLIT.splits)
    assert len(chart.dividends) in (19, 20, 21)
    assert spark.splits == ()


def test_a_whole_chart_tells_all_dividends_and_the_end_of_one_none(setup: Setup) -> None:
    whole = setup.fetch("chart", "SPLT")
    payouts = whole.found["SPLT", "payouts"]
    assert isinstance(payouts, Payouts)
    assert payouts.events == whole.closes["SPLT"].dividends
    assert (payouts.source, payouts.fetched_at) == ("yahoo", NOW)
    setup.simulator.market.add("AMD")
    silent = setup.fetch("chart", "AMD", facets=("payouts",)).found["AMD", "payouts"]
    assert isinstance(silent, Payouts)
    assert silent.events == ()
    since = whole.closes["SPLT"].dates[-300]
    call = msgspec.structs.replace(setup.call("chart", "SPLT", facets=("history",)), since=since)
    end = setup.provider.fetch(call, lane=Lane.INTERACTIVE, deadline=setup.monotonic() + 20.0)
    assert end.closes["SPLT"].dividends
    assert end.found.keys() == {("SPLT", "history")}


def test_a_summary_brings_stated_beta_and_yield(setup: Setup) -> None:
    found = setup.fetch("quote_summary", "AAPL").found
    profile, dividend = found["AAPL", "profile"], found["AAPL", "dividend"]
    assert isinstance(profile, Profile)
    assert isinstance(dividend, Dividend)
    assert (profile.stated_beta, profile.type, profile.currency) == (1.1, "stock", "USD")
    assert dividend.dividend_yield == 0.0033


@pytest.mark.parametrize("endpoint", ["chart", "quote_summary"])
def test_not_found_is_unknown(setup: Setup, endpoint: str) -> None:
    fetched = setup.fetch(endpoint, "NOPE")
    assert fetched.unknown == setup.call(endpoint, "NOPE").needs
    assert len(setup.simulator.data_requests) == 1


def test_a_404_that_does_not_speak_of_the_symbol_is_an_error(setup: Setup) -> None:
    setup.simulator.fault("404")
    assert setup.failure("chart", "AAPL").failure == "invalid"


@pytest.mark.parametrize(
    ("symbol", "path"), [("^GSPC", "/v8/finance/chart/^GSPC"), ("EURUSD=X", "/v8/finance/chart/EURUSD=X")]
)
def test_symbols_with_signs_go_into_the_path(setup: Setup, symbol: str, path: str) -> None:
    assert setup.fetch("chart", symbol).found
    assert setup.simulator.data_requests[0].path == path


def test_every_asked_need_has_an_outcome(setup: Setup) -> None:
    facets: tuple[Facet, ...] = ("quote", "profile", "dividend", "fx", "rate", "risk")
    setup.simulator.fault("null_price", symbols=["EURUSD=X"])
    fetched = setup.fetch("quote", "AAPL", "EURUSD=X", "^IRX", "NOPE", "QUIET", facets=facets)
    assert fetched.omitted == {("NOPE", facet) for facet in facets}
    assert {need: error.failure for need, error in fetched.failed.items()} == {
        ("AAPL", "fx"): "unsupported",
        ("AAPL", "rate"): "unsupported",
        ("AAPL", "risk"): "unsupported",
        ("QUIET", "fx"): "unsupported",
        ("QUIET", "rate"): "unsupported",
        ("QUIET", "risk"): "unsupported",
        ("EURUSD=X", "quote"): "invalid",
        ("EURUSD=X", "fx"): "invalid",
        ("EURUSD=X", "rate"): "invalid",
        ("EURUSD=X", "risk"): "unsupported",
        ("^IRX", "fx"): "unsupported",
        ("^IRX", "risk"): "unsupported",
    }
    silent = fetched.found["QUIET", "dividend"]
    assert isinstance(silent, Dividend)
    assert (silent.dividend_yield, silent.fetched_at) == (None, NOW)


def test_a_yield_that_nobody_asked_for_and_nobody_knows_is_not_brought_along(setup: Setup) -> None:
    assert ("QUIET", "dividend") not in setup.fetch("quote", "QUIET").found


def test_a_history_without_closes_is_insufficient(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"chart":{"result":[{"meta":{"symbol":"NEW"},"indicators":{"quote":[{}]}}],"error":null}}'
    monkeypatch.setitem(REPLY_FAULTS, "no_bars", lambda _, __: Reply(200, body))
    setup.simulator.fault("no_bars")
    failed = setup.fetch("chart", "NEW").failed
    assert {need: error.failure for need, error in failed.items()} == {
        ("NEW", "history"): "insufficient",
        ("NEW", "payouts"): "insufficient",
    }


def test_a_single_spark_symbol_that_is_not_found_is_unknown(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b'{"spark":{"result":null,"error":{"code":"Not Found","description":"No data found"}}}'
    monkeypatch.setitem(REPLY_FAULTS, "not_found", lambda _, __: Reply(404, body))
    setup.simulator.fault("not_found", symbols=["NEW"])
    fetched = setup.fetch("spark", "AAPL", "NEW")
    assert fetched.found.keys() == {("AAPL", "history")}
    assert fetched.unknown == {("NEW", "history")}


# -------------------------------------------------------------------------------------------------- the rest


def test_it_is_a_provider(setup: Setup) -> None:
    provider: Provider = setup.provider
    assert {endpoint.provider for endpoint in provider.endpoints} == {provider.name}


def test_an_endpoint_of_another_provider_is_refused(setup: Setup) -> None:
    call = setup.call("quote", "AAPL")
    foreign = Call(type(call.endpoint)("fmp", "profile", frozenset(), 1), call.symbols, call.needs)
    with pytest.raises(ProviderError, match="no endpoint 'profile'"):
        setup.provider.fetch(foreign, lane=Lane.INTERACTIVE, deadline=20.0)


def test_a_base_url_without_a_scheme_is_a_usage_error(setup: Setup) -> None:
    with pytest.raises(UsageError, match="is no URL"):
        YahooProvider(Settings(yahoo_base_url="localhost:8000"), setup.coordinator, setup.clock)


def test_a_base_url_may_have_a_path(setup: Setup) -> None:
    settings = Settings(yahoo_base_url=f"{setup.simulator.yahoo_url}/mirror/")
    setup.provider = YahooProvider(settings, setup.coordinator, setup.clock)
    setup.failure()
    assert [request.path for request in setup.simulator.requests] == ["/mirror/", "/mirror/v1/test/getcrumb"]


def test_without_a_base_url_it_is_yahoo_itself(setup: Setup) -> None:
    from quotewell.providers.yahoo_session import _Session  # noqa: PLC0415  imports yfinance

    session = _Session(setup.provider._transport, None)
    assert session._rewritten("https://fc.yahoo.com") == "https://fc.yahoo.com"
    assert session.curl_options == {}
    session.close()


def test_after_close_the_next_call_opens_a_new_connection(setup: Setup) -> None:
    setup.fetch("quote", "AAPL")
    setup.provider.close()
    setup.provider.close()
    assert setup.fetch("quote", "AAPL").found
    assert setup.endpoints == ["cookie", "crumb", "quote"] * 2


def test_a_forked_child_does_not_use_its_parents_connection(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.fetch("quote", "AAPL")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert setup.fetch("quote", "AAPL").found
    assert setup.endpoints == ["cookie", "crumb", "quote"] * 2
