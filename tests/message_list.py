"""Every message that a user can meet, found in the source: raised, warned of, or reported as data."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).parents[1] / "src" / "quotewell"
ELSEWHERE = ("testing", "analytics")
"""Folders whose errors are told to programmers alone."""
GROUPS = {
    "usage": ("UsageError", "SymbolError", "ArgumentTypeError"),
    "import": ("ImportFailed", "TooLarge"),
    "row": ("RowError", "AmountError", "reject"),
    "problem": ("Problem",),
    "unavailable": ("DataUnavailable", "Failure"),
    "provider": (
        *("ProviderError", "SuspectPrice", "StaleCrumbError", "ConnectionBrokenError", "StatusError"),
        *("_unreadable", "_invalid", "_error", "failed", "rate_limited"),
    ),
    "cache": ("CacheError", "CacheDegradedWarning"),
    "stale": ("StaleDataWarning",),
    "http": ("HTTPException", "problem", "OverloadedError", "NotFoundError"),
}
"""Group to the calls whose texts belong to it."""
_GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}
_ANYTHING = "…"


class Message(NamedTuple):
    """A text with `…` in place of what differs, and what it advises."""

    group: str
    text: str
    hint: str
    file: str
    line: int


def messages() -> list[Message]:
    """All of them, in the order of files and lines."""
    found: list[Message] = []
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if not name.startswith(ELSEWHERE):
            found += sorted(_in_module(ast.parse(path.read_text("utf-8")), name), key=lambda one: one.line)
    return found


def _in_module(module: ast.Module, file: str) -> Iterator[Message]:
    known = _constants(module)
    for function in ast.walk(module):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            named = known | _constants(function)
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and (group := _group(call)):
                    texts = [_text(one, named) for one in call.args]
                    texts += [_text(one.value, named) for one in call.keywords if one.arg == "message"]
                    said = max(texts, key=_words, default="")
                    if group == "http" and not texts[:1]:
                        continue
                    hint = next((_text(one.value, named) for one in call.keywords if one.arg == "hint"), "")
                    if _words(said) > 1:
                        yield Message(group, said, hint, file, call.lineno)


def _group(call: ast.Call) -> str:
    name = ast.unparse(call.func).rpartition(".")[2]
    if name == "warn":
        kinds = {ast.unparse(one) for one in call.args[1:]}
        return next((_GROUP_OF[kind] for kind in kinds if kind in _GROUP_OF), "")
    return _GROUP_OF.get(name, "")


def _constants(scope: ast.AST) -> dict[str, ast.expr]:
    """Names of texts, to the text."""
    return {
        target.id: node.value
        for node in ast.walk(scope)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value, (ast.Constant, ast.JoinedStr, ast.BinOp))
    }


def _text(node: ast.expr, named: dict[str, ast.expr]) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else _ANYTHING
    if isinstance(node, ast.JoinedStr):
        return "".join(
            one.value if isinstance(one, ast.Constant) and isinstance(one.value, str) else _inner(one, named)
            for one in node.values
        )
    if isinstance(node, ast.Name) and node.id in named:
        return _text(named[node.id], {name: text for name, text in named.items() if name != node.id})
    return _ANYTHING


def _inner(node: ast.expr, named: dict[str, ast.expr]) -> str:
    value = node.value if isinstance(node, ast.FormattedValue) else node
    return _text(value, named) if isinstance(value, ast.Name) else _ANYTHING


def _words(text: str) -> int:
    return sum(any(letter.isalpha() for letter in word) for word in text.split())
