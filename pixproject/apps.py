from django.apps import AppConfig


class PixprojectConfig(AppConfig):
    name = "pixproject"
    verbose_name = "Pix"

    def ready(self) -> None:
        from pixproject import checks  # noqa: F401  registers the checks
