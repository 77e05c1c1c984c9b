"""The Yahoo provider over the real yfinance and curl_cffi, against the simulator on this machine."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from curl_cffi import requests

from open_coordinator import OpenCoordinator
from quotewell.clock import SystemClock
from quotewell.coordination.local import LocalCoordinator
from quotewell.endpoints import Call, Fetched, Lane
from quotewell.errors import ProviderError, UsageError
from quotewell.protocols import Clock, Provider
from quotewell.providers.yahoo import YahooProvider
from quotewell.records import Closes, Dividend, Facet, Fx, Need, Payouts, Profile, Quote, Rate
from quotewell.settings import Settings
from quotewell.testing import ManualClock
from quotewell.testing.simulator import Instrument, MarketSimulator
from quotewell.testing.simulator.faults import REPLY_FAULTS, Reply

NOW = dt.datetime(2026, 10, 7, 16, 0, tzinfo=dt.UTC).timestamp()  # Wednesday, 12:00 in New York
STOCKS = tuple(f"S{chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(120))
SPLIT = Instrument(
    symbol="SPLT",
    name="Split Inc.",
    type="stock",
    price=50.0,
    dividend_yield=0.02,
    splits=((dt.date(2026, 9, 1).toordinal(), 4.0),),
)
UNSEEN = Instrument(symbol="QUIET", name="Quiet Inc.", type="stock", price=50.0, dividend_yield=None)


class Setup:
    def __init__(self, simulator: MarketSimulator, clock: ManualClock) -> None:
        self.simulator = simulator
        self.clock = clock
        self.monotonic: Callable[[], float] = clock.monotonic
        self.coordinator = OpenCoordinator(clock)
        self.provider = self.new_provider()

    def new_provider(self, clock: Clock | None = None, request_timeout: float = 15.0) -> YahooProvider:
        settings = Settings(yahoo_base_url=self.simulator.yahoo_url, request_timeout=request_timeout)
        return YahooProvider(settings, self.coordinator, clock or self.clock)

    def in_real_time(self) -> None:
        """Threads wait for each other in real time: a manual clock would run away meanwhile."""
        self.monotonic = SystemClock.monotonic
        self.provider = self.new_provider(SystemClock())

    def call(self, endpoint: str, *symbols: str, facets: tuple[Facet, ...] = ()) -> Call:
        (chosen,) = (each for each in self.provider.endpoints if each.name == endpoint)
        wanted = facets or (("quote",) if "quote" in chosen.facets else tuple(sorted(chosen.facets)))
        needs: frozenset[Need] = frozenset((symbol, facet) for symbol in symbols for facet in wanted)
        return Call(chosen, symbols, needs)

    def fetch(
        self, endpoint: str, *symbols: str, facets: tuple[Facet, ...] = (), deadline: float | None = None
    ) -> Fetched:
        call = self.call(endpoint, *symbols, facets=facets)
        until = self.monotonic() + 20.0 if deadline is None else deadline
        return self.provider.fetch(call, lane=Lane.INTERACTIVE, deadline=until)

    def failure(self, endpoint: str = "quote", *symbols: str) -> ProviderError:
        with pytest.raises(ProviderError) as caught:
            self.fetch(endpoint, *(symbols or ("AAPL", "MSFT")))
        return caught.value

    @property
    def endpoints(self) -> list[str]:
        return [request.endpoint for request in self.simulator.requests]


@pytest.fixture(scope="module")
def running() -> Iterator[MarketSimulator]:
    clock = ManualClock(NOW)
    listed: list[str | Instrument] = ["AAPL", "MSFT", "SPY", "VOD.L", "7203.T", SPLIT, UNSEEN, *STOCKS]
    with MarketSimulator(symbols=listed, now=clock.now) as simulator:
        yield simulator


@pytest.fixture
def setup(running: MarketSimulator) -> Iterator[Setup]:
    running.clear_faults()
    running.clear_log()
    setup = Setup(running, ManualClock(NOW))
    yield setup
    setup.provider.close()
    running.clear_faults()


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


# ------------------------------------------------------------------------------------------------ rate limits


def test_a_429_with_retry_after_is_one_request_and_then_none(setup: Setup) -> None:
    setup.fetch("quote", "AAPL")
    setup.simulator.clear_log()
    setup.simulator.fault("429", retry_after=120, times=1)
    error = setup.failure()
    assert (error.failure, error.retry_at) == ("rate_limited", NOW + 120)
    assert setup.failure("spark", "AAPL").retry_at == NOW + 120
    assert len(setup.simulator.requests) == 1
    setup.clock.advance(120)
    assert setup.fetch("quote", "AAPL").found


def test_a_429_without_retry_after_pauses_for_thirty_seconds(setup: Setup) -> None:
    setup.simulator.fault("429", times=1)
    error = setup.failure()
    assert (error.failure, error.retry_at) == ("rate_limited", NOW + 30)
    assert setup.endpoints == ["cookie", "crumb", "quote"]


@pytest.mark.parametrize("endpoint", ["cookie", "crumb"])
def test_a_429_in_the_handshake_is_one_request(setup: Setup, endpoint: str) -> None:
    setup.simulator.fault("429", endpoint=endpoint)
    assert setup.failure().failure == "rate_limited"
    assert setup.failure().failure == "rate_limited"
    assert setup.endpoints[-1] == endpoint
    assert len(setup.simulator.requests) == (1 if endpoint == "cookie" else 2)


def test_too_many_requests_in_place_of_the_crumb_is_a_rate_limit(setup: Setup) -> None:
    setup.simulator.fault("bad_crumb", times=1)
    error = setup.failure()
    assert (error.failure, error.retry_at) == ("rate_limited", NOW + 30)
    assert setup.endpoints == ["cookie", "crumb"]
    setup.clock.advance(30)
    assert setup.fetch("quote", "AAPL").found


def test_too_many_requests_in_place_of_data_is_a_rate_limit(setup: Setup) -> None:
    setup.simulator.fault("text_429", times=1)
    assert setup.failure().failure == "rate_limited"
    assert len(setup.simulator.data_requests) == 1


def test_another_process_obeys_the_pause(setup: Setup) -> None:
    setup.simulator.fault("429", times=1)
    setup.failure()
    setup.provider = setup.new_provider()
    setup.simulator.clear_log()
    assert setup.failure().retry_at == NOW + 30
    assert setup.simulator.requests == []


# -------------------------------------------------------------------------------------- cookies and crumbs


def test_an_expired_crumb_is_renewed_once(setup: Setup) -> None:
    setup.fetch("quote", "AAPL")
    setup.simulator.expire_crumb()
    assert setup.fetch("quote", "MSFT").found
    assert setup.endpoints == ["cookie", "crumb", "quote", "quote", "cookie", "crumb", "quote"]


@pytest.mark.parametrize("kind", ["401", "unauthorized_body"])
def test_a_crumb_that_is_refused_again_is_denied(setup: Setup, kind: str) -> None:
    setup.simulator.fault(kind)
    assert setup.failure().failure == "denied"
    assert setup.endpoints == ["cookie", "crumb", "quote", "cookie", "crumb", "quote"]


def test_two_threads_with_the_same_expired_crumb_renew_it_once(setup: Setup) -> None:
    setup.in_real_time()
    setup.fetch("quote", "AAPL")
    setup.simulator.clear_log()
    setup.simulator.expire_crumb()
    hang = setup.simulator.fault("hang", times=2, endpoint="quote")
    threads = [threading.Thread(target=setup.fetch, args=("quote", symbol)) for symbol in ("AAPL", "MSFT")]
    for thread in threads:
        thread.start()
    while setup.endpoints != ["quote", "quote"]:
        threads[0].join(0.001)
    hang.release()
    for thread in threads:
        thread.join()
    assert sorted(setup.endpoints) == ["cookie", "crumb", *["quote"] * 4]


@pytest.mark.parametrize("kind", ["html_crumb", "empty_crumb"])
def test_what_is_no_crumb_is_not_used(setup: Setup, kind: str) -> None:
    setup.simulator.fault(kind, times=1)
    assert setup.failure().failure == "server"
    assert setup.endpoints == ["cookie", "crumb"]
    assert setup.fetch("quote", "AAPL").found


@pytest.mark.parametrize(
    ("endpoint", "kind", "failure"), [("cookie", "503", "server"), ("crumb", "403", "denied")]
)
def test_a_handshake_that_fails_fails_the_call(setup: Setup, endpoint: str, kind: str, failure: str) -> None:
    setup.simulator.fault(kind, endpoint=endpoint, times=1)
    assert setup.failure().failure == failure
    assert setup.simulator.data_requests == []
    assert setup.fetch("quote", "AAPL").found


def test_yfinances_cookie_cache_is_neither_written_nor_read(setup: Setup, tmp_path: Path) -> None:
    script = """
