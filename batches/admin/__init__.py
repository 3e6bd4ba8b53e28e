"""Batches in the admin: see, make, describe, group, process, hand on, archive, delete, restore."""

from batches.admin import batches

__all__ = ["batches"]
