import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from pixproject.web.base import database

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pixproject.settings")
database.keep_to(settings.WEB_DATABASE_BOUNDS)
application = get_wsgi_application()
