"""`/api/v1/tickers`: rows as the commands print them, and for how long a client may use them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api_parts import PREFIX, Api, serving
from engine_parts import fetches_ended
from quotewell.settings import Settings
from quotewell.testing import FakeProvider
from quotewell.views.api import work
from quotewell.views.explanation import Explanation
from quotewell.views.quotes import Row


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as one:
        yield one


def test_a_ticker_is_a_row(api: Api) -> None:
    answer = api.get("/tickers/aapl")
    row = answer.json()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert list(row) == list(Row.__struct_fields__)
    assert (row["symbol"], row["price"], row["freshness"], row["source"]) == ("AAPL", 200.0, "fresh", "fake")
    assert row["beta"] == pytest.approx(1.5, abs=0.01)


def test_an_unknown_ticker_is_not_found_and_says_who_does_not_know_it(api: Api) -> None:
    answer = api.get("/tickers/NOPE")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "NOPE: fake knows no quote of NOPE",
        "kind": "not_found",
        "hint": "",
    }


def test_what_is_no_symbol_is_refused(api: Api) -> None:
    answer = api.get("/tickers/!!!")
    assert (answer.status_code, answer.json()["kind"]) == (422, "symbol")


def test_without_a_value_it_is_unavailable_and_says_when_to_ask_again(api: Api) -> None:
    api.provider.failure = "network"
    answer = api.get("/tickers/AAPL")
    assert (answer.status_code, answer.json()["kind"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) == 30  # the throttle of a first failure


def test_a_stale_value_is_served_and_marked(api: Api) -> None:
    api.get("/tickers/AAPL")
    api.clock.advance(3600)
    api.provider.failure = "network"
    answer = api.get("/tickers/AAPL")
    assert answer.status_code == 200
    row = answer.json()
    assert (row["price"], row["freshness"], row["error"]) == (200.0, "stale", "told to fail: network")
    assert answer.headers["cache-control"] == "private, no-cache"


def test_many_are_rows_in_the_order_asked_and_each_has_an_outcome(api: Api) -> None:
    rows = api.get("/tickers", params={"symbols": ["MSFT,NOPE", " aapl", "?!?"]}).json()
    assert [row["symbol"] for row in rows] == ["MSFT", "NOPE", "AAPL", "?!?"]
    assert [row["price"] for row in rows] == [400.0, None, 200.0, None]
    assert "knows no quote" in rows[1]["error"]
    assert rows[3]["error"]


@pytest.mark.parametrize("symbols", ["", ",,", ",".join(f"S{n}" for n in range(501))])
def test_too_many_or_none_at_all_are_refused(api: Api, symbols: str) -> None:
    answer = api.get("/tickers", params={"symbols": symbols})
    assert (answer.status_code, answer.json()["kind"]) == (400, "usage")
    assert "500" in answer.json()["hint"]
    assert not api.provider.calls


def test_explain_is_what_the_command_prints(api: Api) -> None:
    document = api.get("/tickers/AAPL/explain").json()
    assert list(document) == list(Explanation.__struct_fields__)
    assert list(document["facets"]) == ["quote", "profile", "risk", "dividend", "payouts", "history"]
    assert document["facets"]["risk"]["values"]["benchmark"] == "^GSPC"


@pytest.mark.parametrize("path", ["/tickers/AAPL", "/tickers?symbols=AAPL,MSFT", "/tickers/AAPL/explain"])
def test_a_client_may_use_it_until_the_first_value_grows_old(api: Api, path: str) -> None:
    first = api.get(path)
    directives = first.headers["cache-control"].split(", ")
    assert directives[0] == "private"
    seconds = int(directives[1].removeprefix("max-age="))
    assert 270 <= seconds <= 300  # five minutes less the jitter
    api.clock.advance(60)
    later = int(api.get(path).headers["cache-control"].removeprefix("private, max-age="))
    assert later == pytest.approx(seconds - 60, abs=1)


@pytest.mark.parametrize("path", ["/tickers/AAPL", "/tickers?symbols=AAPL,MSFT", "/tickers/AAPL/explain"])
def test_what_a_client_has_is_not_sent_again_until_it_changes(api: Api, path: str) -> None:
    tag = api.get(path).headers["etag"]
    for _ in range(3):  # from the provider, from memory, and as it was kept
        same = api.get(path, headers={"if-none-match": f'"other", {tag}'})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert api.get(path, headers={"if-none-match": '"other"'}).status_code == 200
    api.provider.prices["AAPL"] = 201.0
    api.tickers.refresh(["AAPL"])
    new = api.get(path, headers={"if-none-match": tag})
    assert new.status_code == 200
    assert new.headers["etag"] != tag


def hot(api: Api) -> Api:
    for _ in range(3):
        api.get("/tickers/AAPL")
    return api


def test_a_hot_ticker_is_the_same_answer_and_counts_as_a_hit(api: Api) -> None:
    hot(api)
    before = api.tickers.cache_stats().facets["quote"].memory_hits
    answers = [api.get("/tickers/AAPL") for _ in range(5)]
    assert {answer.content for answer in answers} == {api.get("/tickers/aapl").content}
    assert api.tickers.cache_stats().facets["quote"].memory_hits == before + 6


def test_a_hot_ticker_follows_every_change(api: Api) -> None:
    hot(api)
    api.provider.prices["AAPL"] = 210.0
    api.tickers.refresh(["AAPL"])
    assert api.get("/tickers/AAPL").json()["price"] == 210.0
    hot(api)
    api.provider.prices["AAPL"] = 220.0
    api.tickers.invalidate(["AAPL"], hard=True)
    assert api.get("/tickers/AAPL").json()["price"] == 220.0
    hot(api)
    api.clock.advance(3600)
    api.provider.prices["AAPL"] = 230.0
    assert api.get("/tickers/AAPL").json()["price"] == 230.0


async def together(api: Api, symbols: list[str]) -> list[Any]:
    """Ask for all at the same time."""
    transport = httpx.ASGITransport(app=api.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        asked = [asyncio.create_task(client.get(f"{PREFIX}/tickers/{symbol}")) for symbol in symbols]
        return await asyncio.gather(*asked)


def cold_symbols(provider: FakeProvider, n: int) -> list[str]:
    symbols = [f"C{letter}{other}" for letter in "ABCDEFGHIJ" for other in "ABCDEFGHIJ"][:n]
    provider.prices |= dict.fromkeys(symbols, 10.0)
    provider.histories |= dict.fromkeys(symbols, provider.histories["AAPL"])
    return symbols


def test_many_clients_with_different_symbols_cost_few_requests(api: Api) -> None:
    symbols = cold_symbols(api.provider, 100)
    answers = asyncio.run(together(api, symbols))
    fetches_ended()
    assert [answer.json()["price"] for answer in answers] == [10.0] * 100
    # A hundred quotes at fifty a call, a hundred histories and the benchmark's at twenty a call.
    assert api.provider.requests == 2 + 6


def test_one_by_one_they_would_cost_a_request_each(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: reads that are not gathered."""

    async def alone(queue: Any, needs: Any) -> Any:
        return await queue._work.on_pool(lambda: queue._tickers.read(needs))

    monkeypatch.setattr(work._Queue, "read", alone)
    symbols = cold_symbols(api.provider, 100)
    asyncio.run(together(api, symbols))
    fetches_ended()
    assert api.provider.requests > 8


