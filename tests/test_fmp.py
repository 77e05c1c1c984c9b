from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from open_coordinator import OpenCoordinator
from quotewell.endpoints import Call, Endpoint, Fetched, Grant, Lane
from quotewell.errors import ProviderError, UsageError
from quotewell.providers.fmp import FmpProvider
from quotewell.settings import Settings
from quotewell.testing import ManualClock

KEY = "s3cret-key"
SOON = 100.0

Respond = Callable[[httpx.Request], httpx.Response]


def row(symbol: str) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "price": 100.0,
        "change": 1.0,
        "beta": 1.2,
        "lastDividend": 2.0,
        "companyName": f"{symbol} Inc.",
        "currency": "USD",
        "exchange": "NASDAQ",
        "isEtf": False,
        "isFund": False,
        "isActivelyTrading": True,
        "previousClose": 99.0,
        "timestamp": 1_736_953_000,
    }


def listed(request: httpx.Request) -> list[str]:
    parameters: httpx.QueryParams = request.url.params
    return str(parameters.get("symbols") or parameters.get("symbol")).split(",")


def everything(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=[row(symbol) for symbol in listed(request)])


class Server:
    """Answers with `respond` and keeps the requests."""

    def __init__(self) -> None:
        self.respond: Respond = everything
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        return self.respond(request)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def coordinator(clock: ManualClock) -> OpenCoordinator:
    return OpenCoordinator(clock)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def provider(clock: ManualClock, coordinator: OpenCoordinator, server: Server) -> Iterator[FmpProvider]:
    settings = Settings(fmp_api_key=KEY, fmp_batch_quotes=True, fmp_base_url="https://fmp.test/stable/")
    with httpx.Client(transport=httpx.MockTransport(server)) as client:
        yield FmpProvider(settings, coordinator, clock, client)


def ask(provider: FmpProvider, endpoint: Endpoint, *symbols: str, deadline: float = SOON) -> Fetched:
    needs = frozenset((symbol, facet) for symbol in symbols for facet in endpoint.facets)
    return provider.fetch(Call(endpoint, symbols, needs), lane=Lane.PREFETCH, deadline=deadline)


def profile(provider: FmpProvider, *symbols: str, deadline: float = SOON) -> Fetched:
    return ask(provider, provider.endpoints[0], *symbols, deadline=deadline)


def batch(provider: FmpProvider, *symbols: str) -> Fetched:
    return ask(provider, provider.endpoints[1], *symbols)


def test_one_profile_brings_quote_profile_and_dividend(provider: FmpProvider, server: Server) -> None:
    fetched = profile(provider, "AAPL")
    assert fetched.found.keys() == {("AAPL", facet) for facet in ("quote", "profile", "dividend")}
    assert (fetched.unknown, fetched.omitted, fetched.failed) == (set(), set(), {})
    (request,) = server.seen
    assert str(request.url) == "https://fmp.test/stable/profile?symbol=AAPL"
    assert provider.requests == 1


def test_the_batch_endpoint_exists_only_where_the_plan_has_it(
    clock: ManualClock, coordinator: OpenCoordinator
) -> None:
    plain = FmpProvider(Settings(fmp_api_key=KEY), coordinator, clock)
    assert [endpoint.name for endpoint in plain.endpoints] == ["profile"]


def test_a_batch_is_one_request_and_says_what_was_left_out(provider: FmpProvider, server: Server) -> None:
    server.respond = lambda _: httpx.Response(200, json=[row("AAPL"), row("OTHER")])
    fetched = batch(provider, "AAPL", "MSFT")
    assert fetched.found.keys() == {("AAPL", "quote")}
    assert fetched.omitted == {("MSFT", "quote")}
    assert listed(server.seen[0]) == ["AAPL", "MSFT"]
    assert provider.requests == 1


def test_the_key_travels_in_a_header_and_shows_nowhere(provider: FmpProvider, server: Server) -> None:
    server.respond = lambda _: httpx.Response(401, json={"Error Message": f"Invalid API KEY {KEY}"})
    with pytest.raises(ProviderError) as raised:
        profile(provider, "AAPL")
    assert raised.value.failure == "denied"
    assert server.seen[0].headers["apikey"] == KEY
    assert KEY not in str(server.seen[0].url)
    shown = "".join(traceback.format_exception(raised.value)) + repr(raised.value) + repr(provider)
    assert KEY not in shown


@pytest.mark.parametrize("key", [None, "", "  ", "line\nbreak", "schlüssel"])
def test_a_key_that_cannot_be_sent_is_refused_without_showing_it(
    key: str | None, clock: ManualClock, coordinator: OpenCoordinator
) -> None:
    with pytest.raises(UsageError, match="the key is missing or has") as raised:
        FmpProvider(Settings(fmp_api_key=key), coordinator, clock)
    assert "schl" not in str(raised.value)
    assert "QUOTEWELL_FMP_API_KEY" in raised.value.hint


