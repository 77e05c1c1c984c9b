"""The command line as tests drive it: in this process, with a cache of its own and no network."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from quotewell import wiring
from quotewell.protocols import Clock, Provider
from quotewell.views.cli.main import main


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON text that holds no NaN or Infinity."""
        return json.loads(self.out, parse_constant=_refuse)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class CommandLine:
    """Runs commands; every setting of the machine it runs on is out of the way."""

    def __init__(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
    ) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self.folder = folder
        for name in os.environ:
            if name.startswith("QUOTEWELL_") or name in ("FMP_API_KEY", "FORCE_COLOR", "NO_COLOR"):
                monkeypatch.delenv(name)
        self.set("QUOTEWELL_CACHE_DIR", str(folder / "cache"))
        self.set("QUOTEWELL_PROVIDERS", "snapshot")
        self.set("XDG_CONFIG_HOME", str(folder))
        self.set("COLUMNS", "100")

    def __call__(self, *arguments: str) -> Ran:
        self._capsys.readouterr()
        code = main(arguments)
        out, err = self._capsys.readouterr()
        return Ran(code, out, err)

    def set(self, name: str, value: str) -> None:
        """Set an environment variable."""
        self._monkeypatch.setenv(name, value)

    def ask(self, *providers: Provider, clock: Clock) -> None:
        """Let the commands ask these providers, at this time."""
        connect = functools.partial(wiring.connect, providers=providers, clock=clock)
        self._monkeypatch.setattr(wiring, "connect", connect)

    def file(self, name: str, content: str | bytes) -> str:
        """Write a file, and return its path."""
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
