"""The servers by name. Apart from the keeper, which is started as a program and must not be imported before."""

from .postgres import Postgres
from .server import Server
from .valkey import Valkey

SERVERS: dict[str, type[Server]] = {Postgres.name: Postgres, Valkey.name: Valkey}
