"""Exit codes of all commands."""

from __future__ import annotations

__all__ = ["FAILED", "FINE", "INTERRUPTED", "NOT_STRICT", "TERMINATED", "WRONG_USAGE"]

FINE = 0
FAILED = 1
"""The command could not do its job: bad input, nothing usable."""
WRONG_USAGE = 2
NOT_STRICT = 3
"""Done, but `--strict` found something missing, stale, disputed or rejected."""
INTERRUPTED = 130
TERMINATED = 143