def test_an_empty_profile_is_an_unknown_symbol(provider: FmpProvider, server: Server) -> None:
    server.respond = lambda _: httpx.Response(200, json=[])
    fetched = profile(provider, "NOSUCH")
    assert fetched.unknown == {("NOSUCH", facet) for facet in ("quote", "profile", "dividend")}


def test_what_a_profile_lacks_is_a_failure_with_its_reason(provider: FmpProvider, server: Server) -> None:
    server.respond = lambda _: httpx.Response(200, json=[row("AAPL") | {"lastDividend": None}])
    fetched = profile(provider, "AAPL")
    assert fetched.failed.keys() == {("AAPL", "dividend")}
    assert str(fetched.failed["AAPL", "dividend"]) == "fmp: AAPL: the profile has no usable dividend"


@pytest.mark.parametrize("symbol", ["AAPL250417C00220000", "EURUSD=X", "BTC-USD", "ES=F", "^GSPC", "^IRX"])
def test_what_fmp_writes_otherwise_is_unsupported_without_a_request(
    provider: FmpProvider, server: Server, symbol: str
) -> None:
    for fetched in (profile(provider, symbol), batch(provider, symbol)):
        assert fetched.failed[symbol, "quote"].failure == "unsupported"
    assert server.seen == []


def test_an_answer_that_cannot_be_read_fails_the_call(provider: FmpProvider, server: Server) -> None:
    server.respond = lambda _: httpx.Response(200, text="<html>")
    for ask_for in (profile, batch):
        with pytest.raises(ProviderError) as raised:
            ask_for(provider, "AAPL")
        assert raised.value.failure == "invalid"


class TestNotInThePlan:
    def test_402_for_a_profile_denies_that_symbol_only(self, provider: FmpProvider, server: Server) -> None:
        server.respond = lambda _: httpx.Response(402, text="Restricted Endpoint")
        fetched = profile(provider, "VOD.L")
        assert {error.failure for error in fetched.failed.values()} == {"denied"}
        assert len(fetched.failed) == 3
        server.respond = everything
        assert profile(provider, "AAPL").found

    def test_402_for_a_batch_is_halved_down_to_the_symbol(
        self, provider: FmpProvider, server: Server
    ) -> None:
        def one_is_not_in_the_plan(request: httpx.Request) -> httpx.Response:
            return httpx.Response(402) if "VOD.L" in listed(request) else everything(request)

        server.respond = one_is_not_in_the_plan
        fetched = batch(provider, "AAPL", "MSFT", "VOD.L", "KO")
        assert fetched.found.keys() == {("AAPL", "quote"), ("MSFT", "quote"), ("KO", "quote")}
        assert fetched.failed["VOD.L", "quote"].failure == "denied"
        assert "VOD.L: not in the plan" in str(fetched.failed["VOD.L", "quote"])

    def test_402_for_the_whole_endpoint_denies_the_batch_after_three_requests(
        self, provider: FmpProvider, server: Server
    ) -> None:
        server.respond = lambda _: httpx.Response(402)
        fetched = batch(provider, "AAPL", "MSFT", "KO", "PG")
        assert {error.failure for error in fetched.failed.values()} == {"denied"}
        assert len(fetched.failed) == 4
        assert provider.requests == 3


@pytest.mark.parametrize(
    ("status", "failure"),
    [(401, "denied"), (403, "denied"), (404, "invalid"), (500, "server"), (503, "server"), (302, "invalid"),
     (204, "invalid")],
)  # fmt: skip
def test_other_statuses_fail_the_whole_call(
    provider: FmpProvider, server: Server, status: int, failure: str
) -> None:
    server.respond = lambda _: httpx.Response(status)
    for ask_for in (profile, batch):
        with pytest.raises(ProviderError, match=f"HTTP {status}") as raised:
            ask_for(provider, "AAPL")
        assert raised.value.failure == failure


def test_a_server_error_for_one_symbol_of_a_batch_spares_the_others(
    provider: FmpProvider, server: Server
) -> None:
    server.respond = lambda request: httpx.Response(500) if "BAD" in listed(request) else everything(request)
    fetched = batch(provider, "AAPL", "BAD", "MSFT")
    assert fetched.found.keys() == {("AAPL", "quote"), ("MSFT", "quote")}
    assert fetched.failed["BAD", "quote"].failure == "server"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(429, headers={"Retry-After": "120"}),
        httpx.Response(200, json={"Error Message": "Limit Reach ."}, headers={"Retry-After": "120"}),
    ],
    ids=["429", "200"],
)  # fmt: skip
def test_a_limit_pauses_the_provider_and_sends_nothing_more(
    provider: FmpProvider, server: Server, clock: ManualClock, answer: httpx.Response
) -> None:
    server.respond = lambda _: answer
    with pytest.raises(ProviderError) as raised:
        profile(provider, "AAPL")
    assert (raised.value.failure, raised.value.retry_at) == ("rate_limited", clock.now() + 120.0)
    with pytest.raises(ProviderError) as raised:
        profile(provider, "MSFT")
    assert raised.value.failure == "rate_limited"
    assert provider.requests == 1


