"""Settings of the tests: the product's own, with an environment that nothing outside can change.

The servers live in a folder of this test run; databases.py starts them when the first test asks for the database.
"""

import os
import tempfile

if "SALESSYNC_TEST_DATA_DIR" not in os.environ:  # processes that a test starts find the same servers
    os.environ["SALESSYNC_TEST_DATA_DIR"] = tempfile.mkdtemp(prefix="salessync-tests-")

os.environ |= {
    "DEBUG": "on",
    "SECRET_KEY": "tests-only",
    "FIELD_ENCRYPTION_KEYS": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
    "DATA_DIR": os.environ["SALESSYNC_TEST_DATA_DIR"],
    "BOOKKEEPER_SECRET": "whsec_dGVzdHMtb25seQ==",
    # Empty counts as unset, and being there it hides what a developer's .env says.
    **dict.fromkeys(
        ["DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "BOOKKEEPER_URL", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS"],
        "",
    ),
    **dict.fromkeys(
        [
            "AUDIT_ANCHOR_DIR",
            "AUDIT_ANCHOR_URL",
            "OUTBOUND_ALLOWED_CIDRS",
            "LOG_LEVEL",
            "LOG_FORMAT",
            "TIME_ZONE",
            "MAX_WEBHOOK_BYTES",
        ],
        "",
    ),
}

from salessync.core import addresses
from salessync.settings import *  # noqa: F403
from salessync.settings import DATABASES

DATABASES["default"]["USER"] = addresses.OWNER_ROLE  # makes and drops databases; databases.as_role() is for the rest

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # logins by the dozen
