"""Every setting, read from the environment (and .env). Starts nothing, connects to nothing.

With DEBUG off nothing is guessed: each variable that production needs must be there, or the start stops with one line.
"""

import base64
import binascii
import sys
import warnings
from pathlib import Path
from typing import Any, NoReturn

import environ

from salessync.core import addresses, logs

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")  # what is in the environment already wins


def stop(message: str) -> NoReturn:
    """Wrong configuration ends the process with one line, not with a traceback."""
    print(f"salessync: {message}", file=sys.stderr)
    raise SystemExit(2)


def text(name: str, default: str = "") -> str:
    """A variable that is there but empty counts as unset."""
    return env.str(name, default="") or default


def words(name: str, default: list[str]) -> list[str]:
    return env.list(name, default=[]) or default


def number(name: str, default: int) -> int:
    value = text(name, str(default))
    if not value.isdecimal():
        stop(f"{name} must be a whole number, not {value!r}")
    return int(value)


DEBUG = env.bool("DEBUG", default=False)
REQUIRED_IN_PRODUCTION = ["SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL", "FIELD_ENCRYPTION_KEYS"]
if not DEBUG and (missing := [name for name in REQUIRED_IN_PRODUCTION if not text(name)]):
    stop(f"DEBUG is off, so {', '.join(missing)} must be set (see .env.example)")

DATA_DIR = (BASE_DIR / text("DATA_DIR", ".data")).resolve()

# --- secrets

SECRET_KEY = text("SECRET_KEY", "for-development-only-" + "0" * 40)
FIELD_ENCRYPTION_KEYS = words(
    "FIELD_ENCRYPTION_KEYS", [base64.urlsafe_b64encode(b"for-development-only".ljust(32)).decode()]
)


def is_encryption_key(key: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))) == 32
    except binascii.Error:
        return False


if not all(is_encryption_key(key) for key in FIELD_ENCRYPTION_KEYS):
    stop("FIELD_ENCRYPTION_KEYS must be a comma-separated list of 32-byte keys in URL-safe base64")

# --- web

