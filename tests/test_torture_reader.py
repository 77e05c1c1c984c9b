"""Files that nobody would write: a fuzzer looks for those that the reader cannot bear."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reader_invariants import check, seeds

SECONDS = int(os.environ.get("QUOTEWELL_FUZZ_SECONDS", "600"))
LIMITS = ("-timeout=10", "-rss_limit_mb=1024", "-max_len=20000")


@pytest.mark.torture
@pytest.mark.timeout(SECONDS + 400)  # the longest of all, so that it begins first
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed: pip install 'quotewell[fuzz]', where it has a wheel",
)
def test_no_file_breaks_the_reader(tmp_path: Path) -> None:
    script = Path(__file__).with_name("fuzz_reader.py")
    arguments = (
        str(tmp_path / "corpus"),
        f"-max_total_time={SECONDS}",
        *LIMITS,
        f"-artifact_prefix={tmp_path}/",
    )
    # Through a shell: a process takes over the peak of memory of the one that started it, which may have
    # worked on a million positions, and libFuzzer goes by the peak.
    run = subprocess.run(
        ["/bin/sh", "-c", '"$@"; exit $?', "sh", sys.executable, str(script), *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    found = [path.read_bytes() for path in tmp_path.glob("*-*") if path.is_file()]
    assert run.returncode == 0, f"{found!r}\n{run.stderr[-3000:]}"
    assert "Done" in run.stderr


def test_every_seed_is_read() -> None:
    for seed in seeds():
        check(seed)


@pytest.mark.parametrize(
    "found",
    [
        # a value that belongs to nothing
        b"Symbol,Quantity,Value,Kind\n,1,10,unknown\n",
        b"Open Positions,Header,Asset Category,Quantity,Value\nOpen Positions,Data,Bonds,1000,995\n",
    ],
)
def test_what_the_fuzzer_found_stays_mended(found: bytes) -> None:
    check(found)
