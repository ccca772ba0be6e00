"""The factory, and what importing it costs."""

import subprocess
import sys

import pytest
from esdh_api import Settings, SettingsError, create_app


def test_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without settings the app takes those of the environment, limits and key."""
    monkeypatch.setenv("ESDH_API_KEY", "from-outside")
    monkeypatch.setenv("ESDH_MAX_RECORDS", "2")
    client = create_app().test_client()
    assert 401 == client.post("/generate/person").status_code
    headers = {"X-API-Key": "from-outside"}
    assert 200 == client.post("/generate/person", json={"records": 2}, headers=headers).status_code
    assert 400 == client.post("/generate/person", json={"records": 3}, headers=headers).status_code


def test_bad_environment_stops_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app with a key that is set but empty is not made."""
    monkeypatch.setenv("ESDH_API_KEY", "")
    with pytest.raises(SettingsError, match="set but empty"):
        create_app()


def test_apps_share_nothing() -> None:
    """Two apps in one process keep their own settings."""
    open_app, guarded = create_app(Settings()), create_app(Settings(api_key="key"))
    assert 200 == open_app.test_client().post("/generate/person").status_code
    assert 401 == guarded.test_client().post("/generate/person").status_code


def test_no_arrow_is_imported() -> None:
    """Making the app, answering from it and its server's modules pull in neither Arrow nor our exporters."""
    code = (
        "import sys, esdh_api, esdh_api.command, esdh_api.server\n"
        "client = esdh_api.create_app(esdh_api.Settings()).test_client()\n"
        "statuses = [client.post('/generate/bundle').status_code, client.get('/openapi.json').status_code]\n"
        "heavy = {'pyarrow', 'pandas', 'esdh_export', 'esdh_manifest', 'esdh_proof'} & set(sys.modules)\n"
        "print(statuses, heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[200, 200] set()\n" == done.stdout
