from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from rich.pretty import pretty_repr

from quotewell.errors import UsageError
from quotewell.settings import Settings, load_mapping, load_settings

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def _no_config_of_the_developer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("quotewell.settings._user_config", lambda: tmp_path / "none.toml")


def config(folder: Path, text: str | bytes) -> dict[str, str]:
    """The environment that names a config file with this text."""
    path = folder / "quotewell.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return {"QUOTEWELL_CONFIG": str(path)}


def test_without_any_source_all_is_default() -> None:
    assert load_settings(environment={}) == Settings()
    assert (Settings().providers, Settings().benchmark, Settings().offline) == (
        ("yahoo", "fmp"),
        "^GSPC",
        False,
    )


@pytest.mark.parametrize(
    ("in_file", "in_environment", "argument", "expected"),
    [
        (None, None, None, "^GSPC"),
        ("SPY", None, None, "SPY"),
        ("SPY", "QQQ", None, "QQQ"),
        ("SPY", "QQQ", "IWM", "IWM"),
        (None, "QQQ", None, "QQQ"),
        ("SPY", None, "IWM", "IWM"),
        ("SPY", "", None, "SPY"),
    ],
)
def test_argument_over_environment_over_file_over_default(
    tmp_path: Path, in_file: str | None, in_environment: str | None, argument: str | None, expected: str
) -> None:
    environment = config(tmp_path, f'benchmark = "{in_file}"' if in_file else "")
    if in_environment is not None:
        environment["QUOTEWELL_BENCHMARK"] = in_environment
    assert load_settings({"benchmark": argument}, environment).benchmark == expected


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("QUOTEWELL_PROVIDERS", " files, fmp ,,", "providers", ("files", "fmp")),
        ("QUOTEWELL_OFFLINE", "1", "offline", True),
        ("QUOTEWELL_OFFLINE", "False", "offline", False),
        ("QUOTEWELL_YAHOO_RATE", "0.5", "yahoo_rate", 0.5),
        ("QUOTEWELL_YAHOO_BURST", "9", "yahoo_burst", 9),
        ("QUOTEWELL_FMP_PER_DAY", "null", "fmp_per_day", None),
        ("QUOTEWELL_CACHE_DIR", "/var/q", "cache_dir", Path("/var/q")),
        ("QUOTEWELL_BETA", "provider", "beta", "provider"),
        ("QUOTEWELL_LIFETIMES", '{"fx": {"fresh": 9}}', "lifetimes", {"fx": {"fresh": 9.0}}),
        ("QUOTEWELL_FMP_API_KEY", SECRET, "fmp_api_key", SECRET),
        ("FMP_API_KEY", SECRET, "fmp_api_key", SECRET),
    ],
)
def test_the_environment_is_text_of_the_fields_type(name: str, text: str, field: str, value: object) -> None:
    assert getattr(load_settings(environment={name: text}), field) == value


def test_our_own_name_of_the_key_wins_over_the_plain_one() -> None:
    environment = {"QUOTEWELL_FMP_API_KEY": SECRET, "FMP_API_KEY": "other"}
    assert load_settings(environment=environment).fmp_api_key == SECRET


def test_the_process_environment_is_read_when_no_other_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOTEWELL_BASE_CURRENCY", "EUR")
    assert load_settings().base_currency == "EUR"


def test_a_config_file_sets_fields_of_every_type(tmp_path: Path) -> None:
    text = """
        providers = ["files"]
        files_dir = "prices"
        offline = true
        yahoo_rate = 1
        [lifetimes.quote]
        fresh = 60
    """
    assert load_settings(environment=config(tmp_path, text)) == Settings(
        providers=("files",),
        files_dir=Path("prices"),
        offline=True,
        yahoo_rate=1.0,
        lifetimes={"quote": {"fresh": 60.0}},
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        ({"speed": 1}, {}, "unknown setting: speed"),
        (
            {},
            {"QUOTEWELL_SPEED": "1", "QUOTEWELL_COLOUR": "red"},
            "unknown setting: QUOTEWELL_COLOUR, QUOTEWELL_SPEED",
        ),
        ({"yahoo_rate": "fast"}, {}, "yahoo_rate: 'fast' is not a number"),
        ({"yahoo_rate": 0}, {}, "yahoo_rate: '0' is not a number above 0"),
        ({"yahoo_burst": 0}, {}, "yahoo_burst: '0' is not a whole number of 1 or more"),
        ({"fmp_api_key": 5}, {}, "fmp_api_key: is not a text"),
        ({}, {"QUOTEWELL_OFFLINE": "perhaps"}, "QUOTEWELL_OFFLINE: 'perhaps' is not true or false"),
        (
            {},
            {"QUOTEWELL_BETA": "guessed"},
            "QUOTEWELL_BETA: 'guessed' is not one of computed, weekly, provider",
        ),
        ({}, {"QUOTEWELL_LIFETIMES": "{fresh}"}, "QUOTEWELL_LIFETIMES: is no JSON"),
        ({}, {"QUOTEWELL_LIFETIMES": '{"fx": 5}'}, r"QUOTEWELL_LIFETIMES\[\.\.\.\]: is not a table"),
        ({"cache_dir": 5}, {}, "cache_dir: '5' is not"),
        ({"providers": "yahoo"}, {}, "providers: 'yahoo' is not a list"),
    ],
)
def test_a_wrong_setting_is_named(
    arguments: dict[str, Any], environment: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_settings(arguments, environment)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("benchmark = SPY", "cannot be read as TOML: .*line 1"),
        (b'benchmark = "\xff"', "cannot be read as TOML"),
        ("bench = 1", r"unknown setting: .*quotewell\.toml: bench"),
        ("yahoo_burst = 1.5", r"quotewell\.toml: yahoo_burst: '1.5' is not a whole number"),
    ],
)
def test_a_wrong_config_file_is_a_usage_error(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_settings(environment=config(tmp_path, text))


def test_a_named_config_file_must_exist_and_be_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"QUOTEWELL_CONFIG: .*gone\.toml does not exist"):
        load_settings(environment={"QUOTEWELL_CONFIG": str(tmp_path / "gone.toml")})
    with pytest.raises(UsageError, match="cannot be read"):
        load_settings(environment={"QUOTEWELL_CONFIG": str(tmp_path)})


