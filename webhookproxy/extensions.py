"""The Flask extensions, and the two facts about the database that belong to every model."""

from __future__ import annotations

from flask_compress import Compress
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

# Constraints have names from the first migration on: without them no later migration could drop
# or change one on SQLite, where Alembic copies the table ("batch").
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """What every model inherits; its metadata is the schema that the migrations build."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


# `db` is for reading (pages, `flask shell`): its SQLite connections refuse to write. Every write
# goes through webhookproxy.store.
db = SQLAlchemy(model_class=Base)
login_manager = LoginManager()
csrf = CSRFProtect()
compress = Compress()
migrate = Migrate(directory="webhookproxy/migrations", render_as_batch=True)
