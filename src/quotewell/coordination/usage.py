"""How usage counts fade: a use counts half after a week."""

from __future__ import annotations

__all__ = ["FORGOTTEN_AFTER", "HALF_LIFE", "decayed"]

HALF_LIFE = 7 * 86400.0
"""Seconds."""

FORGOTTEN_AFTER = 20 * HALF_LIFE
"""Seconds after which a count is a millionth of itself and is dropped."""


def decayed(count: float, at: float, now: float) -> float:
    """What is left at `now` of a count that was `count` at `at`; a clock set back does not make it grow."""
    return float(count * 0.5 ** (max(now - at, 0.0) / HALF_LIFE))
