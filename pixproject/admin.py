"""What the admin's home shows."""

from pixproject.dashboard import dashboard
from pixproject.web.admin import pix_site

pix_site().home_context = lambda: {"dashboard": dashboard()}
