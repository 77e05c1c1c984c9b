"""Texts with characters that cannot be stored or sent as they are, and back.

PostgreSQL stores no NUL, and lists of keys are sent as one text with a separator between them: psycopg would
take longer over a list than the server over the rest. DLE (data link escape) and a letter stand for either,
and for DLE itself; every other text stays what it is. Keys of users' own functions and what a broken provider
sends may have any of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import TypeVar, overload

__all__ = ["SEPARATOR", "escaped", "joined", "unescaped", "wanted_keys"]

T = TypeVar("T")

SEPARATOR = "\x1f"
"""Between keys: the unit separator of ASCII."""
_DLE = "\x10"
_LETTERS = {_DLE: "d", "\0": "0", SEPARATOR: "s"}
_SPECIAL = re.compile("[\x10\0\x1f]")
_ESCAPES = re.compile(f"{_DLE}([d0s])")
_MEANT = {letter: character for character, letter in _LETTERS.items()}


@overload
def escaped(value: str) -> str: ...
@overload
def escaped(value: T) -> T: ...
def escaped(value: object) -> object:
    """`value`, if it is a text, as it can be stored."""
    if not isinstance(value, str) or _SPECIAL.search(value) is None:
        return value
    return _SPECIAL.sub(lambda match: _DLE + _LETTERS[match[0]], value)


@overload
def unescaped(value: str) -> str: ...
@overload
def unescaped(value: T) -> T: ...
def unescaped(value: object) -> object:
    """What `escaped` made `value` of."""
    if not isinstance(value, str) or _DLE not in value:
        return value
    return _ESCAPES.sub(lambda match: _MEANT[match[1]], value)


def wanted_keys(keys: Collection[str]) -> dict[str, str]:
    """Distinct keys, by what they are stored as."""
    if _SPECIAL.search("".join(keys)) is None:
        return dict(zip(keys, keys, strict=True))
    return {escaped(key): key for key in keys}


def joined(stored: Iterable[str]) -> str:
    """Escaped keys as one text; an empty one comes behind them, or one that is alone would not be seen."""
    return SEPARATOR.join(stored) + SEPARATOR
