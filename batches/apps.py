from django.apps import AppConfig


class BatchesConfig(AppConfig):
    name = "batches"

    def ready(self) -> None:
        from batches import analysis_handlers, purging, settling, splitting
        from processing.engine import registry

        registry.register(*analysis_handlers.HANDLERS, *splitting.HANDLERS)
        registry.register_chore("batches.settle", settling.settle, every_s=settling.INTERVAL_S)
        registry.register_chore("batches.purge", purging.purge_old, every_s=purging.INTERVAL_S)
