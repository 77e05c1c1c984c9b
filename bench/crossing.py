"""How soon a process that asks all the time sees what another process has invalidated or refreshed.

`python -m bench.crossing FOLDER [URL]` is the process that asks: for each line of its input it prints the old
price when it has that in memory, and, as soon as it is answered another one, the instant of that answer. The
processes of a machine share the monotonic clock.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

from bench.measure import Row
from quotewell.service import TickerService
from quotewell.wiring import open as open_service

__all__ = ["crossing", "crossings"]

_ROUNDS = 40
_SYMBOL = "AAPL"
_POLL = 0.05  # seconds for which memory is believed: the rounds are spread evenly over them
_LIMIT = 100.0  # milliseconds
_CHANGES: Mapping[str, Callable[[TickerService], object]] = {
    "an invalidation": lambda tickers: tickers.invalidate([_SYMBOL], hard=True),
    "a refresh": lambda tickers: tickers.refresh([(_SYMBOL, "quote")]),
}


def crossing(folder: Path) -> Iterator[Row]:
    """The rows about changes that cross from one process to another over SQLite."""
    return crossings(folder)


def crossings(folder: Path, url: str | None = None) -> Iterator[Row]:
    """The same over any shared cache."""
    _write_price(folder, 100.0)
    place = "" if url is None else f", over {url.partition(':')[0]}"
    command = [sys.executable, "-m", "bench.crossing", str(folder), *([] if url is None else [url])]
    with (
        _service(folder, url) as tickers,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watcher,
    ):
        if watcher.stdin is None or watcher.stdout is None:
            raise RuntimeError("the watcher has no pipes")
        for change, make in _CHANGES.items():
            waits = tuple(_waits(folder, watcher.stdin, watcher.stdout, lambda make=make: make(tickers)))
            yield Row(
                measure=f"{change} until another process, asking all the time, has the new price{place}",
                against="",
                values=waits,
                at_most=_LIMIT,
                unit=" ms",
            )
            yield Row(
                measure=f"the slowest of {len(waits)} such waits for {change}{place}",
                against="",
                values=(max(waits),),
                at_most=_LIMIT,
                unit=" ms",
            )
        watcher.stdin.close()


def _waits(
    folder: Path, questions: IO[str], answers: IO[str], change: Callable[[], object]
) -> Iterator[float]:
    """For each round, the milliseconds from the end of the change to the first answer of the new price."""
    for turn in range(_ROUNDS + 1):
        questions.write("watch\n")
        questions.flush()
        old = float(answers.readline())
        time.sleep(_POLL * turn / _ROUNDS)
        _write_price(folder, old + 1.0)
        change()
        done = time.monotonic()
        seen = float(answers.readline())
        if turn:  # the first fetch of a process imports what it needs
            yield max(seen - done, 0.0) * 1e3


def _write_price(folder: Path, price: float) -> None:
    text = f"symbol,price,previous_close,currency\n{_SYMBOL},{price},{price},USD\n"
    (folder / "quotes.csv").write_text(text, encoding="utf-8")


def _service(folder: Path, url: str | None) -> TickerService:
    return open_service(cache_dir=folder / "crossing", cache_url=url, providers=["files"], files_dir=folder)


def main() -> None:
    """Watch the price, once for each line of input."""
    folder, *urls = sys.argv[1:]
    with _service(Path(folder), urls[0] if urls else None) as tickers:
        for _ in sys.stdin:
            old = tickers.get_price(_SYMBOL)
            print(old, flush=True)
            while tickers.get_price(_SYMBOL) == old:
                pass
            print(time.monotonic(), flush=True)


if __name__ == "__main__":
    main()
