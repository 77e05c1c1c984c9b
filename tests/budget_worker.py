"""A process that prefetches with several threads, for the test of one rate budget over processes.

Run as a program: `budget_worker.py ARGUMENTS`, a JSON object with `settings`, `threads`, `symbols` and
`budget`: false replaces the shared budget by one that grants everything, the negative control. It says
`ready`, waits for a line, and prints how many prices it has got.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.clock import SystemClock
from quotewell.coordination.sqlite import SqliteCoordinator
from quotewell.endpoints import Grant, Lane, Limit
from quotewell.settings import Settings
from quotewell.wiring import connect


class Spendthrift(SqliteCoordinator):
    """Grants every request at once."""

    def spend(
        self,
        provider: str,
        limit: Limit,
        *,
        n: int = 1,
        lane: Lane = Lane.INTERACTIVE,
        max_wait: float,
        leave: int = 0,
    ) -> Grant:
        return Grant(0.0)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(text: str) -> None:
    arguments = json.loads(text)
    settings = Settings(providers=("yahoo",), calendars="plain", **arguments["settings"])
    clock = SystemClock()
    folder = Path(arguments["settings"]["cache_dir"])
    kind = SqliteCoordinator if arguments["budget"] else Spendthrift
    stores = SqliteLevel(folder / "cache.db", clock), kind(folder / "state.db", clock)
    found: list[int] = []

    def fetch(symbols: list[str]) -> None:
        for symbol in symbols:  # one by one, so that each is a request
            quotes = tickers.quotes([symbol])
            found.extend(1 for reading in quotes.values() if reading.usable)

    with connect(settings, stores=stores) as tickers:
        say("ready")
        sys.stdin.readline()
        shares = [
            arguments["symbols"][start :: arguments["threads"]] for start in range(arguments["threads"])
        ]
        threads = [threading.Thread(target=fetch, args=(share,)) for share in shares]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    say(str(len(found)))


if __name__ == "__main__":
    main(sys.argv[1])