def test_the_users_config_folder_is_looked_into(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    elsewhere(monkeypatch)
    monkeypatch.setattr("platformdirs.user_config_path", lambda name, **_: tmp_path / name)
    (tmp_path / "quotewell").mkdir()
    config(tmp_path / "quotewell", 'base_currency = "CHF"')
    assert load_settings(environment={}).base_currency == "CHF"


@pytest.mark.parametrize("show", [repr, str, pretty_repr, lambda settings: pretty_repr({"in": settings})])
def test_secrets_are_in_no_representation(show: Any) -> None:
    text = show(Settings(fmp_api_key=SECRET, cache_url=f"redis://me:{SECRET}@host", benchmark="SPY"))
    assert SECRET not in text
    assert "fmp_api_key=" in text
    assert "SPY" in text


def test_errors_do_not_tell_secrets() -> None:
    with pytest.raises(UsageError) as caught:
        load_settings({"fmp_api_key": SECRET, "cache_url": [SECRET]}, {})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (Settings(), "Settings()"),
        (Settings(yahoo_burst=9, offline=True), "Settings(offline=True, yahoo_burst=9)"),
        (Settings(lifetimes={"fx": {"fresh": 1.0}}), "Settings(lifetimes={'fx': {'fresh': 1.0}})"),
    ],
)
def test_the_representation_shows_what_differs_from_the_default(settings: Settings, text: str) -> None:
    assert repr(settings) == text


def test_the_cache_folder_is_the_users_unless_one_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings(cache_dir=Path("~/q")).cache_folder == tmp_path / "q"
    elsewhere(monkeypatch)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, **_: tmp_path / "caches" / name)
    assert Settings().cache_folder == tmp_path / "caches" / "quotewell"


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be on another system, where only platformdirs knows the folders."""
    monkeypatch.setattr(sys, "platform", "darwin")


@pytest.mark.skipif(sys.platform != "linux", reason="another system has other folders")
@pytest.mark.parametrize("named", [None, "", "relative", "/folders"])
@pytest.mark.parametrize("home", [None, "", "relative", "/home/me"])
def test_the_users_folders_are_those_of_platformdirs(
    monkeypatch: pytest.MonkeyPatch, named: str | None, home: str | None
) -> None:
    for variable, value in (("XDG_CACHE_HOME", named), ("XDG_CONFIG_HOME", named), ("HOME", home)):
        monkeypatch.delenv(variable, raising=False)
        if value is not None:
            monkeypatch.setenv(variable, value)
    assert Settings().cache_folder == platformdirs.user_cache_path("quotewell", appauthor=False)
    expected = platformdirs.user_config_path("quotewell", appauthor=False) / "mappings"
    with pytest.raises(UsageError) as caught:
        load_mapping("none-such")
    assert caught.value.hint == f"saved in {expected}: none"


DOCUMENT = Path(__file__).parents[1] / "docs" / "settings.md"
IN_WORDS = {"cache_dir", "fmp_base_url", "lifetimes"}


def documented() -> dict[str, str]:
    """Field to its default, as the table in the documentation says."""
    found: dict[str, str] = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            names, defaults = (cell.strip() for cell in line.split("|")[1:3])
            fields = re.findall(r"`(\w+)`", names)
            each = (
                defaults.removesuffix(" s").split(", ") if len(fields) > 1 else [defaults.removesuffix(" s")]
            )
            found |= dict(zip(fields, each, strict=True))
    return found


def test_the_documentation_lists_every_field_with_its_default() -> None:
    table = documented()
    assert table.keys() == set(Settings.__struct_fields__)
    for field, text in table.items():
        default = getattr(Settings(), field)
        if field in IN_WORDS:
            continue
        if isinstance(default, bool):
            assert text == f"`{str(default).lower()}`", field
        elif isinstance(default, (int, float)):
            assert float(text.replace(",", "")) == default, field
        elif isinstance(default, tuple):
            assert text == f"`{','.join(default)}`", field
        else:
            assert text == ("–" if default is None else f"`{default}`"), field


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().offline = True  # type: ignore[misc]