def test_a_memory_hit_uses_no_thread(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("/tickers/MSFT", "/tickers?symbols=AAPL,MSFT", "/tickers/MSFT/explain"):
        api.get(path)

    async def refused(*_: object) -> None:
        raise AssertionError("a thread was asked")

    monkeypatch.setattr(work.Work, "on_pool", refused)
    for path in ("/tickers/MSFT", "/tickers?symbols=AAPL,MSFT", "/tickers/MSFT/explain"):
        assert api.get(path).status_code == 200
    assert api.get("/tickers/NOPE").status_code == 500  # the control


def test_too_many_waiting_are_refused_with_the_time_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    original = work.Work.__init__
    monkeypatch.setattr(work.Work, "__init__", lambda self: original(self, most=10))
    with serving() as api:
        api.provider.hold()

        async def scenario() -> list[int]:
            transport = httpx.ASGITransport(app=api.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                symbols = cold_symbols(api.provider, 40)
                asked = [asyncio.create_task(client.get(f"{PREFIX}/tickers/{one}")) for one in symbols]
                await asyncio.to_thread(api.provider.await_calls, 1)
                refused = [task for task in asked if task.done()]
                assert {task.result().headers["retry-after"] for task in refused} == {"1"}
                api.provider.release()
                return [answer.status_code for answer in await asyncio.gather(*asked)]

        statuses = asyncio.run(scenario())
        assert set(statuses) == {200, 503}
        assert statuses.count(200) <= 10
        fetches_ended()


def test_offline_what_is_not_cached_is_unavailable() -> None:
    with serving(Settings(offline=True)) as api:
        answer = api.get("/tickers/AAPL")
        assert answer.status_code == 503
        assert "no provider was asked" in answer.json()["detail"]
