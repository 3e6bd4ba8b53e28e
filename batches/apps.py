from django.apps import AppConfig


class BatchesConfig(AppConfig):
    name = "batches"

    def ready(self) -> None:
        from batches import services
        from batches.clustering import handler as analysis_handlers
        from batches.clustering import run_status
        from batches.groups import splitting
        from processing.engine import registry

        registry.register(*analysis_handlers.HANDLERS, *splitting.HANDLERS)
        registry.register_chore("batches.settle", run_status.sync_runs, every_s=run_status.INTERVAL_S)
        registry.register_chore("batches.purge", services.purge_old, every_s=services.PURGE_INTERVAL_S)
