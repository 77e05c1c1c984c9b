"""Yahoo: rate limits, cookies and crumbs, and everything that may go wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from curl_cffi import requests

from quotewell.clock import SystemClock
from quotewell.endpoints import Lane
from quotewell.errors import ProviderError
from quotewell.providers.yahoo import YahooProvider
from quotewell.records import Quote
from quotewell.settings import Settings
from yahoo_setup import NOW, STOCKS, Setup

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
