"""`/api/v1/portfolios`: the reports of the commands, on books that clients hand over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from api_parts import BOOK, PREFIX, Api, serving
from quotewell.portfolio.portfolio import Portfolio
from quotewell.portfolio.reconciliation import Reconciliation, reconcile
from quotewell.portfolio.row import ValuedRow
from quotewell.portfolio.selection import Group
from quotewell.portfolio.summary import Summary
from quotewell.portfolio.what_if import WhatIfReport
from quotewell.views.imported import File


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as one:
        yield one


def plain(value: object) -> Any:
    return json.loads(msgspec.json.encode(value))


def test_an_upload_says_how_each_row_was_read(api: Api) -> None:
    answer = api.post("/portfolios", files={"file": ("folder/book_2025-01-14.csv", BOOK)})
    assert answer.status_code == 201
    book = answer.json()
    assert set(File.__struct_fields__) < set(book)
    assert answer.headers["location"] == f"{PREFIX}/portfolios/{book['key']}"
    assert (book["name"], book["broker"], book["rows"]) == ("book_2025-01-14.csv", "plain", 4)
    assert book["kinds"] == {"stock": 2, "option": 0, "cash": 1, "pending": 0, "unknown": 0}
    assert [row["line"] for row in book["rejected"]] == [4]
    assert book["as_of"] == "2025-01-14T21:00:00Z"
    assert api.client.get(answer.headers["location"]).json() == book


def test_several_files_are_one_book(api: Api) -> None:
    files = [
        ("file", (f"{name}.csv", f"symbol,quantity,price\n{name},1,10\n".encode())) for name in ("A", "B")
    ]
    book = api.post("/portfolios", files=files).json()
    assert (book["name"], book["rows"]) == ("A.csv, B.csv", 2)


def test_what_cannot_be_read_is_told_with_a_hint(api: Api) -> None:
    answer = api.post("/portfolios", files={"file": ("x.csv", b"no table at all")})
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["kind"] == "import"
    assert problem["detail"].startswith("x.csv: no header")
    assert problem["hint"]


def test_books_are_listed_in_parts(api: Api) -> None:
    keys = [api.upload(name=f"{n}.csv").rpartition("/")[2] for n in range(5)]
    first = api.get("/portfolios", params={"limit": 2})
    assert [book["key"] for book in first.json()["portfolios"]] == keys[:2]
    assert first.json()["page"] == {"offset": 0, "limit": 2, "total": 5}
    seen, answer = [], first
    while True:
        seen += [book["key"] for book in answer.json()["portfolios"]]
        if "next" not in answer.links:
            break
        answer = api.client.get(f"{PREFIX}/portfolios{answer.links['next']['url']}")
    assert seen == keys
    assert answer.links["prev"]["url"] == "?offset=2&limit=2"


def test_a_book_is_forgotten(api: Api) -> None:
    path = api.upload()
    assert api.client.delete(PREFIX + path).status_code == 204
    for answer in (api.get(path), api.get(f"{path}/summary"), api.client.delete(PREFIX + path)):
        assert (answer.status_code, answer.json()["kind"]) == (404, "not_found")


@pytest.fixture
def book(api: Api) -> tuple[str, Portfolio]:
    path = api.upload()
    return path, api.uploads.get(path.rpartition("/")[2]).book


def test_the_summary_is_that_of_the_command(api: Api, book: tuple[str, Portfolio]) -> None:
    path, portfolio = book
    answer = api.get(f"{path}/summary")
    assert answer.json() == plain(portfolio.summary())
    assert list(answer.json()) == list(Summary.__struct_fields__)
    assert answer.json()["value"]["total"] == 10 * 200.0 - 5 * 400.0 + 500.0
    assert answer.headers["cache-control"] == "private, no-store"


def test_the_summary_takes_moves(api: Api, book: tuple[str, Portfolio]) -> None:
    points = api.get(f"{book[0]}/summary", params={"market": [-0.5, 0.5]}).json()["what_if"]
    assert [point["market"] for point in points] == [-0.5, 0.5]


def test_the_first_question_costs_one_plan(api: Api, book: tuple[str, Portfolio]) -> None:
    api.get(f"{book[0]}/summary")
    assert api.provider.requests == 2  # quotes and closes
    api.get(f"{book[0]}/reconciliation")
    assert api.provider.requests == 2


def test_what_if_at_the_moves_that_are_asked_for(api: Api, book: tuple[str, Portfolio]) -> None:
    path, portfolio = book
    document = api.get(f"{path}/what-if", params={"market": [0.1, 0, -0.1]}).json()
    assert document["points"] == plain(portfolio.what_if([0.1, 0.0, -0.1]))
    assert list(document) == list(WhatIfReport.__struct_fields__)
    assert len(api.get(f"{path}/what-if").json()["points"]) == 9


def test_what_if_single_symbols_move_and_days_pass(api: Api, book: tuple[str, Portfolio]) -> None:
    path, portfolio = book
    query = {"market": 0, "shock": ["aapl=-0.2", "MSFT=0.1"], "days": 3, "volatility": 5}
    document = api.get(f"{path}/what-if", params=query).json()
    assert document["shocks"] == {"AAPL": -0.2, "MSFT": 0.1}
    shocks = {"AAPL": -0.2, "MSFT": 0.1}
    assert document["points"] == plain(portfolio.what_if([0.0], shocks=shocks, days=3.0, volatility=5.0))
    assert document["points"][0]["pnl"] == 10 * 200.0 * -0.2 - 5 * 400.0 * 0.1


@pytest.mark.parametrize("shock", ["AAPL", "AAPL=x", "AAPL=nan", "=0.1", "NOPE=0.1"])
def test_a_shock_that_is_none_is_refused(api: Api, book: tuple[str, Portfolio], shock: str) -> None:
    answer = api.get(f"{book[0]}/what-if", params={"shock": shock})
    assert answer.status_code in (400, 422)
    assert answer.json()["kind"] in ("usage", "symbol")


@pytest.mark.parametrize("market", ["nan", "inf", "-1.5", "11", "x"])
def test_a_move_that_cannot_be_is_refused(api: Api, book: tuple[str, Portfolio], market: str) -> None:
    answer = api.get(f"{book[0]}/what-if", params={"market": market})
    assert (answer.status_code, answer.json()["kind"]) == (422, "usage")
    assert "market" in answer.json()["detail"]


def test_by_underlying(api: Api, book: tuple[str, Portfolio]) -> None:
    path, portfolio = book
    document = api.get(f"{path}/underlyings", params={"limit": 1, "offset": 1}).json()
    assert document["underlyings"] == plain(portfolio.by_underlying()[1:2])
    assert document["page"] == {"offset": 1, "limit": 1, "total": 2}


def test_the_reconciliation_is_that_of_the_command(api: Api, book: tuple[str, Portfolio]) -> None:
    path, portfolio = book
    document = api.get(f"{path}/reconciliation").json()
    assert document == plain(reconcile(portfolio))
    assert list(document) == list(Reconciliation.__struct_fields__)


def test_positions_are_chosen_sorted_and_cut(api: Api, book: tuple[str, Portfolio]) -> None:
    path, _ = book
    answer = api.get(f"{path}/positions", params={"type": "stock", "sort": "exposure:desc", "limit": 1})
    document = answer.json()
    assert list(document["positions"][0]) == list(ValuedRow.__struct_fields__)
    assert [row["symbol"] for row in document["positions"]] == ["AAPL"]
    assert document["page"] == {"offset": 0, "limit": 1, "total": 2}
    assert "type=stock" in answer.links["next"]["url"]
    rest = api.client.get(f"{PREFIX}{path}/positions{answer.links['next']['url']}").json()
    assert [row["symbol"] for row in rest["positions"]] == ["MSFT"]


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ({"account": "a1"}, ["AAPL", "MSFT", "CASH"]),
        ({"underlying": "aapl"}, ["AAPL"]),
        ({"min_value": 1999}, ["AAPL", "MSFT"]),
        ({"min_exposure": 2001}, []),
        ({"flag": "stale"}, []),
        ({"offset": 100}, []),
    ],
)
def test_positions_may_be_asked_to_be_something(
    api: Api, book: tuple[str, Portfolio], query: dict[str, Any], symbols: list[str]
) -> None:
    rows = api.get(f"{book[0]}/positions", params=query).json()["positions"]
    assert [(row["symbol"] or "").upper() for row in rows] == symbols


def test_positions_come_in_groups(api: Api, book: tuple[str, Portfolio]) -> None:
    document = api.get(f"{book[0]}/positions", params={"group": "underlying", "limit": 2}).json()
    assert [list(group) for group in document["groups"]] == [list(Group.__struct_fields__)] * 2
    assert document["page"]["total"] == 3
    assert len(document["positions"]) == 2


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"sort": "nonsense"}, 400),
        ({"sort": "value:up"}, 400),
        ({"type": "bond"}, 422),
        ({"limit": 0}, 422),
        ({"offset": -1}, 422),
        ({"min_value": "nan"}, 422),
        ({"underlying": "!!"}, 422),
    ],
)
def test_a_wrong_wish_is_refused(
    api: Api, book: tuple[str, Portfolio], query: dict[str, Any], status: int
) -> None:
    answer = api.get(f"{book[0]}/positions", params=query)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.json()["detail"]) < 700


def test_a_script_in_a_file_comes_back_as_json_that_no_browser_runs(api: Api) -> None:
    path = api.upload(b"symbol,quantity,price,description\nAAPL,1,190,<script>alert(1)</script>\n", "<b>.csv")
    answer = api.get(f"{path}/positions")
    assert answer.json()["positions"][0]["description"] == "<script>alert(1)</script>"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_where_several_processes_answer_nothing_is_handed_over() -> None:
    with serving(keeps=False) as api:
        upload = api.uploads.add([("book.csv", BOOK)])
        assert api.get(f"/portfolios/{upload.key}/summary").status_code == 200
        for answer in (
            api.post("/portfolios", files={"file": ("book.csv", BOOK)}),
            api.client.delete(f"{PREFIX}/portfolios/{upload.key}"),
            api.post("/prefetch", json={"symbols": ["AAPL"]}),
            api.get("/jobs"),
            api.get("/jobs/1/events"),
            api.client.get("/"),
        ):
            problem = answer.json()
            assert answer.headers["content-type"] == "application/problem+json"
            assert (problem["status"], problem["kind"]) == (501, "workers")
            assert "several workers" in problem["detail"]
            assert "quotewell serve" in problem["hint"]
        assert "/api/v1/prefetch" not in api.get("/openapi.json").json()["paths"]
