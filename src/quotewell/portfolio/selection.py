"""Which rows of a valued book are shown, and in which order; pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec

from quotewell.errors import UsageError
from quotewell.portfolio.flags import Flag
from quotewell.portfolio.row import ValuedRow
from quotewell.suggestions import did_you_mean

__all__ = ["Group", "Selection", "checked_flag", "grouped", "not_held", "sort_order"]

_SORTABLE = tuple(field for field in ValuedRow.__struct_fields__ if field != "flags")


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What a row has to be; None and empty ask nothing of it. Rows of unknown figures meet no minimum.

    Args:
        kind: `stock`, `option`, `cash`, `pending` or `unknown`.
        underlying: Canonical symbol of what the row moves with.
        min_value: Least absolute value, base currency.
        min_exposure: Least absolute exposure, base currency.
        flag: One of the row's flags, such as `stale`.
        order: Field to sort by; empty for the order of the file.
        descending: Whether the largest comes first; what is unknown comes last in either case.
    """

    kind: str | None = None
    underlying: str | None = None
    min_value: float | None = None
    min_exposure: float | None = None
    flag: str | None = None
    order: str = ""
    descending: bool = False

    def of(self, rows: Sequence[ValuedRow]) -> list[ValuedRow]:
        """The selected rows in order; equal ones stay in the order of the file."""
        chosen = [row for row in rows if self._takes(row)]
        if not self.order:
            return chosen
        known = [row for row in chosen if getattr(row, self.order) is not None]
        unknown = [row for row in chosen if getattr(row, self.order) is None]
        by_field: Callable[[ValuedRow], str | float] = lambda row: getattr(row, self.order)  # noqa: E731
        return [*sorted(known, key=by_field, reverse=self.descending), *unknown]

    def _takes(self, row: ValuedRow) -> bool:
        return (
            (self.kind is None or row.kind == self.kind)
            and (self.underlying is None or row.underlying == self.underlying)
            and _reaches(row.value, self.min_value)
            and _reaches(row.exposure, self.min_exposure)
            and (self.flag is None or self.flag in row.flags)
        )


def sort_order(text: str | None) -> tuple[str, bool]:
    """What `FIELD[:asc|desc]` says: the field to sort by, and whether the largest comes first.

    Raises:
        UsageError: If there is no such field or direction.
    """
    if text is None:
        return "", False
    field, separator, direction = text.partition(":")
    if field not in _SORTABLE:
        nearest = did_you_mean(field, _SORTABLE)
        raise UsageError(
            f"--sort {field[:40]}: no such field", hint=f"{nearest}one of {', '.join(_SORTABLE)}"
        )
    if separator and direction not in ("asc", "desc"):
        raise UsageError(f"--sort {text[:60]}: the direction is asc or desc", hint=f"--sort {field}:desc")
    return field, direction == "desc"


def checked_flag(name: str | None) -> str | None:
    """The name of a flag, or none.

    Raises:
        UsageError: There is no such flag.
    """
    known = tuple(flag.name.lower() for flag in Flag if flag.name)
    if name is not None and name not in known:
        raise UsageError(
            f"--flag {name[:40]}: no such flag", hint=f"{did_you_mean(name, known)}one of {', '.join(known)}"
        )
    return name


def not_held(symbols: Sequence[str], held: Collection[str]) -> UsageError:
    """The error for symbols that no row of a book moves with; `held` are those that one does."""
    return UsageError(
        f"no position moves with {', '.join(symbols)}",
        hint=f"{did_you_mean(symbols[0], held)}stocks, funds and underlyings of options can be named",
    )


def _reaches(figure: float | None, least: float | None) -> bool:
    return least is None or (figure is not None and abs(figure) >= least)


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one underlying with their sums in base currency; a sum of nothing known is None."""

    underlying: str | None
    """None for cash, pending activity, and options on nothing that has a price."""
    rows: tuple[ValuedRow, ...]
    value: float | None
    exposure: float | None
    beta_adjusted: float | None
    complete: bool
    """Whether value and exposure of every row are known."""


def grouped(rows: Sequence[ValuedRow]) -> list[Group]:
    """Rows by underlying, the largest absolute exposure first and cash last; rows keep their order."""
    by_underlying: dict[str | None, list[ValuedRow]] = {}
    for row in rows:
        by_underlying.setdefault(row.underlying, []).append(row)
    groups = [_group(underlying, members) for underlying, members in by_underlying.items()]

    def place(group: Group) -> tuple[bool, bool, float]:
        size = abs(group.exposure) if group.exposure is not None else 0.0
        return group.underlying is None, group.exposure is None, -size

    return sorted(groups, key=place)


def _group(underlying: str | None, rows: Sequence[ValuedRow]) -> Group:
    moves = [row for row in rows if row.kind not in ("cash", "pending")]
    return Group(
        underlying=underlying,
        rows=tuple(rows),
        value=_known_sum([row.value for row in rows]),
        exposure=_known_sum([row.exposure for row in moves]),
        beta_adjusted=_known_sum([row.beta_adjusted for row in moves]),
        complete=None not in {row.value for row in rows} | {row.exposure for row in moves},
    )


def _known_sum(figures: Sequence[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None
