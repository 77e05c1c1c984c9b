"""Texts with the character NUL, which PostgreSQL cannot store, and back.

NUL becomes DLE (data link escape) and `0`, DLE becomes twice itself; every other text stays what it is. Keys
of users' own functions and what a broken provider sends may have either.
"""

from __future__ import annotations

import re
from typing import TypeVar, overload

__all__ = ["escaped", "unescaped"]

T = TypeVar("T")

_NUL = "\0"
_DLE = "\x10"
_ESCAPES = re.compile(f"{_DLE}(.)", re.DOTALL)


@overload
def escaped(value: str) -> str: ...
@overload
def escaped(value: T) -> T: ...
def escaped(value: object) -> object:
    """`value`, if it is a text, as it can be stored."""
    if not isinstance(value, str) or (_NUL not in value and _DLE not in value):
        return value
    return value.replace(_DLE, _DLE * 2).replace(_NUL, f"{_DLE}0")


@overload
def unescaped(value: str) -> str: ...
@overload
def unescaped(value: T) -> T: ...
def unescaped(value: object) -> object:
    """What `escaped` made `value` of."""
    if not isinstance(value, str) or _DLE not in value:
        return value
    return _ESCAPES.sub(lambda match: _NUL if match[1] == "0" else match[1], value)
