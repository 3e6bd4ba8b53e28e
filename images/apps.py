from django.apps import AppConfig


class ImagesConfig(AppConfig):
    name = "images"

    def ready(self) -> None:
        from images import handlers
        from processing import registry

        registry.register(*handlers.HANDLERS)
