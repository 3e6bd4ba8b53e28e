"""The REST API of batches."""

from batches.api.viewset import BatchViewSet

__all__ = ["BatchViewSet"]
