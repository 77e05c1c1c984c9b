"""Looks for files that break the reader: `python tests/fuzz_reader.py FOLDER [libFuzzer's options]`.

Needs the extra `fuzz`. The folder begins with `reader_invariants.seeds` and takes what is found on the way.
An input that breaks the reader, or takes longer than `-timeout=` or more than `-rss_limit_mb=`, ends the run
with an exit code other than 0, and is written to `-artifact_prefix=`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris


def main(folder: Path, options: list[str]) -> None:
    """Run until an option ends it, or something is found."""
    with atheris.instrument_imports(include=["quotewell.portfolio", "quotewell.symbols"]):
        # What is imported here is watched; the reader imports its part for workbooks late.
        import quotewell.portfolio.importers.workbook  # noqa: F401, PLC0415
        from reader_invariants import check, seeds, words  # noqa: PLC0415
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (folder / f"seed-{number}").write_bytes(seed)
    dictionary = folder.with_suffix(".dict")
    dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in words()), encoding="ascii")
    atheris.Setup([sys.argv[0], str(folder), f"-dict={dictionary}", *options], check)
    atheris.Fuzz()


def _escaped(word: str) -> str:
    """In the form of a dictionary of libFuzzer's."""
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word.encode()
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
