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
from quotewell.clock import SystemClock
from quotewell.errors import CacheError
from quotewell.protocols import Coordinator, Level
from quotewell.records import Closes, Record
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.wiring import connect


class Worker:
    """A service in a process of its own.

    Args:
        folder: Where its cache is, or its spare.
        port: Of the `LoopbackMarket`.
        name: It tells the market `name leases` when it first asks for leases, `name renews` at each renewal.
        options: `lease_seconds`; `place`, the settings of a shared cache; `leases=False`, `renewal=False` and
            `refusal=False` are negative controls.
    """

    def __init__(self, folder: Path, port: int, name: str, **options: object) -> None:
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


def watch(coordinator: Coordinator, tell: Callable[[str], None], *, leases: bool, renewal: bool) -> None:
    """Let the market know when a coordinator is first asked for leases, and of each renewal.

    Without `leases` it grants everything; without `renewal` it renews nothing.
    """
    lease, renew = coordinator.lease, coordinator.renew
    told = False

    def telling_lease(keys: Collection[str], token: str, seconds: float) -> set[str]:
        nonlocal told
        granted = lease(keys, token, seconds) if leases else set(keys)
        before, told = told, True
        if not before:
            tell("leases")
        return granted

    def telling_renew(keys: Collection[str], token: str, seconds: float) -> set[str]:
        held = renew(keys, token, seconds) if renewal else set(keys)
        tell("renews")
        return held

    coordinator.lease = telling_lease  # type: ignore[method-assign]
    coordinator.renew = telling_renew  # type: ignore[method-assign]


def make_forgetful(level: Level) -> None:
    """Let a level take every value for one whose fetch began just now."""
    put_many = level.put_many

    def put(table: str, records: Sequence[Record], *, begun: int, closes: Sequence[Closes] = ()) -> set[str]:
        del begun
        return put_many(table, records, begun=level.rev(), closes=closes)

    level.put_many = put  # type: ignore[method-assign]


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

    def try_to_invalidate(self, symbols: list[str]) -> bool:
        """Invalidate, hard, if the others can be told."""
        try:
            self._tickers.invalidate(symbols, hard=True)
        except CacheError:
            return False
        return True

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
    clock = SystemClock()
    provider = LoopbackProvider(clock, options["port"])
    # A machine that is busy with all these processes is no fault of the server's.
    place = {"cache_timeout": 10.0, **options.get("place", {})}
    settings = Settings(
        cache_dir=Path(options["folder"]),
        lease_seconds=options.get("lease_seconds", 30.0),
        # The exchanges' own calendars would be read in the middle of what is timed.
        calendars="plain",
        **place,
    )
    with connect(settings, clock=clock, providers=[provider]) as tickers:
        watch(
            tickers.coordinator,
            lambda event: provider.tell(f"{options['name']} {event}"),
            leases=options.get("leases", True),
            renewal=options.get("renewal", True),
        )
        if not options.get("refusal", True):
            make_forgetful(tickers.engine.store.level)
        commands = Commands(tickers)
        say("ready")
        for line in sys.stdin:
            command, *values = json.loads(line)
            say(getattr(commands, command)(*values))


if __name__ == "__main__":
    main(sys.argv[1])
