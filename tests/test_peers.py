"""Several processes' metrics in one answer: each process' own series, whoever is asked."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from quotewell.views.api.peers import Peers, merged


def counted(worker: str, count: float) -> list[Metric]:
    asked = CounterMetricFamily("asked", "Questions.", labels=["worker"])
    asked.add_metric([worker], count)
    seconds = HistogramMetricFamily("seconds", "How long.", labels=["worker"])
    seconds.add_metric([worker], [("1.0", count), ("+Inf", count)], 0.5)
    return [asked, seconds]


@contextmanager
def peers(folder: Path, **counts: float) -> Iterator[list[Peers]]:
    made = [Peers(folder, name, lambda name=name: counted(name, counts[name])) for name in counts]  # type: ignore[misc]
    try:
        yield made
    finally:
        for one in made:
            one.close()


def values(metrics: list[Metric]) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("worker", "")): sample.value
        for metric in metrics
        for sample in metric.samples
        if sample.name != "seconds_bucket"
    }


def test_whoever_is_asked_tells_the_counts_of_all(tmp_path: Path) -> None:
    with peers(tmp_path, a=3, b=4, c=5) as several:
        for one in several:
            told = one.all()
            assert [metric.name for metric in told] == ["asked", "seconds", "quotewell_workers"]
            found = values(told)
            assert {worker: found["asked_total", worker] for worker in "abc"} == {"a": 3, "b": 4, "c": 5}
            assert found["seconds_count", "b"] == 4
            assert found["quotewell_workers", ""] == 3


def test_counts_are_of_the_moment(tmp_path: Path) -> None:
    counts = [0.0]
    with peers(tmp_path, a=1) as (asked,):
        other = Peers(tmp_path, "b", lambda: counted("b", counts[0]))
        for n in range(5):
            counts[0] = n
            assert values(asked.all())["asked_total", "b"] == n
        other.close()


def test_who_has_ended_is_left_out(tmp_path: Path) -> None:
    with peers(tmp_path, a=1) as (asked,):
        with peers(tmp_path, b=2):
            assert values(asked.all())["quotewell_workers", ""] == 2
        assert values(asked.all())["quotewell_workers", ""] == 1


def test_the_socket_of_one_that_was_killed_is_taken_away(tmp_path: Path) -> None:
    left = tmp_path / "b.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(left))
        killed.listen()
    with peers(tmp_path, a=1) as (asked,):
        assert values(asked.all())["quotewell_workers", ""] == 1
        assert not left.exists()


def test_one_that_cannot_tell_is_left_out_and_tells_the_next_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [True]

    def collect() -> list[Metric]:
        if broken[0]:
            raise RuntimeError("for a moment")
        return counted("b", 2)

    with peers(tmp_path, a=1) as (asked,):
        other = Peers(tmp_path, "b", collect)
        with caplog.at_level(logging.CRITICAL, "quotewell.api"):
            assert values(asked.all())["quotewell_workers", ""] == 1
        broken[0] = False
        assert values(asked.all())["quotewell_workers", ""] == 2
        other.close()


def test_families_of_several_stand_once() -> None:
    together = merged([counted("a", 1), counted("b", 2)])
    assert [(metric.name, len(metric.samples)) for metric in together] == [("asked", 2), ("seconds", 8)]
