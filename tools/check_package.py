"""Builds wheel and sdist, checks them, and installs the wheel in empty environments: alone, with each extra.

`make package` runs it. It takes a few minutes and asks the package index; exit code 1 tells what went wrong.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
USES = {
    "web": "import fastapi, nicegui, prometheus_client, uvicorn",
    "mcp": "import fastmcp",
    "valkey": "import valkey, libvalkey",
    "postgres": "import psycopg",
    "arrow": "import pyarrow",
    "plot": "import matplotlib",
}
"""What an extra is for: it has to be importable with it."""
FOR_DEVELOPERS = {"dev", "docs", "release", "fuzz", "mutation", "bench"}


def main() -> int:
    """Run all steps; return the exit code."""
    extras = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    )
    if extras - FOR_DEVELOPERS != USES.keys():
        print(f"extras of pyproject.toml and of this script differ: {sorted(extras ^ USES.keys())}")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        wheel, sdist = build(Path(folder) / "dist")
        run(sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sdist))
        print(f"built and checked: {wheel.name} ({wheel.stat().st_size:,} bytes), {sdist.name}")
        alone = environment(Path(folder) / "alone", str(wheel))
        demo = run(str(alone / "quotewell"), "demo", cwd=folder)
        if not re.search(r"^ *Total", demo, flags=re.MULTILINE):
            print(f"the demo printed no total:\n{demo}")
            return 1
        print(f"the wheel alone runs the demo ({len(demo.splitlines())} lines)")
        for extra, code in sorted(USES.items()):
            place = environment(Path(folder) / extra, f"{wheel}[{extra}]")
            run(str(place / "python"), "-c", f"import quotewell; {code}", cwd=folder)
            run(str(place / "quotewell"), "--version", cwd=folder)
            print(f"[{extra}] installs and imports")
    return 0


def build(folder: Path) -> tuple[Path, Path]:
    """Wheel and sdist, the wheel from the sdist, as an index's users get it."""
    run(sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT))
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def environment(folder: Path, requirement: str) -> Path:
    """A new environment with `requirement` installed; the folder of its programs."""
    venv.create(folder, with_pip=True)
    place = folder / "bin"
    quiet = ("--quiet", "--disable-pip-version-check")
    run(str(place / "python"), "-m", "pip", "install", *quiet, "-c", str(CONSTRAINTS), requirement)
    return place


def run(*command: str, cwd: str | None = None) -> str:
    """Run a command; its output. Prints all of it and exits when it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603  our own
    if done.returncode:
        print(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        raise SystemExit(1)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
