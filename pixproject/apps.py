from django.apps import AppConfig
from django.db.backends.signals import connection_created


class PixprojectConfig(AppConfig):
    name = "pixproject"
    verbose_name = "Pix"

    def ready(self) -> None:
        from pixproject import checks  # noqa: F401  registers the checks
        from pixproject.web.base import readable_rows

        connection_created.connect(readable_rows.register, dispatch_uid="readable rows")
