"""Settings: read once, checked before anything starts, the key told to nobody."""

import pytest
from esdh_api import Settings, SettingsError


def test_empty_environment_is_open_with_the_default_limit() -> None:
    """Without settings there is no key, and a request gets at most 1,000 records."""
    assert Settings(api_key=None, max_records=1000) == Settings.from_environment({})


def test_environment_is_read() -> None:
    """The key and the limits are taken as they stand in the environment."""
    environment = {"ESDH_API_KEY": "ключ and more", "ESDH_MAX_RECORDS": "20", "ESDH_CACHE_MB": "5"}
    expected = Settings(api_key="ключ and more", max_records=20, cache_mb=5)
    assert expected == Settings.from_environment(environment)


@pytest.mark.parametrize("key", [" secret", "secret\n", "sec\x00ret", "\tsecret", " "])
def test_key_that_no_header_carries_is_refused_untold(key: str) -> None:
    """A key that can never be sent stops the start, and the message doesn't hold it."""
    with pytest.raises(SettingsError, match="no HTTP header") as refused:
        Settings.from_environment({"ESDH_API_KEY": key})
    assert "sec" not in str(refused.value)


def test_empty_key_is_refused() -> None:
    """A key that is set but empty stops the start: it would seem to guard and wouldn't."""
    with pytest.raises(SettingsError, match="ESDH_API_KEY is set but empty; give it a value, or unset it"):
        Settings.from_environment({"ESDH_API_KEY": ""})


@pytest.mark.parametrize(
    "value", ["", "0", "-1", "1.5", "many", "1_000", "٣", " 5", "8589934593", "9" * 5000]
)
def test_bad_limit_is_refused(value: str) -> None:
    """A limit that is no positive integer stops the start with the value, in part where it is long."""
    with pytest.raises(SettingsError, match=r"ESDH_MAX_RECORDS is '.* not an integer from 1") as refused:
        Settings.from_environment({"ESDH_MAX_RECORDS": value})
    assert repr(value)[:40] in str(refused.value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("value", ["", "-1", "1.5", "64MB", "1000001"])
def test_bad_cache_is_refused(value: str) -> None:
    """A size of the cache that is no integer from 0 stops the start with the value; 0 is one that can be."""
    with pytest.raises(
        SettingsError, match=r"ESDH_CACHE_MB is '.* not an integer from 0 to 1000000"
    ) as refused:
        Settings.from_environment({"ESDH_CACHE_MB": value})
    assert repr(value) in str(refused.value)
    assert 0 == Settings.from_environment({"ESDH_CACHE_MB": "0"}).cache_mb


def test_key_is_not_shown() -> None:
    """The settings' text says that there is a key, and not which."""
    shown = repr(Settings(api_key="secret"))
    assert "Settings(api_key=set, max_records=1000)" == shown == str(Settings(api_key="secret"))