def test_a_spent_day_sends_nothing(
    provider: FmpProvider, server: Server, coordinator: OpenCoordinator
) -> None:
    coordinator.grants.append(Grant(0.0, "250 of 250 requests used today", 1.0, "quota"))
    with pytest.raises(ProviderError) as raised:
        profile(provider, "AAPL")
    assert raised.value.failure == "quota"
    assert server.seen == []


@pytest.mark.parametrize(("per_day", "limit"), [(250, 250), (0, None), (None, None)])
def test_every_request_spends_from_the_daily_allowance(
    per_day: int | None, limit: int | None, clock: ManualClock, coordinator: OpenCoordinator, server: Server
) -> None:
    settings = Settings(fmp_api_key=KEY, fmp_per_day=per_day, fmp_rate=3.0, fmp_burst=7)
    with httpx.Client(transport=httpx.MockTransport(server)) as client:
        profile(FmpProvider(settings, coordinator, clock, client), "AAPL")
    ((name, asked, lane, _),) = coordinator.spent
    assert (name, lane) == ("fmp", Lane.PREFETCH)
    assert (asked.rate, asked.burst, asked.per_day) == (3.0, 7, limit)


class TestConnections:
    def failing(self, error: Exception, times: int) -> Respond:
        left = [error] * times

        def respond(request: httpx.Request) -> httpx.Response:
            if left:
                raise left.pop()
            return everything(request)

        return respond

    def test_a_broken_connection_is_tried_once_more(self, provider: FmpProvider, server: Server) -> None:
        server.respond = self.failing(httpx.RemoteProtocolError("closed"), 1)
        assert profile(provider, "AAPL").found
        assert provider.requests == 2
        server.respond = self.failing(httpx.ReadError("reset"), 2)
        with pytest.raises(ProviderError, match="connection broken") as raised:
            profile(provider, "AAPL")
        assert raised.value.failure == "network"

    @pytest.mark.parametrize(
        ("error", "failure"),
        [
            (httpx.ConnectError("refused"), "network"),
            (httpx.ConnectTimeout("slow"), "timeout"),
            (httpx.ReadTimeout("slow"), "timeout"),
            (httpx.InvalidURL("what"), "invalid"),
        ],
    )
    def test_errors_of_the_http_library_are_provider_errors(
        self, provider: FmpProvider, server: Server, error: Exception, failure: str
    ) -> None:
        server.respond = self.failing(error, 1)
        with pytest.raises(ProviderError) as raised:
            profile(provider, "AAPL")
        assert raised.value.failure == failure
        assert provider.requests == 1

    def test_a_body_that_drips_in_is_cut_off_at_the_deadline(
        self, provider: FmpProvider, server: Server, clock: ManualClock
    ) -> None:
        def drip() -> Iterator[bytes]:
            while True:
                clock.advance(4.0)
                yield b" "

        server.respond = lambda _: httpx.Response(200, content=drip())
        with pytest.raises(ProviderError) as raised:
            profile(provider, "AAPL", deadline=10.0)
        assert raised.value.failure == "timeout"
        assert clock.monotonic() == 12.0

    def test_a_passed_deadline_sends_nothing(self, provider: FmpProvider, server: Server) -> None:
        with pytest.raises(ProviderError):
            profile(provider, "AAPL", deadline=0.0)
        assert server.seen == []


def test_it_makes_its_own_client_at_the_first_request_and_closes_it(
    clock: ManualClock, coordinator: OpenCoordinator
) -> None:
    settings = Settings(fmp_api_key=KEY, fmp_base_url="http://127.0.0.1:1/stable")
    provider = FmpProvider(settings, coordinator, clock)
    provider.close()
    for _ in range(2):
        with pytest.raises(ProviderError) as raised:
            profile(provider, "AAPL")
        assert raised.value.failure == "network"
    provider.close()
    provider.close()


def test_a_given_client_is_left_open(
    clock: ManualClock, coordinator: OpenCoordinator, server: Server
) -> None:
    with httpx.Client(transport=httpx.MockTransport(server)) as client:
        provider = FmpProvider(Settings(fmp_api_key=KEY), coordinator, clock, client)
        provider.close()
        assert not client.is_closed


def test_importing_the_provider_does_not_import_the_http_library() -> None:
    code = "import sys, quotewell.providers.fmp; print(not {'httpx', 'numpy'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