ALLOWED_HOSTS = words("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]", ".localhost"])
CSRF_TRUSTED_ORIGINS = words("CSRF_TRUSTED_ORIGINS", [])
INBOX_LEASE_SECONDS = number("INBOX_LEASE_SECONDS", 30)  # a worker that dies gives its events back after it
MAX_WEBHOOK_BYTES = number("MAX_WEBHOOK_BYTES", 10 * 1024 * 1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = max(
    MAX_WEBHOOK_BYTES, 2_621_440
)  # the webhook view answers 413 before Django would say 400

ROOT_URLCONF = "salessync.urls"
WSGI_APPLICATION = "salessync.wsgi.application"

INSTALLED_APPS = [
    "unfold",  # before the admin, whose templates it replaces
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",  # the documentation's scripts, so that its page loads nothing from elsewhere
    "salessync",  # management commands
    "salessync.api",
    "salessync.core",
    "channels",
    "tax",
    "inventory",
    "ledger",
]
MIDDLEWARE = [
    "salessync.health.answer_probes",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = DEBUG  # in development gunicorn serves static files without collectstatic
if DEBUG:  # what is no news in development
    for known in ("No directory at", "You're running the worker with superuser privileges"):
        warnings.filterwarnings("ignore", message=known)
WHITENOISE_AUTOREFRESH = False  # it would look at the disk on every request, webhooks included
STORAGES: dict[str, dict[str, str]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- database and broker

EMBEDDED = tuple(
    server for server, name in (("postgres", "DATABASE_URL"), ("valkey", "REDIS_URL")) if not text(name)
)  # which servers manage.py starts under DATA_DIR; never any with DEBUG off, where both variables are required

DATABASE_URL = text("DATABASE_URL", addresses.database_url(DATA_DIR))
DATABASE_OWNER_URL = text("DATABASE_OWNER_URL", text("DATABASE_URL", addresses.owner_url(DATA_DIR)))
REDIS_URL = text("REDIS_URL", addresses.redis_url(DATA_DIR))
if REDIS_URL.startswith("valkey"):  # valkey:// and valkeys:// are no schemes that Celery knows
    REDIS_URL = "redis" + REDIS_URL.removeprefix("valkey")


def database(url: str, statement_timeout: str) -> dict[str, Any]:
    """Django's settings of a connection. No pool: it does not survive the worker's fork."""
    limits = [
        f"-c statement_timeout={statement_timeout}",
        "-c lock_timeout=5s",  # rather tried again than queued for ever
        "-c idle_in_transaction_session_timeout=30s",  # a stuck worker lets go of its rows
    ]
    known: dict[str, Any] = env.db_url_config(url)
    return known | {
        "CONN_MAX_AGE": 60,  # connecting costs 3.4 ms, a live connection 0.03 ms
        "CONN_HEALTH_CHECKS": True,  # a database that was restarted costs no request its answer
        "OPTIONS": known.get("OPTIONS", {})
        | {"connect_timeout": 3, "application_name": "salessync", "options": " ".join(limits)},
    }


DATABASES = {"default": database(DATABASE_URL, "15s")}  # a webhook's sender has given up by then
DATABASE_OWNER = database(DATABASE_OWNER_URL, "0")  # who owns the tables: `migrate` alone connects so (core/access.py)
DATABASE_APPLICATION = DATABASES["default"].copy()  # who web and workers are; `migrate` grants what they need
if text("DATABASE_OWNER_URL") and not text("DATABASE_URL"):
    stop("DATABASE_OWNER_URL is of no use without DATABASE_URL (see .env.example)")
if DATABASE_OWNER_URL != DATABASE_URL:
    if DATABASE_OWNER["NAME"] != DATABASES["default"]["NAME"]:
        stop("DATABASE_URL and DATABASE_OWNER_URL must name the same database")
    if not (DATABASE_APPLICATION["USER"] and DATABASE_OWNER["USER"]):
        stop("DATABASE_URL and DATABASE_OWNER_URL must each name their user")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- audit: the head of its chain is kept outside of the database as well

AUDIT_ANCHOR_DIR = Path(text("AUDIT_ANCHOR_DIR", str(DATA_DIR / "anchors")))
AUDIT_ANCHOR_URL = text("AUDIT_ANCHOR_URL")
STOCK_PUSH_WINDOW = number("STOCK_PUSH_WINDOW_MS", 250) / 1000  # seconds between two calls for one listing
CLEARING_ALARM_DAYS = number(
    "CLEARING_ALARM_DAYS", 14
)  # an open item on a clearing account that is older asks for a person

# --- Bookkeeper and other addresses we call

BOOKKEEPER_URL = text("BOOKKEEPER_URL")
BOOKKEEPER_SECRET = text("BOOKKEEPER_SECRET")
BOOKKEEPER_BATCH = number("BOOKKEEPER_BATCH", 200)  # entries in one message; 1: record by record
OUTBOUND_ALLOWED_CIDRS = words("OUTBOUND_ALLOWED_CIDRS", [])

# --- people

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
SESSION_COOKIE_AGE = 8 * 60 * 60  # a working day
UNFOLD = {
    "SITE_TITLE": "Sales Sync",
    "SITE_HEADER": "Sales Sync",
    "SITE_SYMBOL": "sync_alt",
    "SHOW_HISTORY": False,  # the audit trail has it
    "SHOW_VIEW_ON_SITE": False,
    "SITE_URL": None,  # there is no other site to return to
    "DASHBOARD_CALLBACK": "salessync.dashboard.context",
    "SIDEBAR": {"show_search": False, "navigation": "salessync.navigation.sidebar"},
}

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["salessync.api.authentication.BearerAuthentication"],  # no session opens the API
    "DEFAULT_PERMISSION_CLASSES": ["salessync.api.authentication.HasScope"],  # a view has to say that it is open
    "DEFAULT_THROTTLE_CLASSES": ["salessync.api.throttling.ClientThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["salessync.api.rendering.Renderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "salessync.api.rendering.OnlyJson",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "salessync.api.schema.Description",
    "EXCEPTION_HANDLER": "salessync.api.problems.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Sales Sync",
    "DESCRIPTION": "Sales in, books and stock out. Money is an integer in the minor unit of the currency beside it; instants are UTC.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "PREPROCESSING_HOOKS": ["salessync.api.schema.without_slash"],
    "POSTPROCESSING_HOOKS": ["salessync.api.schema.add_components"],
    "PATH_CONVERTER_OVERRIDES": {
        "number": {"type": "integer", "minimum": 0, "maximum": 10**18 - 1},
        "entry": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,50}:[0-9]{1,18}$"},
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- time, language, logs

USE_TZ = True
TIME_ZONE = text("TIME_ZONE", "UTC")  # of the admin's pages only
LANGUAGE_CODE = "en"
LOG_LEVEL, LOG_FORMAT = text("LOG_LEVEL", "INFO").upper(), text("LOG_FORMAT", "text").lower()
if LOG_LEVEL not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL") or LOG_FORMAT not in ("text", "json"):
    stop("LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL, and LOG_FORMAT text or json")
LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = logs.configuration(LOG_LEVEL, LOG_FORMAT)

# --- transport security

if not DEBUG:
    SECURE_SSL_REDIRECT = True
    # A redirect helps a browser; a program's POST has already been sent in clear, and would be lost.
    SECURE_REDIRECT_EXEMPT = [r"^webhooks/", r"^api/", r"^metrics$"]
    if env.bool("TRUST_FORWARDED_PROTO", default=False):  # only behind a proxy that sets or strips the header
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = [
    "security.W005",
    "security.W021",
]  # other sites under the same domain are not ours to decide for
