"""The REST door to batches."""

from batches.api.viewset import BatchViewSet

__all__ = ["BatchViewSet"]
