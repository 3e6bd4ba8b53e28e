from django.apps import AppConfig


class ProcessingConfig(AppConfig):
    name = "processing"

    def ready(self) -> None:
        from processing import handlers
        from processing.engine import registry
        from processing.storage import artifacts, file_classes, leftovers, retention

        registry.register(*handlers.HANDLERS, *retention.HANDLERS)
        file_classes.register(artifacts.PROCESSED)
        registry.register_chore(
            "processing.leftovers", leftovers.start_removing, every_s=leftovers.INTERVAL_S
        )
