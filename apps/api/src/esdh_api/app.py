"""The Flask app factory."""

from esdh_core import DEFAULT_DATASET, Dataset
from flask import Flask

from esdh_api.defects import open_defects
from esdh_api.errors import register_errors
from esdh_api.logs import make_logger
from esdh_api.middleware import register_middleware
from esdh_api.plans import open_plans
from esdh_api.routes import register_routes
from esdh_api.settings import MAX_BODY_BYTES, Settings

__all__ = ["create_app"]


def create_app(settings: Settings | None = None, *, dataset: Dataset | None = None) -> Flask:
    """Return the app that serves a dataset; its settings are the environment's unless given.

    Each plan of the settings is served by its name too. Unless a dataset is given it is the first plan, or the default.

    Raises SettingsError, with what is wrong, for settings that it can't start with.
    """
    settings = settings or Settings.from_environment()
    plans = open_plans(settings.plans)
    dataset = dataset or next(iter(plans.values()), DEFAULT_DATASET)
    defects = open_defects(settings.defects, plans, settings.plans, dataset)
    app = Flask("esdh_api", static_folder=None)
    # One more: at its limit Werkzeug cuts off a body whose length wasn't given, where ours is to be refused.
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES + 1
    app.url_map.merge_slashes = False  # a redirect would be an answer that the OpenAPI document doesn't know
    log = make_logger()
    register_middleware(app, settings, log)
    register_errors(app, log)
    register_routes(app, settings, dataset, plans, defects)
    return app
