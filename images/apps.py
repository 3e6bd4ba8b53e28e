from django.apps import AppConfig


class ImagesConfig(AppConfig):
    name = "images"

    def ready(self) -> None:
        from images import embedding_handlers, handlers, quality_handlers
        from images.stored import CLASSES
        from processing import registry, stored

        registry.register(*handlers.HANDLERS, *embedding_handlers.HANDLERS, *quality_handlers.HANDLERS)
        stored.register(*CLASSES)
