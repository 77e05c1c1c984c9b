"""The whole fault matrix, and schedules of faults drawn at random."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from fault_laboratory import FAULTS, POSITIONS, Book, Cell, Laboratory
from fault_matrix import BELIEVED, DAY, HOUR, Verdict, complaints, prices_still_wrong
from quotewell.records import Need

pytestmark = [pytest.mark.torture, pytest.mark.timeout(600)]

NEW_YORK = ZoneInfo("America/New_York")
WEEKEND = (5, 6)
SCHEDULES = 1000
PARTS = 10
RUNS = 3
SLOW = ("hang", "drip")
REPEATED = ("price_x100", "price_x100_alone", *BELIEVED)
"""Told again in a later session, such a price is confirmed; a schedule has one of them at most."""
EXCLUSIVE = {"dated_tomorrow": "day_before", "day_before": "dated_tomorrow"}
"""Together they are yesterday's price with today's date, which nobody can tell from today's."""


# ---------------------------------------------------------------------------------------------------- matrix


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with Laboratory(tmp_path_factory.mktemp("faults"), Book.of(120, every=6)) as laboratory:
        yield laboratory


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_every_place(laboratory: Laboratory, fault: str) -> None:
    found = {}
    for position in POSITIONS[:1] if fault.endswith("crumb") else POSITIONS:
        for filled in (False, True):
            runs = laboratory.try_out(Cell(fault, position, filled=filled))
            verdicts = [run.verdicts for run in runs]
            found[position, filled] = complaints(fault, verdicts, filled=filled)
            found[position, filled] += prices_still_wrong(fault, verdicts[1], filled=filled)
    assert {place: words for place, words in found.items() if words} == {}


# ------------------------------------------------------------------------------------------------- schedules


class Step(NamedTuple):
    """The faults of one run, and the seconds until the next one."""

    faults: list[tuple[str, dict[str, Any]]]
    wait: float


def drawn(rng: random.Random, symbols: list[str], *, filled: bool) -> list[Step]:
    """Several faults at random requests over several runs."""
    steps: list[Step] = []
    repeated = False
    for number in range(RUNS):
        kinds: set[str] = set()
        faults: list[tuple[str, dict[str, Any]]] = []
        for _ in range(rng.randint(1, 3)):
            name = rng.choices(list(FAULTS), [0.1 if name in SLOW else 1.0 for name in FAULTS])[0]
            if EXCLUSIVE.get(name) in kinds or (name in REPEATED and repeated):
                continue
            if name in BELIEVED and (number or not filled):
                continue
            repeated = repeated or name in REPEATED
            kinds.add(name)
            faults.append((name, options(rng, symbols, slow=name in SLOW)))
        wait = rng.choice((60.0, 600.0, HOUR, DAY, 3 * DAY))
        steps.append(Step(faults, wait))
    return steps


def options(rng: random.Random, symbols: list[str], *, slow: bool) -> dict[str, Any]:
    return {
        "endpoint": rng.choice((None, None, "quote", "spark")),
        "symbols": rng.choice((None, rng.sample(symbols, 5))),
        "times": 1 if slow else rng.choice((None, 1, 2)),
        "after": rng.choice((0, 0, 1, 3)),
        "share": rng.choice((1.0, 0.5, 0.2)),
        "seed": rng.randrange(1000),
    }


def played(laboratory: Laboratory, seed: int) -> list[Mapping[Need, Verdict]]:
    """The verdicts of each run of a schedule, and of one after the next session."""
    rng = random.Random(seed)
    filled = rng.random() < 0.5
    steps = drawn(rng, list(laboratory.book.symbols), filled=filled)
    slow = any(name in SLOW for step in steps for name, _ in step.faults)
    settings = {"request_timeout": 0.4, "connect_timeout": 0.2} if slow else {}
    verdicts: list[Mapping[Need, Verdict]] = []
    with laboratory.open(laboratory.cache(filled=filled), yahoo_concurrency=2, **settings) as tickers:
        for step in steps:
            for name, where in step.faults:
                kind, how = FAULTS[name]
                laboratory.simulator.fault(kind, **how, **where)
            verdicts.append(laboratory.run(tickers).verdicts)
            laboratory.simulator.clear_faults()
            laboratory.clock.advance(step.wait)
        laboratory.clock.advance(DAY + HOUR)
        while dt.datetime.fromtimestamp(laboratory.clock.now(), NEW_YORK).weekday() in WEEKEND:
            # A bar that is missing on Friday evening comes with Monday's.
            laboratory.clock.advance(DAY)
        verdicts.append(laboratory.run(tickers).verdicts)
    return verdicts


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """Two batches of prices and two of closes."""
    with Laboratory(tmp_path_factory.mktemp("schedules"), Book.of(52, every=6)) as laboratory:
        yield laboratory


@pytest.mark.parametrize("part", range(PARTS))
def test_schedules_of_faults(small: Laboratory, part: int) -> None:
    for seed in range(part * SCHEDULES // PARTS, (part + 1) * SCHEDULES // PARTS):
        assert complaints("", played(small, seed), filled=True) == [], f"schedule {seed}"
