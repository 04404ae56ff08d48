import sys

import pytest

from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.search.shared.database import Database, check_url
from hpsearch.search.shared.schema import NUMBER
from hpsearch.search.shared.store import PostgresStore, ReadDatabase

URL = "postgresql://me@host/studies"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (None, "storage.url = null: storage=postgres needs the address of a database"),
        ("sqlite:///x.db", "storage.url = sqlite:///x.db: must be an address as postgresql://HOST:5432/DATABASE"),
        ("host=localhost", "must be an address as"),
        ("me:hunter2@host:5432/studies", "storage.url = ***@host:5432/studies: must be an address as"),
        ("host=localhost password=hunter2", "storage.url = host=localhost password=***: must be an address as"),
        ("host=localhost password='hunter2 and more' user=me", "password=*** user=me: must be an address as"),
        ("postgresql://me:hunter2@host/studies", "holds a password, which would be written down"),
        ("postgresql://me@host/studies?password=hunter2", "holds a password"),
        ("postgresql://me@host/studies?colour=red", 'invalid URI query parameter: "colour"'),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_in_a_line_without_its_password(url, said):
    pytest.importorskip("psycopg")
    with pytest.raises(ConfigError) as refused:
        check_url(url)
    text = str(refused.value)
    assert said in text
    assert "hunter2" not in text
    assert "\n" not in text


def test_what_is_missing_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"pip install 'hpsearch\[postgres\]'"):
        check_url(URL)


@pytest.mark.parametrize("options", [{"lease_sec": 0.5}, {"wait_sec": -1}, {"lease_sec": "soon"}])
def test_times_that_are_none_are_refused(options):
    with pytest.raises(ConfigError, match="storage"):
        PostgresStore(URL, **options)


def refused(url):
    with pytest.raises(StorageError) as error:
        Database(url).open()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_wrong_password_is_refused_and_not_shown(database, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    said = refused(database)
    assert 'password authentication failed for user "tuner"' in said
    assert "PGPASSWORD or ~/.pgpass holds another one" in said
    assert "hunter2" not in said


def test_without_a_password_it_is_said_where_it_belongs(database, monkeypatch):
    monkeypatch.delenv("PGPASSWORD")
    said = refused(f"{database}&passfile=/nowhere")
    assert "no password supplied" in said
    assert "environment (PGPASSWORD)" in said


def test_a_pgpass_file_is_read(database, monkeypatch, tmp_path):
    from tests.support.postgres import PASSWORD

    monkeypatch.delenv("PGPASSWORD")
    (tmp_path / "pgpass").write_text(f"*:*:*:*:{PASSWORD}\n")
    (tmp_path / "pgpass").chmod(0o600)
    opened = Database(f"{database}&passfile={tmp_path}/pgpass")
    opened.open()
    opened.close()


def test_nobody_there_is_a_line():
    pytest.importorskip("psycopg")
    assert "Connection refused" in refused("postgresql://me@127.0.0.1:1/studies")


def test_a_database_that_does_not_exist_is_a_line(postgres, database):
    assert 'database "nothing" does not exist' in refused(postgres.url("nothing"))


def test_tables_of_another_format_are_refused(database):
    opened = Database(database)
    opened.open()
    opened.run(lambda cursor: cursor.execute("update hpsearch.format set number = 99"))
    opened.close()
    assert f"its schema hpsearch is of format 99, and this hpsearch knows format {NUMBER}" in refused(database)


def test_a_lost_connection_is_opened_again_and_said_once(postgres, database):
    said = []
    opened = Database(database, said.append)
    opened.open()
    kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'hpsearch'"
    postgres.rows("postgres", kill)
    assert opened.run(lambda cursor: cursor.execute("select 1").fetchone()) == (1,)
    opened.close()
    assert len(said) == 2
    assert said[0].startswith("the database does not answer (")
    assert said[1].startswith("the database is back after")


def test_one_that_stays_away_ends_the_wait(database, postgres):
    opened = Database(database.replace(str(postgres.port), "1"), wait_sec=0.0)
    with pytest.raises(StorageError, match=r"did not answer for .*\(storage.wait_sec\)"):
        opened.run(lambda cursor: None)


def test_a_study_that_is_not_there_cannot_be_read(database):
    with pytest.raises(StorageError, match="no study 'nothing'"):
        ReadDatabase(Database(database), "nothing")
