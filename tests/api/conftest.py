"""The app and its client, as every test of the API uses them."""

from collections.abc import Iterator

import pytest
from browser import chromium
from esdh_api import Settings, create_app
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser


@pytest.fixture
def app() -> Flask:
    """An app without a key, whatever the environment says."""
    return create_app(Settings())


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of that app."""
    return app.test_client()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser of a module."""
    with chromium() as browser:
        yield browser
