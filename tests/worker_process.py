"""A process with a ticker service of its own, for tests across processes.

`Worker` starts one and sends it lines of JSON; run as a program, this file is that process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from loopback_market import LoopbackProvider
from quotewell.cache.sqlite import SqliteLevel
from quotewell.clock import SystemClock
from quotewell.coordination.sqlite import SqliteCoordinator
from quotewell.records import Closes, Record
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.wiring import connect


class Worker:
    """A service in a process of its own.

    Args:
        folder: Where its cache is.
        port: Of the `LoopbackMarket`.
        name: It tells the market `name leases` when it first asks for leases, `name renews` at each renewal.
        options: `lease_seconds`; `leases=False`, `renewal=False` and `refusal=False` are negative controls.
    """

    def __init__(self, folder: Path, port: int, name: str, **options: float | bool) -> None:
        self.name = name
        arguments = json.dumps({"folder": str(folder), "port": port, "name": name, **options})
        self._process = subprocess.Popen(
            [sys.executable, __file__, arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.answer()  # it is ready

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._process:  # closing its input ends it
            pass

    def begin(self, command: str, *arguments: object) -> None:
        """Send a command; `answer` waits for what it returns."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([command, *arguments]) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """The result of the command begun first."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"{self.name} has ended"
        return json.loads(line)

    def ask(self, command: str, *arguments: object) -> Any:
        """Send a command and wait for its result."""
        self.begin(command, *arguments)
        return self.answer()

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._process.kill()
        self._process.wait()


# ---------------------------------------------------------------------------------- inside of the process


class TellingCoordinator(SqliteCoordinator):
    """Tells the market when it is first asked for leases, and of each renewal.

    Without `leases` it grants everything; without `renewal` it renews nothing.
    """

    def __init__(
        self, path: Path, clock: SystemClock, tell: Callable[[str], None], *, leases: bool, renewal: bool
    ) -> None:
        super().__init__(path, clock)
        self._tell = tell
        self._told = False
        self._leases = leases
        self._renewal = renewal

    def lease(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        granted = super().lease(keys, token, seconds) if self._leases else set(keys)
        told, self._told = self._told, True
        if not told:
            self._tell("leases")
        return granted

    def renew(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        held = super().renew(keys, token, seconds) if self._renewal else set(keys)
        self._tell("renews")
        return held


class ForgetfulLevel(SqliteLevel):
    """Takes every value for one whose fetch began just now."""

    def put_many(
        self, table: str, records: Sequence[Record], *, begun: int, closes: Sequence[Closes] = ()
    ) -> set[str]:
        return super().put_many(table, records, begun=self.rev(), closes=closes)


class Commands:
    """What a worker can be told to do; results are JSON."""

    def __init__(self, tickers: TickerService) -> None:
        self._tickers = tickers

    def prices(self, symbols: list[str]) -> dict[str, float | None]:
        """Prices of many symbols; None for those without."""
        quotes = self._tickers.get_many(symbols)
        return {symbol: None if quote is None else quote.last for symbol, quote in quotes.items()}

    def failures(self, symbols: list[str]) -> dict[str, str]:
        """Kinds of failures by symbol."""
        readings = self._tickers.quotes(symbols)
        return {symbol: reading.failure.kind for symbol, reading in readings.items() if reading.failure}

    def watch(self, symbol: str) -> tuple[float, float]:
        """Ask for a price until it changes; when it was the old one for the last time, and the new one."""
        old = self._tickers.get_price(symbol)
        say("watching")
        last = time.monotonic()
        while (price := self._tickers.get_price(symbol)) == old:
            last = time.monotonic()
        return last, price

    def invalidate(self, symbol: str) -> float:
        """Invalidate, hard; when that was done."""
        self._tickers.invalidate([symbol], hard=True)
        return time.monotonic()

    def refresh(self, symbol: str) -> float:
        """Fetch again; when that was done."""
        self._tickers.refresh([(symbol, "quote")])
        return time.monotonic()


def say(result: object) -> None:
    """Send one line to the test."""
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()


def main(arguments: str) -> None:
    """Answer one line of JSON for each line of JSON."""
    options = json.loads(arguments)
    folder, clock = Path(options["folder"]), SystemClock()
    provider = LoopbackProvider(clock, options["port"])
    level_type = SqliteLevel if options.get("refusal", True) else ForgetfulLevel
    stores = (
        level_type(folder / "cache.db", clock),
        TellingCoordinator(
            folder / "state.db",
            clock,
            lambda event: provider.tell(f"{options['name']} {event}"),
            leases=options.get("leases", True),
            renewal=options.get("renewal", True),
        ),
    )
    # The exchanges' own calendars would be read in the middle of what is timed.
    settings = Settings(lease_seconds=options.get("lease_seconds", 30.0), calendars="plain")
    with connect(settings, clock=clock, providers=[provider], stores=stores) as tickers:
        commands = Commands(tickers)
        say("ready")
        for line in sys.stdin:
            command, *values = json.loads(line)
            say(getattr(commands, command)(*values))


if __name__ == "__main__":
    main(sys.argv[1])
