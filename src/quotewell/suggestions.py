"""The nearest known word to one that is not known, for hints."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["did_you_mean"]

_NEAR = 0.6
"""From which likeness, 0 to 1, a known word is offered."""
_LONGEST = 40
"""Characters of a word that are compared: the comparison takes the square of them."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The beginning of a hint, `did you mean NEAREST? `; empty where nothing known is near `word`."""
    import difflib  # noqa: PLC0415  only beside a mistake

    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word[:_LONGEST].lower(), by_lower, n=1, cutoff=_NEAR)
    return f"did you mean {by_lower[found[0]]}? " if found else ""
