"""Keys, people, roles and the audit log in the admin."""

from api.admin import access, people

__all__ = ["access", "people"]
