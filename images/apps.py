from django.apps import AppConfig


class ImagesConfig(AppConfig):
    name = "images"

    def ready(self) -> None:
        from images import embedding_handlers, handlers, quality_handlers
        from images.stored import CLASSES
        from processing.engine import registry
        from processing.storage import file_classes

        registry.register(*handlers.HANDLERS, *embedding_handlers.HANDLERS, *quality_handlers.HANDLERS)
        file_classes.register(*CLASSES)
