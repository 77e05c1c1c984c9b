"""`/health`, `/ready`, `/metrics`, and the log."""

from __future__ import annotations

import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api_parts import PREFIX, Api, serving
from quotewell.errors import CacheError
from quotewell.protocols import LevelStats
from quotewell.refresh import Refresher
from quotewell.views.api.latencies import BUCKETS, Latencies
from quotewell.views.api.logs import JsonFormatter, log_as_json
from quotewell.views.api.observing import LoggedRequest, json_lines


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as one:
        yield one


def metrics(api: Api) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = api.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def of(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return f"quotewell_{name}", tuple(sorted(labels.items()))


def test_health_asks_nobody(api: Api) -> None:
    api.tickers.close()
    assert api.client.get("/health").json() == {"status": "ok"}


def test_ready_says_how_well(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api.client.get("/ready").json() == {
        "status": "ready", "cache": "memory", "providers": {"fake": "ok"},
    }  # fmt: skip
    api.tickers.coordinator.pause("fake", api.clock.now() + 60, "429")
    paused = api.client.get("/ready").json()
    assert paused["status"] == "degraded"
    assert paused["providers"]["fake"].startswith("paused until 2025-01-15T15:01:00Z: 429")
    api.tickers.coordinator.resume("fake")

    def broken() -> LevelStats:
        raise CacheError("the disk is full")

    monkeypatch.setattr(api.tickers.engine.store.level, "stats", broken)
    degraded = api.client.get("/ready")
    assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")
    assert "the disk is full" in degraded.json()["cache"]
    assert metrics(api)[of("level_up")] == 0


def test_once_it_is_closed_it_is_not_ready(api: Api) -> None:
    api.tickers.close()
    answer = api.client.get("/ready")
    assert (answer.status_code, answer.json()["kind"]) == (503, "cache")
    assert api.get("/tickers/AAPL").status_code == 503


def test_the_metrics_are_the_services_own_counts(api: Api) -> None:
    for _ in range(4):
        api.get("/tickers/AAPL")
    api.get("/tickers/NOPE")
    found, stats = metrics(api), api.tickers.cache_stats()
    quote = stats.facets["quote"]
    for name, count in (
        ("memory_hits", quote.memory_hits),
        ("misses", quote.misses),
        ("fetched", quote.fetched),
        ("fetch_failures", quote.failures),
        ("stale_served", 0),
    ):
        assert found[of(f"cache_{name}_total", facet="quote")] == count
    assert quote.memory_hits >= 3
    assert found[of("provider_requests_total")] == api.tickers.requests > 0
    assert found[of("memory_records", facet="quote")] == stats.memory.records["quote"]
    assert found[of("level_up")] == 1
    assert found[of("build_info", version=api.app.version)] == 1


def test_ages_pauses_and_circuits_are_told(api: Api) -> None:
    api.get("/tickers/AAPL")
    api.clock.advance(3600)
    before = metrics(api)
    assert before[of("circuit_open", provider="fake")] == 0
    for quantile in ("0.5", "1"):
        age = before[of("memory_age_seconds", facet="quote", quantile=quantile)]
        assert age == pytest.approx(3600, abs=5)
    api.provider.failure = "network"
    for _ in range(3):
        api.post("/cache/refresh", json={"symbols": ["AAPL"], "facets": ["quote"]})
    api.tickers.coordinator.pause("fake", api.clock.now() + 60, "429")
    found = metrics(api)
    assert found[of("circuit_open", provider="fake")] == 1
    assert found[of("provider_paused", provider="fake")] == 1
    assert found[of("rate_limit_wait_seconds_total")] == 0


def test_stale_answers_are_counted(api: Api) -> None:
    api.get("/tickers/AAPL")
    api.clock.advance(3600)
    api.provider.failure = "network"
    api.get("/tickers/AAPL")
    assert metrics(api)[of("cache_stale_served_total", facet="quote")] == 1


def test_one_of_several_processes_says_which_it_is() -> None:
    with serving(keeps=False) as api:
        api.get("/tickers/AAPL")
        found = metrics(api)
    assert {dict(labels).get("worker") for _, labels in found} == {str(os.getpid())}


def test_requests_are_counted_by_route_and_never_by_path(api: Api) -> None:
    for symbol in ("AAPL", "MSFT", "AAPL"):
        api.get(f"/tickers/{symbol}")
    for n in range(20):
        api.client.get(f"/nowhere/{n}")
        api.client.request(f"X{n}", "/health")
    found = metrics(api)
    route = f"{PREFIX}/tickers/{{symbol}}"
    assert found[of("http_request_seconds_count", method="GET", route=route, status="200")] == 3
    assert found[of("http_request_seconds_count", method="GET", route="other", status="404")] == 20
    methods = {dict(labels)["method"] for name, labels in found if name.startswith("quotewell_http_request")}
    assert methods == {"GET", "other"}


def test_latencies_are_sorted_into_buckets() -> None:
    latencies = Latencies()
    for seconds in (0.0, BUCKETS[0], 0.3, 100.0):
        latencies.add("GET", "/", 200, seconds)
    ((key, counts, total),) = latencies.all()
    assert key == ("GET", "/", 200)
    assert total == pytest.approx(100.3005)
    assert [place for place, count in enumerate(counts) for _ in range(count)] == [0, 0, 9, len(BUCKETS)]


def test_what_the_refresher_does_is_told() -> None:
    with serving() as plain:
        assert of("refresher_leads") not in metrics(plain)
        refresher = Refresher(plain.tickers, ["AAPL"])
        refresher.round()
        with serving(refresher=refresher) as api:
            found = metrics(api)
        assert found[of("refresher_leads")] == 1
        assert found[of("refresher_symbols")] == 1
        refresher.close()


def test_each_request_is_one_line_of_json() -> None:
    stream = io.StringIO()
    with serving(log=json_lines(stream)) as api:
        api.get("/tickers/AAPL")
        api.get("/tickers/evil%0d%0a%22")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [list(line) for line in lines] == [list(LoggedRequest.__struct_fields__)] * 2
    assert [line["status"] for line in lines] == [200, 422]
    assert lines[0]["route"] == f"{PREFIX}/tickers/{{symbol}}"
    assert lines[0]["bytes"] > 200
    assert lines[0]["time"] == "2025-01-15T15:00:00Z"


def test_a_fault_nobody_has_foreseen_is_a_problem_for_the_client_and_a_trace_for_the_log(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Any:
        raise ZeroDivisionError("the secret")

    monkeypatch.setattr(api.tickers, "cache_stats", broken)
    answer = api.get("/cache/stats")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert "the secret" in caplog.text
    assert f"{PREFIX}/cache/stats failed" in caplog.text


def test_all_that_is_logged_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    root, before = logging.getLogger(), (logging.getLogger().handlers[:], logging.getLogger().level)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            log_as_json()
            logging.getLogger("quotewell.api").error("it failed", exc_info=ValueError("why"))
            warnings.warn("old", UserWarning, stacklevel=1)
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:], root.level = before
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["level"] for line in lines] == ["error", "warning"]
    assert lines[0]["message"] == "it failed"
    assert "ValueError: why" in lines[0]["exception"]
    assert "old" in lines[1]["message"]


def test_a_line_break_in_a_message_stays_in_its_line() -> None:
    record = logging.LogRecord("x", logging.ERROR, "", 0, "a\nb", None, None)
    assert "\n" not in JsonFormatter().format(record)
