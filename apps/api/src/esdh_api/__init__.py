"""The preview API of the hub, on Flask: rows over HTTP before anybody pulls a snapshot."""

from esdh_api.app import create_app
from esdh_api.settings import Settings, SettingsError

__all__ = ["Settings", "SettingsError", "create_app"]
