from django.apps import AppConfig


class ProcessingConfig(AppConfig):
    name = "processing"

    def ready(self) -> None:
        from processing import handlers, registry, retention

        registry.register(*handlers.HANDLERS, *retention.HANDLERS)
