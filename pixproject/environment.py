"""Environment variables as settings, with a sentence for a value that cannot be read."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environ import Env


class Environment(Env):
    """An empty variable means the default: files such as `.env` and compose's write `NAME=` for "not set"."""

    def get_value(
        self,
        var: str,
        cast: Callable[..., Any] | None = None,
        default: Any = Env.NOTSET,
        parse_default: bool = False,
    ) -> Any:
        if self.ENVIRON.get(var) == "" and default is not Env.NOTSET:
            return default
        try:
            return super().get_value(var, cast, default, parse_default)
        except ValueError as error:
            kind = "a whole number" if cast is int else "a list of whole numbers"
            raise ImproperlyConfigured(f"{var}={self.ENVIRON[var]} is not {kind}.") from error
