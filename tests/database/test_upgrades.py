"""Every migration is walked with rows in the tables, and loses none; on both databases.

The rows are made from the tables as they are at each revision, so that this needs no change when a
revision is added. One that changes what is stored is named in CHANGED, with the column.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask_migrate
import gevent
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from flask import Flask

from tests.support import postgresql
from tests.support.application import application, make_company, rows, store_of
from webhookproxy.database import migrating
from webhookproxy.database.schema import NEWEST
from webhookproxy.extensions import Base, db
from webhookproxy.models import schema
from webhookproxy.models.types import Instant, Secret, keyring

VERSIONS = Path(__file__).resolve().parents[2] / "webhookproxy/migrations"
REVISIONS = [
    each.revision for each in reversed(list(ScriptDirectory(str(VERSIONS)).walk_revisions()))
]
# (table, column) whose values a later revision changes on purpose.
CHANGED: set[tuple[str, str]] = set()
# A migration of a possible later version: SQLite copies the table of a batch.
LATER = """
import sqlalchemy as sa
from alembic import op

revision = "later"
down_revision = "{newest}"


def upgrade():
    op.add_column("companies", sa.Column("greeting", sa.Text(), server_default="oi"))
    with op.batch_alter_table("gaps") as batch:
        batch.alter_column("reason", type_=sa.String(60), existing_type=sa.String(30))
"""
# A migration beside the traffic: it takes a lock, needs time, and builds an index.
IN_USE = """
import sqlalchemy as sa
from alembic import op
from webhookproxy.database.migrating import create_index

revision = "later"
down_revision = "{newest}"


def upgrade():
    op.add_column("companies", sa.Column("greeting", sa.Text()))
    op.execute("UPDATE companies SET greeting = current_setting('statement_timeout')")
    create_index("ix_greeting", "companies", ["greeting"], "greeting IS NOT NULL")
