from django.contrib.admin.apps import AdminConfig


class PixAdminConfig(AdminConfig):
    """Django's admin app with the operator's room as its one site."""

    default_site = "pixproject.web.admin.PixAdminSite"
