"""What is missing, disputed or assumed: a line for each kind, never silent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from quotewell.portfolio.problems import Problem, ProblemKind
from quotewell.portfolio.summary import DisputedRow, Summary
from quotewell.symbols import parse_option
from quotewell.views.render.layout import Line, cell
from quotewell.views.render.text import Text
from quotewell.views.words import count, number, printable

__all__ = ["LABELS", "problems"]

_LINES = 8
LABELS: dict[ProblemKind, str] = {
    "rejected": "rejected rows",
    "empty": "no rows",
    "stated_total": "totals disagree",
    "lots": "lots disagree",
    "disputed": "disputed values",
    "corporate_action": "corporate action?",
    "as_of_unknown": "no date",
    "unknown_instrument": "unknown instrument",
    "no_quantity": "no quantity",
    "no_price": "no price",
    "no_fx_rate": "no exchange rate",
    "expired": "expired",
    "no_underlying_price": "no underlying price",
    "deliverable_unknown": "unknown deliverable",
    "style_unknown": "unknown style",
    "no_delta": "no delta",
    "no_beta": "no beta",
    "stale": "stale prices",
    "assumed_rate": "interest rate unknown",
    "assumed_dividend": "dividend unknown",
    "expires_today": "expires today",
    "override": "your own figures",
    "ignored_columns": "columns not read",
    "superseded": "older files",
}
"""In the order of how much they matter."""
_REMEDIES: dict[ProblemKind, str] = {
    "as_of_unknown": "--as-of DATE",
    "assumed_dividend": "--dividend-yield 0.01",
    "assumed_rate": "--rate 0.04",
    "expired": "export a fresh file",
    "corporate_action": "export a fresh file",
    "no_beta": "--assume-beta 1",
}


def problems(summary: Summary, width: int) -> list[Line]:
    """At most eight lines, the gravest kinds first."""
    found = summary.problems
    if not found:
        return [cell("No problems", "bold")]
    groups = [(kind, group) for kind in LABELS if (group := [p for p in found if p.kind == kind])]
    label_width = max(len(LABELS[kind]) for kind, _ in groups[:_LINES])
    lines = [Text.assemble(("Problems", "bold"), f" ({number(len(found))})")]
    for kind, group in groups[:_LINES]:
        remedy = f": {_REMEDIES[kind]}" if kind in _REMEDIES else ""
        room = width - label_width - 4 - len(remedy)
        subjects = _listed(_subjects(kind, group, summary), room)
        lines.append(
            Text.assemble(
                "  ", (f"{LABELS[kind]:<{label_width}}", "yellow"), "  ", cell(subjects), (remedy, "dim")
            )
        )
    if len(groups) > _LINES:
        rest = sum(len(group) for _, group in groups[_LINES:])
        lines.append(
            cell(f"  … {number(rest)} of {count(len(groups) - _LINES, 'other kind')}: --json shows all")
        )
    return lines


def _subjects(kind: ProblemKind, group: Sequence[Problem], summary: Summary) -> list[str]:
    if kind == "disputed" and summary.disputed:
        return [_disputed(row) for row in summary.disputed]
    if kind in ("rejected", "as_of_unknown", "ignored_columns", "empty", "stated_total"):
        return [_said(problem, summary.file) for problem in group]
    names = (name for problem in group for name in problem.subject.split(", "))
    return _by_underlying(names)


def _disputed(row: DisputedRow) -> str:
    where = "" if row.line is None else f" (line {row.line})"
    return f"{row.symbol}{where} {number(row.computed, 2)} by price, {number(row.reported, 2)} in the file"


def _said(problem: Problem, file: str) -> str:
    """The message without the file, which the header names, and without what the label says."""
    said = problem.message.removeprefix(file)
    if problem.line is not None:
        said = said.removeprefix(f":{problem.line}").removeprefix(": ").split("; ")[0]
        return f"line {problem.line}: {said}"
    return said.removeprefix(": ").split("; ")[0]


def _by_underlying(names: Iterable[str]) -> list[str]:
    """Symbols, options under their underlying: `CRM (3 options)`."""
    stocks: dict[str, None] = {}
    options: Counter[str] = Counter()
    for name in names:
        option = parse_option(name)
        if option is None or option.underlying is None:
            stocks[printable(name)] = None
        else:
            options[option.underlying] += 1
    return [*stocks, *(f"{symbol} ({count(n, 'option')})" for symbol, n in options.items())]


def _listed(items: Sequence[str], width: int) -> str:
    """As many items as there is room for, and how many more there are."""
    for shown in range(len(items), 0, -1):
        rest = f", {number(len(items) - shown)} more" if shown < len(items) else ""
        text = ", ".join(items[:shown]) + rest
        if len(text) <= width:
            return text
    rest = f", {number(len(items) - 1)} more" if len(items) > 1 else ""
    return items[0][: max(width - len(rest) - 1, 1)] + "…" + rest
