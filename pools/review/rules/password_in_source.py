"""A password stands in the source.

Whoever can read the repository, an image layer, a backup or an error report can log in, and
the password cannot be changed without a release. Placeholders, and the defaults that everybody
has on the own machine, are left alone.
Source: OWASP, Secrets Management Cheat Sheet; The Twelve-Factor App, III. Config.
"""

from collections.abc import Iterator

from pools.review.passwords import secrets
from pools.review.rule import Found
from pools.review.tree import Module

LEVEL = "error"
_WHY = {
    "address": "This address contains its password.",
    "argument": "This is a password, spelled in the source.",
}


def find(module: Module) -> Iterator[Found]:
    """Yield literals that are, or contain, a real password; never says which."""
    for secret in secrets(module):
        if secret.is_real:
            yield Found(
                secret.node,
                _WHY[secret.part_of],
                'Read it from the environment, os.environ["DATABASE_URL"], or from a secret store,'
                " and change the password: it counts as known once it was committed.",
            )


BAD = (
    """
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(
    "postgresql+asyncpg://orders:Tr0ub4dor&3@db.prod.internal:5432/orders",  # <-
    pool_pre_ping=True,
)
""",
    """
import os
import asyncpg

DSN = os.environ.get("DATABASE_URL", "postgres://svc:kX9wQ2pL@10.1.2.3/app")  # <-


async def open_pool():
    return await asyncpg.create_pool(DSN, max_size=10)
""",
    """
import asyncpg

DB_PASSWORD = "n0t-so-Secret-7"  # <-


async def open_pool(host):
    return await asyncpg.create_pool(host=host, user="svc", password=DB_PASSWORD, max_size=5)
""",
    """
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    db_host: str = "db.prod.internal"
    db_user: str = "orders"
    db_password: str = "v8Jq#2z!"  # <-

    @property
    def database_url(self) -> str:
        return f"postgresql+asyncpg://{self.db_user}:{self.db_password}@{self.db_host}/orders"
""",
    """
from aiohttp import BasicAuth, ClientSession


async def open_session():
    return ClientSession(auth=BasicAuth("metrics", "pB7s.4kQ"))  # <-
""",
)
GOOD = (
    """
import os
from sqlalchemy import URL

url = URL.create(
    "postgresql+asyncpg",
    username=os.environ["PGUSER"],
    password=os.environ["PGPASSWORD"],
    host=os.environ.get("PGHOST", "localhost"),
)
other = f"postgresql://{os.environ['PGUSER']}:{os.environ['PGPASSWORD']}@db/app"
""",
    '''
"""Connects to postgresql://orders:Tr0ub4dor@db/orders, say."""
import os

DEFAULT = "postgresql://postgres:postgres@localhost:5432/app"
URL = os.environ.get("DATABASE_URL", DEFAULT)
HELP = "DATABASE_URL is not set: postgresql://user:password@host:5432/database"
EXAMPLE = "mysql://root:<password>@127.0.0.1/shop"
PATTERN = "postgresql://%s:%s@%s/app"
''',
    """
from pydantic import SecretStr
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    db_host: str = "localhost"
    db_user: str = "postgres"
    db_password: SecretStr
    docs_url: str = "https://docs.example.com/@team/page"
    mail: str = "mailto:ops@example.com"

    @property
    def database_url(self) -> str:
        secret = self.db_password.get_secret_value()
        return f"postgresql+asyncpg://{self.db_user}:{secret}@{self.db_host}/orders"
""",
    """
import asyncpg
import getpass


async def open_pool(host: str, password: str | None = None):
    return await asyncpg.create_pool(
        host=host, user="svc", password=password or getpass.getpass(), max_size=5
    )
""",
)
