"""What is one web process of Winback?

Owns the factory that ties settings, database, doors, headers and errors into one Flask application. The promise: the
same application in production, in the demo and in tests; nothing is read from the environment here.
"""

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import flask_smorest
from flask import Flask
from flask.json.provider import DefaultJSONProvider
from flask_wtf.csrf import CSRFProtect
from werkzeug.routing import IntegerConverter, Map

from core.database import Database, open_database
from core.settings import Settings
from web.frame import presentation
from web.registry import register_all
from web.requests import errors
from web.requests.express import Express
from web.security import access, headers

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_FORM_BYTES = 4 * 1024 * 1024


class _Json(DefaultJSONProvider):
    """JSON without NaN and Infinity: undefined is null."""

    def dumps(self, obj: Any, **options: Any) -> str:
        try:
            return super().dumps(obj, allow_nan=False, **options)
        except ValueError:
            return super().dumps(_without_nan(obj), allow_nan=False, **options)


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return value


class _Api(flask_smorest.Api):  # type: ignore[misc]
    """The OpenAPI document and request checks; errors are ours."""

    def _register_error_handlers(self) -> None:
        """web/requests/errors.py answers, for pages and programs alike."""


class _StoredNumber(IntegerConverter):
    """A number in an address that a database can hold: a larger one names nothing and is not found."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=2**63 - 1)


def create_app(settings: Settings, database: Database | None = None) -> Flask:
    """Build the application for these settings; `database` shares an open one."""
    https = settings.base_url.startswith("https:")
    app = Flask("web", root_path=str(Path(__file__).parent))
    app.json = _Json(app)
    app.url_map.converters["int"] = _StoredNumber
    app.config.update(
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_FORM_BYTES,
        SESSION_COOKIE_NAME="__Host-winback" if https else "winback",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=https,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=12),
        SEND_FILE_MAX_AGE_DEFAULT=timedelta(days=365),
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a builder stays open for hours
        WINBACK_ZONE=settings.zone,
        API_TITLE="Winback",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api",
        OPENAPI_JSON_PATH="openapi.json",
    )
    app.extensions["winback.settings"] = settings
    app.extensions["winback.database"] = database or open_database(settings.database_url)
    csrf = CSRFProtect(app)
    access.guard(app)
    headers.protect(app, https=https)
    errors.register(app)
    presentation.furnish(app)
    api = _Api(app)
    doors = register_all(app, api).doors
    for name, door in doors.items():
        if door != "pages":  # keys, signatures and tokens prove the caller there; a browser sends none by itself
            csrf.exempt(app.blueprints[name])
    app.wsgi_app = Express(app, https=https)  # type: ignore[assignment, method-assign]
    return app

