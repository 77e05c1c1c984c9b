"""`/api/v1/prefetch` and `/api/v1/cache`: much at a time, behind the answer, and what became of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from api_parts import PREFIX, Api, serving
from engine_parts import fetches_ended, wait_until
from quotewell.errors import CacheError
from quotewell.outcomes import PrefetchReport, Progress
from quotewell.testing import ManualClock
from quotewell.views.api import jobs as jobs_module
from quotewell.views.api.jobs import Job, Jobs
from quotewell.views.api.problems import NotFoundError, OverloadedError


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as one:
        yield one


def events(text: str) -> list[Any]:
    """The data of all events named `job`."""
    blocks = [block.split("\n") for block in text.split("\n\n") if block and not block.startswith(":")]
    assert all(block[0] == "event: job" for block in blocks)
    return [json.loads(block[1].removeprefix("data: ")) for block in blocks]


def test_a_prefetch_is_begun_followed_and_done(api: Api) -> None:
    begun = api.post("/prefetch", json={"symbols": ["AAPL", "msft", "NOPE"]})
    assert begun.status_code == 202
    assert begun.json()["state"] in ("waiting", "running")
    path = begun.headers["location"]
    assert path == f"{PREFIX}/jobs/{begun.json()['id']}"
    with api.client.stream("GET", f"{path}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        followed = events("".join(stream.iter_text()))
    assert followed[-1]["state"] == "done"
    report = followed[-1]["report"]
    assert report["counts"]["fetched"] == 8
    assert report["outcomes"]["NOPE"]["quote"]["status"] == "unknown"
    assert api.client.get(path).json() == followed[-1]
    assert list(followed[-1]) == list(Job.__struct_fields__)
    assert [job["id"] for job in api.get("/jobs").json()["jobs"]] == [begun.json()["id"]]


@pytest.fixture
def hasty() -> Iterator[Api]:
    """Its waits that nobody ends are over soon."""
    with serving(patience=0.01) as one:
        yield one


def test_while_it_runs_it_tells_how_far_it_is_and_it_can_be_ended(hasty: Api) -> None:
    api = hasty
    api.provider.hold()
    path = api.post("/prefetch", json={"symbols": ["AAPL", "MSFT"]}).headers["location"]
    api.provider.await_calls(1)
    wait_until(lambda: api.client.get(path).json()["progress"])
    job = api.client.get(path).json()
    assert job["state"] == "running"
    assert job["progress"]["symbols"] == 2
    assert list(job["progress"]) == list(Progress.__struct_fields__)
    assert api.client.delete(path).status_code == 202
    wait_until(lambda: api.client.get(path).json()["state"] == "cancelled")
    api.provider.release()
    fetches_ended()
    assert api.tickers.peek([("AAPL", "quote")])["AAPL", "quote"].usable  # what was on its way is kept


def test_facets_can_be_chosen(api: Api) -> None:
    path = api.post("/prefetch", json={"symbols": ["AAPL"], "facets": ["quote"]}).headers["location"]
    wait_until(lambda: api.client.get(path).json()["state"] == "done")
    assert list(api.client.get(path).json()["report"]["outcomes"]["AAPL"]) == ["quote"]


def test_a_portfolio_is_prefetched_for_its_report(api: Api) -> None:
    book = api.upload()
    answer = api.post("/prefetch", json={"portfolio": book.rpartition("/")[2]})
    path = answer.headers["location"]
    wait_until(lambda: api.client.get(path).json()["state"] == "done")
    requests = api.provider.requests
    assert requests
    api.get(f"{book}/summary")
    assert api.provider.requests == requests


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"symbols": ["AAPL"], "portfolio": "x"}, 400),
        ({"portfolio": "x"}, 404),
        ({"symbols": ["!!"]}, 422),
        ({"symbols": ["A" * 41]}, 422),
        ({"symbols": ["A"] * 5_001}, 422),
        ({"symbols": ["AAPL"], "facets": ["prices"]}, 422),
        ({"symbols": ["AAPL"], "path": "/etc/passwd"}, 422),
        ({"symbols": ["AAPL"], "url": "http://example.com"}, 422),
        (["AAPL"], 422),
    ],
)
def test_a_wrong_wish_begins_nothing(api: Api, body: Any, status: int) -> None:
    answer = api.post("/prefetch", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert api.get("/jobs").json()["jobs"] == []


@pytest.mark.parametrize("path", ["/jobs/none", "/jobs/none/events"])
def test_a_job_that_is_none_is_not_found(api: Api, path: str) -> None:
    assert api.get(path).status_code == 404
    assert api.client.delete(f"{PREFIX}/jobs/none").status_code == 404


def test_refresh_fetches_what_is_fresh(api: Api) -> None:
    api.get("/tickers/AAPL")
    before = api.provider.requests
    document = api.post("/cache/refresh", json={"symbols": ["AAPL"], "facets": ["quote"]}).json()
    assert document["counts"]["fetched"] == 1
    assert api.provider.requests == before + 1


def test_a_refresh_that_fails_keeps_the_old_value(api: Api) -> None:
    api.get("/tickers/AAPL")
    api.provider.failure = "server"
    document = api.post("/cache/refresh", json={"symbols": ["AAPL"], "facets": ["quote"]}).json()
    assert document["outcomes"]["AAPL"]["quote"]["status"] == "kept"
    assert api.get("/tickers/AAPL").json()["price"] == 200.0


@pytest.mark.parametrize(("hard", "left"), [(False, 200.0), (True, None)])
def test_invalidate_distrusts_softly_or_for_good(api: Api, hard: bool, left: float | None) -> None:
    api.get("/tickers/AAPL")
    body = {"symbols": ["aapl"], "facets": ["quote"], "hard": hard}
    assert api.post("/cache/invalidate", json=body).json() == {"schema": 1, "cleared": 1}
    api.provider.failure = "network"
    assert api.get("/tickers?symbols=AAPL").json()[0]["price"] == left


def test_statistics_are_those_of_the_service(api: Api) -> None:
    api.get("/tickers/AAPL")
    document = api.get("/cache/stats?days=1").json()
    assert document["requests"] == api.tickers.requests
    assert document["facets"]["quote"]["fetched"] == 1
    assert api.get("/cache/stats?days=401").status_code == 422


def test_what_the_cache_cannot_do_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> int:
        raise CacheError("the disk is gone", hint="buy another")

    monkeypatch.setattr(api.tickers, "invalidate", broken)
    answer = api.post("/cache/invalidate", json={"symbols": ["AAPL"]})
    assert answer.status_code == 503
    assert answer.json()["detail"] == "the disk is gone"
    assert answer.json()["hint"] == "buy another"


def report() -> PrefetchReport:
    return PrefetchReport(outcomes={}, requests=0, seconds=0.0)


async def ended(jobs: Jobs, key: str) -> Job:
    async for job in jobs.follow(key):
        if job is not None and job.ended:
            return job
    raise AssertionError("it never ended")


def test_only_so_many_jobs_wait_and_old_ones_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "_MOST_WAITING", 3)
    monkeypatch.setattr(jobs_module, "_MOST_KEPT", 2)

    async def scenario() -> None:
        jobs = Jobs(ManualClock())
        started = [jobs.start(lambda _: report()) for _ in range(3)]
        with pytest.raises(OverloadedError):
            jobs.start(lambda _: report())
        for job in started:
            await ended(jobs, job.id)
        jobs.start(lambda _: report())
        assert len(jobs.all()) == 2
        with pytest.raises(NotFoundError):
            jobs.get(started[0].id)
        jobs.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [(CacheError("gone"), "cache", "gone"), (ZeroDivisionError("secret"), "error", "log says why")],
)
def test_a_job_that_fails_says_why_and_keeps_what_nobody_has_foreseen_to_itself(
    error: Exception, kind: str, message: str
) -> None:
    def fails(_: object) -> PrefetchReport:
        raise error

    async def scenario() -> Job:
        jobs = Jobs(ManualClock())
        job = await ended(jobs, jobs.start(fails).id)
        jobs.close()
        return job

    job = asyncio.run(scenario())
    assert job.error is not None
    assert (job.state, job.error.kind) == ("failed", kind)
    assert message in job.error.message
    assert "secret" not in repr(job)


def test_a_follower_hears_that_the_connection_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "_HEARTBEAT", 0.0)

    async def scenario() -> None:
        jobs = Jobs(ManualClock())
        job = jobs.start(lambda _: report())
        follower = jobs.follow(job.id)
        assert await anext(follower) == job
        assert await anext(follower) is None
        await ended(jobs, job.id)
        jobs.close()

    asyncio.run(scenario())
