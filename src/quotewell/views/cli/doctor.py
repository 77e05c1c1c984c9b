"""`quotewell doctor`: is the service in working order, and if not, what is wrong."""

from __future__ import annotations

import sys
import warnings

import msgspec

from quotewell._version import __version__
from quotewell.endpoints import Pause
from quotewell.errors import CacheDegradedWarning, UsageError
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.views.cli.exits import FAILED, FINE
from quotewell.views.cli.options import Namespace, Subparsers, add_common, open_service
from quotewell.views.cli.output import print_json, print_lines
from quotewell.views.cli.parser import add_command
from quotewell.views.words import aligned, count, iso, number, printable

__all__ = ["add", "run"]


class Check(msgspec.Struct, frozen=True):
    """One thing looked at."""

    name: str
    ok: bool
    detail: str


def add(commands: Subparsers) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "doctor",
        "check settings, cache and providers",
        "",
        "--online",
    )
    parser.add_argument(
        "--online", action="store_true", help="ask the providers for a quote of the benchmark, too"
    )
    add_common(parser, strict=False)
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Print what was checked; exit with 1 when something is out of order."""
    checks = _checks(options)
    if options.json:
        print_json({"schema": 1, "checks": checks})
    else:
        rows = [["ok" if check.ok else "!!", check.name, printable(check.detail)] for check in checks]
        print_lines(aligned(rows, left=(0, 1, 2)))
    return FINE if all(check.ok for check in checks) else FAILED


def _checks(options: Namespace) -> list[Check]:
    python = ".".join(map(str, sys.version_info[:3]))
    checks = [Check("quotewell", ok=True, detail=f"{__version__} on Python {python}")]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CacheDegradedWarning)
        try:
            service = open_service(options)
        except UsageError as error:
            return [
                *checks,
                Check("settings", ok=False, detail=f"{error} ({error.hint})" if error.hint else str(error)),
            ]
    with service as tickers:
        settings = tickers.settings
        checks.append(Check("settings", ok=True, detail=_given(settings)))
        degraded = [str(warning.message) for warning in caught]
        checks.append(Check("cache", ok=not degraded, detail=degraded[0] if degraded else _cache(tickers)))
        left = tickers.quotas_left()
        checks += [_provider(name, pause, left.get(name)) for name, pause in tickers.pauses().items()]
        if options.online and not settings.offline:
            reading = tickers.read([(settings.benchmark, "quote")], force=True)[settings.benchmark, "quote"]
            reason = reading.failure.reason if reading.failure else f"{settings.benchmark} answered"
            checks.append(Check("online", ok=reading.failure is None, detail=reason))
    return checks


def _given(settings: Settings) -> str:
    """The settings that differ from the defaults, as `quotewell.toml` would have them; no secrets."""
    return ", ".join(f"{field} = {value}" for field, value in settings.__rich_repr__()) or "all as by default"


def _cache(tickers: TickerService) -> str:
    level = tickers.cache_stats().level
    records = number(sum(level.records.values()))
    return f"{level.name}, {records} records, {tickers.settings.cache_place}"


def _provider(name: str, pause: Pause | None, left: int | None) -> Check:
    if pause is None:
        quota = "" if left is None else f", {count(left, 'request')} left for today (UTC)"
        return Check(f"provider {name}", ok=left != 0, detail=f"not paused{quota}")
    return Check(f"provider {name}", ok=False, detail=f"paused until {iso(pause.until)}: {pause.reason}")
