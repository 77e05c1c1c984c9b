"""Columns in and out of Arrow tables, whatever their types there: the only file that converts them.

pyarrow is an extra, imported when a table is first asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers
from quotewell.errors import UsageError, missing_extra

__all__ = [
    "METADATA",
    "as_table",
    "codes_of",
    "finite_of",
    "floats_of",
    "from_codes",
    "instants_of",
    "integers_of",
    "known",
    "metadata_of",
    "module",
    "nullable",
    "texts_of",
    "to_instants",
    "with_metadata",
]

METADATA = b"quotewell"
"""The key of a table's metadata that holds, as JSON, what its columns do not say."""

_NANOSECONDS = 10**9


def module() -> Any:
    """Pyarrow.

    Raises:
        UsageError: It is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415  an extra
    except ImportError as error:
        raise missing_extra("a book as an Arrow table", "pyarrow", "arrow") from error
    return pa


def as_table(data: Any, required: Collection[str], what: str) -> Any:
    """A `pyarrow.Table` of any table that gives itself away as Arrow: of pyarrow, pandas, polars, DuckDB.

    Args:
        data: The table or record batch.
        required: Columns that it must have.
        what: What messages call it.

    Raises:
        UsageError: It is no table, or has two columns of one name, or lacks one.
    """
    pa = module()
    if isinstance(data, pa.RecordBatch):
        table = pa.Table.from_batches([data])
    elif isinstance(data, pa.Table):
        table = data
    else:
        try:
            table = pa.table(data)
        except (TypeError, ValueError, pa.ArrowException) as error:
            raise UsageError(
                f"the {what} are no table that Arrow can read: {type(data).__name__}: {error}",
                hint="give a table of pyarrow, pandas or polars",
            ) from error
    names = table.column_names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"the {what} have several columns of the name {', '.join(twice)}")
    if lacking := [name for name in required if name not in names]:
        raise UsageError(
            f"the {what} have no column {', '.join(lacking)}", hint="docs/columns.md lists the columns"
        )
    return table


def texts_of(table: Any, name: str) -> list[str | None]:
    """A column of text; all None where the table has no such column."""
    if name not in table.column_names:
        return [None] * int(table.num_rows)
    texts: list[str | None] = _texts(table, name).to_pylist()
    return texts


def codes_of(table: Any, name: str) -> tuple[list[str | None], Integers]:
    """The distinct texts of a column, and the place of each row's among them."""
    if name not in table.column_names:
        return [None], np.zeros(table.num_rows, dtype=np.intp)
    encoded = _texts(table, name).combine_chunks().dictionary_encode(null_encoding="encode")
    if isinstance(encoded, module().ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    values: list[str | None] = encoded.dictionary.to_pylist()
    return values, np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.intp)


def floats_of(table: Any, name: str) -> Floats:
    """A column of numbers; NaN where it is null, and everywhere where the table has no such column."""
    pa = module()
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    return np.asarray(_cast(table, name, pa.float64()).to_numpy(), dtype=np.float64)


def finite_of(table: Any, name: str, what: str) -> Floats:
    """A column of numbers as `floats_of` gives it.

    Raises:
        UsageError: One is infinite; `what` is what the message calls the table.
    """
    figures = floats_of(table, name)
    infinite = np.isinf(figures)
    if infinite.any():
        raise UsageError(f"{name} of the {what} is infinite in row {int(infinite.argmax()) + 1}")
    return figures


def integers_of(table: Any, name: str) -> list[int | None]:
    """A column of whole numbers; all None where the table has no such column."""
    if name not in table.column_names:
        return [None] * int(table.num_rows)
    integers: list[int | None] = _cast(table, name, module().int64()).to_pylist()
    return integers


def instants_of(table: Any, name: str) -> Floats:
    """A column of times as epoch seconds; NaN where it is null or the table has no such column."""
    pa = module()
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    column = table[name]
    if pa.types.is_timestamp(column.type) and column.type.tz is None:
        raise UsageError(f"the column {name} has no time zone", hint="give times of UTC")
    if not pa.types.is_timestamp(column.type) and not pa.types.is_null(column.type):
        raise UsageError(f"the column {name} is of type {column.type}, not of times")
    column = _cast(table, name, pa.timestamp("ns", "UTC"))
    known = ~np.asarray(column.is_null().to_numpy())
    whole = np.asarray(column.cast(pa.int64()).fill_null(0).to_numpy(), dtype=np.int64)
    # Apart, so that a time comes back as the float that it was.
    seconds, rest = np.divmod(whole, _NANOSECONDS)
    return np.where(known, seconds + rest / _NANOSECONDS, np.nan)


def known(figures: Floats) -> list[float | None]:
    """Numbers as Python's; None where they are unknown."""
    numbers: list[float | None] = np.where(np.isnan(figures), None, figures).tolist()  # type: ignore[call-overload]
    return numbers


def to_instants(seconds: Iterable[float | None]) -> Any:
    """Epoch seconds, None or NaN where unknown, as an Arrow array of times."""
    pa = module()
    known = np.array(list(seconds), dtype=np.float64)
    missing = np.isnan(known)
    whole = np.floor(np.where(missing, 0.0, known))
    rest = np.round((np.where(missing, 0.0, known) - whole) * _NANOSECONDS)
    nanoseconds = whole.astype(np.int64) * _NANOSECONDS + rest.astype(np.int64)
    return pa.array(nanoseconds, mask=missing).cast(pa.timestamp("ns", "UTC"))


def nullable(figures: Floats) -> Any:
    """Numbers as an Arrow array, null where they are unknown."""
    return module().array(figures, mask=np.isnan(figures))


def from_codes(codes: Integers, values: Sequence[str | None]) -> Any:
    """Texts as an Arrow array, null where the code is below 0 or stands for None."""
    pa = module()
    missing = np.array([value is None for value in values], dtype=bool)
    unknown: Bools = codes < 0
    if missing.any():
        unknown = unknown | np.where(unknown, False, missing[codes])
    indices = pa.array(np.where(unknown, 0, codes).astype(np.int32), mask=unknown)
    texts = ["" if value is None else value for value in values] or [""]
    return pa.DictionaryArray.from_arrays(indices, pa.array(texts, pa.string())).dictionary_decode()


def metadata_of(table: Any) -> dict[str, Any]:
    """What the metadata says of the table besides its columns; nothing where another program left it out."""
    text = (table.schema.metadata or {}).get(METADATA)
    if text is None:
        return {}
    try:
        said = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise UsageError(f"the table's metadata cannot be read: {error}") from error
    return said


def with_metadata(table: Any, said: Mapping[str, Any]) -> Any:
    """The table with metadata."""
    return table.replace_schema_metadata({METADATA: msgspec.json.encode(dict(said))})


def _texts(table: Any, name: str) -> Any:
    pa = module()
    column = table[name]
    if pa.types.is_dictionary(column.type):
        # Not by `dictionary_decode` alone, which knows no string views, as polars has them.
        chunks = [chunk.dictionary.cast(pa.string()).take(chunk.indices) for chunk in column.chunks]
        table = pa.table({name: pa.chunked_array(chunks, pa.string())})
    return _cast(table, name, pa.string())


def _cast(table: Any, name: str, wanted: Any) -> Any:
    column = table[name]
    if column.type == wanted:
        return column
    pa = module()
    try:
        return column.cast(wanted)
    except pa.ArrowException as error:
        raise UsageError(f"the column {name} is of type {column.type}, not {wanted}: {error}") from error
