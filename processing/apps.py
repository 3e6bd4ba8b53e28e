from django.apps import AppConfig


class ProcessingConfig(AppConfig):
    name = "processing"

    def ready(self) -> None:
        from processing import handlers, registry, results, retention, stored

        registry.register(*handlers.HANDLERS, *retention.HANDLERS)
        stored.register(results.PROCESSED)
