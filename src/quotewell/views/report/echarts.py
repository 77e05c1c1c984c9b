"""ECharts as one script to stand inside a page: from NiceGUI's own files, so that nothing is downloaded."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable

from quotewell.errors import UsageError, missing_extra

__all__ = ["echarts_script"]

_MAIN = re.compile(r'import\{(\w+) as (\w+)[^}]*\}from"\./([\w.-]+)";export\{\2 as echarts\b')
_EXPORTS = re.compile(r"export\{([^}]*)\}")


def echarts_script() -> str:
    """A module script that leaves ECharts in `globalThis.echarts`.

    Raises:
        UsageError: NiceGUI is not installed, or keeps ECharts in another form than those that are known.
    """
    try:
        folder = files("nicegui").joinpath("elements", "echart", "dist")
        return _inlined(folder)
    except ModuleNotFoundError as error:
        raise missing_extra("an HTML report", error.name, "web") from error
    except (FileNotFoundError, ValueError) as error:
        raise UsageError(
            f"the charts of an HTML report cannot be had: {error}",
            hint="pip install --upgrade 'quotewell[web]'",
        ) from error


def _inlined(folder: Traversable) -> str:
    """The bundle with its last line, which exports by short names, in place of an import from beside it."""
    main = _MAIN.search(folder.joinpath("index.js").read_text("utf-8"))
    if main is None:
        raise ValueError("index.js of NiceGUI's bundle has an unknown form")
    exported, _, name = main.groups()
    bundle = folder.joinpath(name).read_text("utf-8")
    exports = list(_EXPORTS.finditer(bundle))
    local = exports and re.search(rf"([\w$]+) as {exported}\b", exports[-1][1])
    if not local:
        raise ValueError(f"{name} of NiceGUI's bundle has an unknown form")
    body = bundle[: exports[-1].start()] + f"globalThis.echarts={local[1]};"
    # What would end the script element, in strings of the bundle.
    return body.replace("</script", "<\\/script").replace("<!--", "<\\!--")
