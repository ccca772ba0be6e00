"""The app and its client, as every test of the API uses them."""

import pytest
from esdh_api import Settings, create_app
from flask import Flask
from flask.testing import FlaskClient


@pytest.fixture
def app() -> Flask:
    """An app without a key, whatever the environment says."""
    return create_app(Settings())


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of that app."""
    return app.test_client()
