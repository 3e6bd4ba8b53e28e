"""Images in the admin: see, upload, edit, process, trash, restore, purge."""

from images.admin import images

__all__ = ["images"]
