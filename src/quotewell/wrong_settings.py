"""What is wrong with a setting, in the words and by the name under which the user gave it."""

from __future__ import annotations

import re
import typing
from collections.abc import Collection, Iterable, Mapping

from quotewell.errors import UsageError
from quotewell.suggestions import did_you_mean

__all__ = ["ALL_SETTINGS", "said", "unknown_setting", "wrong_setting"]

ALL_SETTINGS = "docs/settings.md lists all"
_SHOWN = 60
"""Characters of a wrong value that a message repeats."""
_KINDS = {
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "str": "a text",
    "array": "a list",
    "object": "a table",
}


def unknown_setting(names: Iterable[str], origins: Mapping[str, str], known: Iterable[str]) -> UsageError:
    """The error for settings that do not exist.

    Args:
        names: The fields.
        origins: Field to the name by which it was given.
        known: All fields that exist.
    """
    wrong = sorted(names)
    nearest = did_you_mean(wrong[0], known) if len(wrong) == 1 else ""
    return UsageError(
        f"unknown setting: {', '.join(origins.get(name, name) for name in wrong)}",
        hint=f"{nearest}{ALL_SETTINGS}",
    )


def wrong_setting(
    complaint: str,
    fields: Mapping[str, object],
    origins: Mapping[str, str],
    owner: type,
    secrets: Collection[str],
) -> UsageError:
    """The error for a setting of a value that it cannot have.

    Args:
        complaint: What msgspec says of it: ``Expected `float`, got `str` - at `$.yahoo_rate` ``.
        fields: All values that were given.
        origins: Field to the name by which it was given.
        owner: The struct of all settings, whose annotations tell what may be chosen.
        secrets: Fields whose values are not repeated.
    """
    found = re.fullmatch(r"(?P<what>.*) - at `\$\.(?P<field>\w+)(?P<deeper>.*)`", complaint)
    if found is None:
        return UsageError(f"a setting has the wrong type: {complaint}", hint=ALL_SETTINGS)
    field = found["field"]
    name = f"{origins.get(field, field)}{found['deeper']}"
    given = "" if field in secrets or found["deeper"] else f" {str(fields[field])[:_SHOWN]!r}"
    return UsageError(f"{name}:{given} is not {_expected(found['what'], field, owner)}", hint=ALL_SETTINGS)


def said(error: Exception) -> str:
    """What the operating system or a parser said of a file, without the number and the path."""
    return str(getattr(error, "strerror", None) or error)


def _expected(what: str, field: str, owner: type) -> str:
    choices = typing.get_args(typing.get_type_hints(owner)[field])
    if what.startswith("Invalid enum value") and choices:
        return f"one of {', '.join(map(str, choices))}"
    expected = re.match(r"Expected `(?P<kind>\w+)(?: \| null)?`(?: (?P<bound>>=? [\d.]+))?", what)
    if expected is None:
        return f"what it has to be ({what})"
    bound = {"> 0.0": " above 0", ">= 0.0": " of 0 or more", ">= 1": " of 1 or more"}.get(
        expected["bound"] or "", f" {expected['bound']}" if expected["bound"] else ""
    )
    return _KINDS.get(expected["kind"], expected["kind"]) + bound
