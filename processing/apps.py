from django.apps import AppConfig


class ProcessingConfig(AppConfig):
    name = "processing"

    def ready(self) -> None:
        from processing import handlers
        from processing.engine import registry
        from processing.storage import artifacts, file_classes, retention

        registry.register(*handlers.HANDLERS, *retention.HANDLERS)
        file_classes.register(artifacts.PROCESSED)
