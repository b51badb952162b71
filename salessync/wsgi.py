"""The web process: gunicorn serves `application`."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salessync.settings")

from django.core.wsgi import get_wsgi_application

from salessync import celery  # nudges go out through it

celery.only_publish()
application = get_wsgi_application()
