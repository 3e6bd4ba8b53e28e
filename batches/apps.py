from django.apps import AppConfig


class BatchesConfig(AppConfig):
    name = "batches"

    def ready(self) -> None:
        from batches import purging
        from processing import registry

        registry.register_chore("batches.purge", purging.purge_old, every_s=purging.INTERVAL_S)
