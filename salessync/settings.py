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
    "salessync",  # management commands
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
REDIS_URL = text("REDIS_URL", addresses.redis_url(DATA_DIR))
if REDIS_URL.startswith("valkey"):  # valkey:// and valkeys:// are no schemes that Celery knows
    REDIS_URL = "redis" + REDIS_URL.removeprefix("valkey")

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db_url_config(DATABASE_URL)
    | {
        "CONN_MAX_AGE": 60,  # connecting costs 3.4 ms, a live connection 0.03 ms
        "CONN_HEALTH_CHECKS": True,  # a database that was restarted costs no request its answer
    }
}
DATABASES["default"].setdefault("OPTIONS", {}).update(  # and no pool: it does not survive the worker's fork
    connect_timeout=3,
    application_name="salessync",
    options=" ".join(
        [
            "-c statement_timeout=15s",  # a webhook's sender has given up by then
            "-c lock_timeout=5s",  # rather tried again than queued for ever
            "-c idle_in_transaction_session_timeout=30s",  # a stuck worker lets go of its rows
        ]
    ),
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Bookkeeper and other addresses we call

BOOKKEEPER_URL = text("BOOKKEEPER_URL")
BOOKKEEPER_SECRET = text("BOOKKEEPER_SECRET")
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
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],  # a view has to say that it is open
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