"""
ROWS = 3
# Beyond the rows that the migrations themselves bring.
FIRST = 101


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """An application on a database without any table."""
    if request.param == "sqlite":
        with application(f"sqlite:///{tmp_path / 'empty.sqlite'}", tmp_path) as app:
            yield app
        return
    server: postgresql.Server = request.getfixturevalue("postgresql_server")
    with server.database(empty=True) as url, application(url, tmp_path) as app:
        yield app


def upgrade(app: Flask, revision: str = "head") -> None:
    with app.app_context():
        flask_migrate.upgrade(revision=revision)


def reflected(app: Flask) -> list[sa.Table]:
    """The tables as they are now, the referenced first."""
    metadata = sa.MetaData()
    with app.app_context():
        metadata.reflect(db.engine, only=lambda name, _: name != "alembic_version")
    return metadata.sorted_tables


def value(table: sa.Table, column: sa.Column[Any], number: int) -> Any:
    """Return a value for a column, different in each row; every second nullable one is NULL."""
    if column.nullable and number % 2:
        return None
    modelled = schema().tables.get(table.name)
    known = None if modelled is None else modelled.columns.get(column.name)
    if known is not None and isinstance(known.type, Secret):
        return keyring().encrypt(f"segredo {number}")
    if known is not None and isinstance(known.type, Instant):
        return 1_700_000_000_000 + number
    return of_type(column, number)


def of_type(column: sa.Column[Any], number: int) -> Any:
    if isinstance(column.type, sa.Boolean):
        return number % 2 == 0
    if isinstance(column.type, sa.JSON):
        return ["call-was-created", f"nº {number}"]
    if isinstance(column.type, sa.Integer):
        return number
    if isinstance(column.type, sa.Numeric | sa.Float):
        return number + 0.5
    if isinstance(column.type, sa.String):
        return f"{number} ação 😀"[: column.type.length]
    if isinstance(column.type, sa.LargeBinary):
        return bytes([number])
    raise AssertionError(f"the test makes no {column.type} yet: teach it")


def fill(app: Flask) -> dict[str, list[dict[str, Any]]]:
    """Put rows into every table; return them by table."""
    written: dict[str, list[dict[str, Any]]] = {}
    tables = reflected(app)
    for table in tables:
        numbers = range(FIRST, FIRST + ROWS)
        written[table.name] = [
            {column.name: value(table, column, number) for column in table.columns}
            for number in numbers
        ]

    def job(connection: sa.Connection) -> None:
        for table in tables:
            connection.execute(table.insert(), written[table.name])

    store_of(app).run(job)
    return written


def kept(app: Flask, table: sa.Table) -> list[dict[str, Any]]:
    """Return the rows that the test put into a table, in order."""
    keys = list(table.primary_key.columns)
    # Migrations make no rows with a key of text.
    ours = keys[0] >= FIRST if isinstance(keys[0].type, sa.Integer) else sa.true()
    with app.app_context(), db.engine.connect() as connection:
        rows = connection.execute(sa.select(table).where(ours).order_by(*keys))
        return [dict(row) for row in rows.mappings()]


# The first has the longest way, and the last but one is what the newest changes.
QUICK = (REVISIONS[0], REVISIONS[-2])


@pytest.mark.parametrize(
    "revision",
    [pytest.param(each, marks=() if each in QUICK else pytest.mark.slow) for each in REVISIONS],
)
def test_rows_of_this_revision_are_intact_at_the_newest(app: Flask, revision: str) -> None:
    upgrade(app, revision)
    written = fill(app)
    assert set(written) >= {"companies", "webhooks", "events", "deliveries", "attempts"}
    upgrade(app)
    assert_kept(app, written)
    read_all(app, set(written))
    with app.app_context():
        flask_migrate.check()


def test_a_revision_after_the_newest_keeps_every_row(app: Flask, tmp_path: Path) -> None:
    upgrade(app)
    written = fill(app)
    later = shutil.copytree(VERSIONS, tmp_path / "migrations")
    (later / "versions/later.py").write_text(LATER.format(newest=REVISIONS[-1]), encoding="utf-8")
    with app.app_context():
        flask_migrate.upgrade(directory=str(later))
    tables = assert_kept(app, written)
    assert [row["greeting"] for row in kept(app, tables["companies"])] == ["oi"] * ROWS


def assert_kept(app: Flask, written: dict[str, list[dict[str, Any]]]) -> dict[str, sa.Table]:
    """Check that every row exists, with the same value in every column that still exists.

    Return the tables as they are now.
    """
    tables = {table.name: table for table in reflected(app)}
    for name, made in written.items():
        assert name in tables, f"the table {name} is gone: say in this test where its rows went"
        found = kept(app, tables[name])
        assert len(found) == ROWS, name
        for before, after in zip(made, found, strict=True):
            for column in sorted(before.keys() & after.keys()):
                if (name, column) not in CHANGED:
                    assert after[column] == before[column], f"{name}.{column}"
    return tables


def read_all(app: Flask, filled: set[str]) -> None:
    """Read every row and column through the models, which decrypt secrets and make instants."""
    with app.app_context():
        schema()
        for mapper in Base.registry.mappers:
            rows = db.session.scalars(sa.select(mapper.class_)).all()
            if mapper.local_table.description in filled:
                assert len(rows) >= ROWS, mapper.class_.__name__
            for row in rows:
                for attribute in mapper.column_attrs:
                    getattr(row, attribute.key)


@pytest.mark.postgresql
def test_tables_of_a_newer_version_are_left_as_they_are(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    upgrade(app)
    newer = sa.text("UPDATE alembic_version SET version_num = '9999'")
    store_of(app).run(lambda connection: connection.execute(newer) and None)
    upgrade(app)
    assert "A newer version has changed the tables" in capsys.readouterr().err
    assert rows(app, "SELECT version_num FROM alembic_version") == [("9999",)]


def test_a_revision_waits_for_locks_and_takes_its_time_on_a_postgresql_in_use(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LOCK_WAIT_MS", 50)
    monkeypatch.setattr(migrating, "LOCK_PAUSE_SECONDS", 0.01)
    later = shutil.copytree(VERSIONS, tmp_path / "migrations")
    text = IN_USE.format(newest=REVISIONS[-1])
    (later / "versions/later.py").write_text(text, encoding="utf-8")
    with application(postgresql_url, tmp_path) as app:
        make_company(app)
        with app.app_context(), db.engine.connect() as reader:
            # A page's transaction keeps every ALTER TABLE waiting.
            reader.exec_driver_sql("SELECT * FROM companies")
            gevent.spawn_later(0.3, reader.rollback)
            flask_migrate.upgrade(directory=str(later))
        (row,) = rows(app, "SELECT greeting FROM companies")
        assert row.greeting == "0"
        valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_greeting'::regclass"
        assert rows(app, valid)[0].indisvalid
        # The store's own connection is not the one that the migration had.
        shown = store_of(app).run(lambda c: c.exec_driver_sql("SHOW statement_timeout").scalar())
        assert shown == "30s"


def test_there_is_one_line_of_revisions_and_it_begins_with_the_first() -> None:
    script = ScriptDirectory(str(VERSIONS))
    assert len(script.get_heads()) == 1
    assert REVISIONS[0] == "0001"
    assert REVISIONS[-1] == NEWEST == max(REVISIONS)
    assert len(REVISIONS) == len(list((VERSIONS / "versions").glob("*.py")))


def test_a_postgresql_that_is_away_is_told_apart_so_that_bin_serve_tries_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "postgresql+psycopg://ana:canary@127.0.0.1:9/name"
    with application(url, tmp_path) as app, pytest.raises(SystemExit) as stopped:
        upgrade(app)
    assert stopped.value.code == 75
    assert capsys.readouterr().err.startswith("The database cannot be opened: ")
    assert "[ $? -eq 75 ] || exit 1" in (VERSIONS.parents[1] / "bin/serve").read_text()