import sys
from quotewell.clock import SystemClock
from quotewell.endpoints import Call, Lane
from quotewell.providers.yahoo import YahooProvider
from quotewell.settings import Settings
from open_coordinator import OpenCoordinator
clock = SystemClock()
provider = YahooProvider(Settings(yahoo_base_url=sys.argv[1]), OpenCoordinator(clock), clock)
assert not {"yfinance", "curl_cffi", "pandas", "numpy"} & sys.modules.keys()
call = Call(provider.endpoints[0], ("AAPL",), frozenset({("AAPL", "quote")}))
assert provider.fetch(call, lane=Lane.INTERACTIVE, deadline=clock.monotonic() + 60).found
"""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, setup.simulator.yahoo_url],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.rglob("*")) == []


def test_other_users_of_yfinance_neither_lose_their_session_nor_replace_ours(setup: Setup) -> None:
    setup.fetch("quote", "AAPL")
    from yfinance.data import YfData  # noqa: PLC0415  importing yfinance is the provider's business

    theirs: requests.Session[requests.Response] = requests.Session()
    assert YfData(session=theirs)._session is theirs
    setup.fetch("quote", "MSFT")
    assert YfData()._session is theirs
    assert setup.endpoints == ["cookie", "crumb", "quote", "quote"]
    theirs.close()


def test_the_part_of_yfinance_that_we_use_is_there(setup: Setup) -> None:
    setup.fetch("quote", "AAPL")
    session = setup.provider._session
    assert session is not None
    assert session._data._crumb == setup.simulator.endpoints.crumb
    assert callable(session._data.get_raw_json)
    assert session._data._get_cookie_and_crumb() == (setup.simulator.endpoints.crumb, "basic")


# ------------------------------------------------------------------------------------------- other failures


def test_a_500_for_everything_is_three_requests(setup: Setup) -> None:
    setup.simulator.fault("500")
    assert setup.failure("quote", *STOCKS[:50]).failure == "server"
    assert len(setup.simulator.data_requests) == 3


def test_a_single_500_is_mended_by_the_halves(setup: Setup) -> None:
    setup.simulator.fault("500", times=1)
    fetched = setup.fetch("quote", *STOCKS[:50])
    assert {symbol for symbol, _ in fetched.found} == set(STOCKS[:50])
    assert len(setup.simulator.data_requests) == 3


@pytest.mark.parametrize("endpoint", ["quote", "spark"])
def test_a_symbol_that_breaks_its_batch_is_isolated(setup: Setup, endpoint: str) -> None:
    setup.simulator.fault("400", symbols=[STOCKS[7]])
    batch = STOCKS[:20]
    fetched = setup.fetch(endpoint, *batch)
    (facet,) = {facet for _, facet in setup.call(endpoint, "AAPL").needs}
    assert {symbol for symbol, found in fetched.found if found == facet} == set(batch) - {STOCKS[7]}
    assert {need: error.failure for need, error in fetched.failed.items()} == {(STOCKS[7], facet): "invalid"}
    assert len(setup.simulator.data_requests) <= 11


def test_a_broken_connection_is_tried_once_more(setup: Setup) -> None:
    setup.simulator.fault("cut", times=1)
    assert setup.fetch("quote", "AAPL").found
    assert setup.provider.requests == 2


@pytest.mark.parametrize("kind", ["reset", "cut"])
def test_a_connection_that_always_breaks_is_a_network_failure_after_two_tries(
    setup: Setup, kind: str
) -> None:
    setup.simulator.fault(kind)
    error = setup.failure()
    assert error.failure == "network"
    assert "?" not in str(error)
    assert setup.provider.requests == 2


def test_nobody_there_is_a_network_failure_at_once(setup: Setup) -> None:
    setup.provider = YahooProvider(
        Settings(yahoo_base_url="http://127.0.0.1:9"), setup.coordinator, setup.clock
    )
    assert setup.failure().failure == "network"
    assert (setup.provider.requests, setup.provider.handshakes) == (0, 1)


def test_a_name_that_does_not_resolve_is_a_network_failure(setup: Setup) -> None:
    setup.provider = YahooProvider(
        Settings(yahoo_base_url="http://nobody.invalid"), setup.coordinator, setup.clock
    )
    assert setup.failure().failure == "network"
    assert setup.provider.requests == 0


def test_a_hang_ends_with_the_request_timeout(setup: Setup) -> None:
    setup.fetch("quote", "AAPL")
    impatient = setup.new_provider(SystemClock(), request_timeout=0.3)
    call = setup.call("quote", "AAPL")
    impatient.fetch(call, lane=Lane.INTERACTIVE, deadline=SystemClock.monotonic() + 20)
    setup.simulator.fault("hang")
    began = SystemClock.monotonic()
    with pytest.raises(ProviderError, match="no answer in time") as caught:
        impatient.fetch(call, lane=Lane.INTERACTIVE, deadline=began + 20)
    assert caught.value.failure == "timeout"
    assert 0.25 < SystemClock.monotonic() - began < 5
    impatient.close()


def test_a_hang_ends_with_the_deadline(setup: Setup) -> None:
    setup.fetch("quote", "AAPL")
    setup.simulator.fault("hang")
    with pytest.raises(ProviderError, match="no answer in time"):
        setup.fetch("quote", "AAPL", deadline=setup.clock.monotonic() + 0.3)


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("html", "server"),
        ("truncated", "server"),
        ("empty_body", "server"),
        ("error_body", "server"),
        ("string_body", "server"),
    ],
)
@pytest.mark.parametrize("endpoint", ["quote", "spark", "chart", "quote_summary"])
def test_answers_under_200_that_are_no_data(setup: Setup, endpoint: str, kind: str, failure: str) -> None:
    setup.simulator.fault(kind)
    assert setup.failure(endpoint, "AAPL").failure == failure
    assert len(setup.simulator.data_requests) == 1


@pytest.mark.parametrize("endpoint", ["quote", "spark"])
def test_strings_in_place_of_rows_are_omissions(setup: Setup, endpoint: str) -> None:
    setup.simulator.fault("string_rows")
    fetched = setup.fetch(endpoint, "AAPL")
    assert fetched.omitted == setup.call(endpoint, "AAPL").needs


def test_an_omitted_symbol_is_reported(setup: Setup) -> None:
    setup.simulator.fault("omit", symbols=["MSFT"])
    fetched = setup.fetch("quote", "AAPL", "MSFT")
    assert fetched.omitted == {("MSFT", "quote")}
    assert ("AAPL", "quote") in fetched.found


def test_a_batch_with_only_its_last_symbol_is_asked_again_once(setup: Setup) -> None:
    setup.simulator.fault("only_last", times=1)
    fetched = setup.fetch("quote", "AAPL", "MSFT", "SPY")
    assert not fetched.omitted
    assert [request.symbols for request in setup.simulator.data_requests] == [
        ("AAPL", "MSFT", "SPY"),
        ("AAPL", "MSFT"),
    ]


@pytest.mark.parametrize("kind", ["null_price", "nan_price"])
def test_no_price_is_no_quote_but_leaves_the_rest(setup: Setup, kind: str) -> None:
    setup.simulator.fault(kind, symbols=["AAPL"])
    fetched = setup.fetch("quote", "AAPL", "MSFT")
    assert fetched.failed["AAPL", "quote"].failure == "invalid"
    assert {("MSFT", "quote"), ("AAPL", "profile")} <= fetched.found.keys()


def test_no_currency_stays_unknown(setup: Setup) -> None:
    setup.simulator.fault("no_currency")
    quote = setup.fetch("quote", "VOD.L").found["VOD.L", "quote"]
    assert isinstance(quote, Quote)
    assert quote.currency is None


def test_rows_that_come_twice_and_in_another_order_are_sorted_out(setup: Setup) -> None:
    good = setup.fetch("quote", "AAPL", "MSFT", "SPY").found
    setup.simulator.fault("duplicated")
    assert setup.fetch("quote", "AAPL", "MSFT", "SPY").found == good
    assert setup.fetch("spark", "AAPL", "MSFT").closes.keys() == {"AAPL", "MSFT"}


def test_errors_carry_neither_crumb_nor_query(setup: Setup) -> None:
    setup.fetch("quote", "AAPL")
    for kind in ("500", "html", "cut", "429"):
        setup.simulator.fault(kind)
        text = str(setup.failure("chart", "AAPL"))
        assert setup.simulator.endpoints.crumb not in text
        assert "symbols=" not in text
        setup.simulator.clear_faults()
        setup.coordinator.resume("yahoo")


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
