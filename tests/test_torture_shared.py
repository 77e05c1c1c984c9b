"""Processes over a shared cache to which harm is done all the while: every answer was true once, and in the
end all have the truth again, without a restart of anything."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from loopback_market import LoopbackMarket
from shared_engines import ENGINES, Engine
from worker_process import Worker

pytestmark = [pytest.mark.torture, pytest.mark.timeout(900)]

SYMBOLS = [f"S{number:02d}" for number in range(60)]
ROUNDS = 25
OUTAGE_SECONDS = 1.0
RECOVERED_WITHIN = 60.0
"""Generous: the level is tried again every 5 s, the coordinator every 30 s."""


def killed(engine: Engine) -> None:
    engine.kill()
    threading.Event().wait(OUTAGE_SECONDS)
    engine.start()


def suspended(engine: Engine) -> None:
    engine.suspend()
    threading.Event().wait(OUTAGE_SECONDS)
    engine.resume()


def cut(engine: Engine) -> None:
    for _ in range(5):
        engine.cut()
        threading.Event().wait(OUTAGE_SECONDS / 5)


FAULTS: list[Callable[[Engine], None]] = [killed, suspended, cut]


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("seed", range(2))
def test_whatever_happens_to_the_server_all_answers_are_true_and_all_recover(
    tmp_path: Path, name: str, seed: int
) -> None:
    chance = random.Random(seed)
    (tmp_path / "server").mkdir()
    engine = ENGINES[name](tmp_path / "server")
    place = {**engine.settings, "cache_timeout": 0.5}
    ever = {symbol: {100.0} for symbol in SYMBOLS}
    with LoopbackMarket(dict.fromkeys(SYMBOLS, 100.0)) as market, ExitStack() as ending:
        ending.callback(engine.close)
        workers = [
            ending.enter_context(Worker(tmp_path / str(n), market.port, f"w{n}", place=place))
            for n in range(4)
        ]
        invalidated = 0
        for number in range(ROUNDS):
            harm = threading.Thread(target=chance.choice(FAULTS), args=(engine,))
            harm.start()
            for _ in range(3):
                changed = chance.sample(SYMBOLS, 10)
                for symbol in changed:
                    market.prices[symbol] = 100.0 + number
                    ever[symbol].add(100.0 + number)
                invalidated += chance.choice(workers).ask("try_to_invalidate", changed)
                asked = [chance.sample(SYMBOLS, 30) for _ in workers]
                for worker, symbols in zip(workers, asked, strict=True):
                    worker.begin("prices", symbols)
                for worker, symbols in zip(workers, asked, strict=True):
                    answer = worker.answer()
                    assert answer.keys() == set(symbols)
                    assert all(price in ever[symbol] for symbol, price in answer.items())
            harm.join()
        print(f"{name}: {invalidated} of {3 * ROUNDS} invalidations were possible")  # noqa: T201  a figure
        _recover(market, workers)


def _recover(market: LoopbackMarket, workers: list[Worker]) -> None:
    for symbol in SYMBOLS:
        market.prices[symbol] = 1.0
    end = time.monotonic() + RECOVERED_WITHIN
    while not workers[0].ask("try_to_invalidate", SYMBOLS):
        assert time.monotonic() < end, "the server is not found again"
        threading.Event().wait(0.2)
    expected = dict.fromkeys(SYMBOLS, 1.0)
    while any(worker.ask("prices", SYMBOLS) != expected for worker in workers):
        assert time.monotonic() < end, "somebody still has what was invalidated"
        threading.Event().wait(0.2)
