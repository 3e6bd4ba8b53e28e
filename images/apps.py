from django.apps import AppConfig


class ImagesConfig(AppConfig):
    name = "images"

    def ready(self) -> None:
        from api.core import idempotency
        from images import handlers
        from images.file_classes import CLASSES
        from images.ingest import service as ingest
        from images.quality import handlers as quality_handlers
        from images.vectors import handlers as embedding_handlers
        from processing.engine import registry
        from processing.storage import file_classes

        registry.register(*handlers.HANDLERS, *embedding_handlers.HANDLERS, *quality_handlers.HANDLERS)
        file_classes.register(*CLASSES)
        idempotency.register_mend(ingest.mend_original)
