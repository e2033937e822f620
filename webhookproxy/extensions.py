"""The database as Flask knows it, and the base class of every model."""

from __future__ import annotations

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

# On SQLite, where Alembic copies a table to change it ("batch"), a migration can drop or change
# only constraints that have names.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The base class of every model; its metadata is the schema that the migrations build."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


# `db` is for reading (pages, `flask shell`): its SQLite connections refuse to write. Every write
# goes through webhookproxy.database.store.
db = SQLAlchemy(model_class=Base)
