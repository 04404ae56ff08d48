import sys
import threading
import time

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
    assert said[0].startswith("the database cannot be used (")
    assert said[1].startswith("the database is back after")


def test_one_that_stays_away_ends_the_wait(database, postgres):
    opened = Database(database.replace(str(postgres.port), "1"), wait_sec=0.0)
    with pytest.raises(StorageError, match=r"could not be used for .*\(storage.wait_sec\)"):
        opened.run(lambda cursor: None)


def test_a_study_that_is_not_there_cannot_be_read(database):
    with pytest.raises(StorageError, match="no study 'nothing'"):
        ReadDatabase(Database(database), "nothing")


@pytest.fixture
def poor(postgres, database):
    """The address of the database for a user that may do nothing in it."""
    from tests.support.postgres import PASSWORD

    name = database.rpartition("/")[2].partition("?")[0]
    postgres.rows(name, "drop role if exists poor")
    postgres.rows(name, f"create role poor login password '{PASSWORD}'")
    yield postgres.url(name, "poor")
    postgres.rows(name, "drop owned by poor")


def made(url):
    """Make the tables."""
    opened = Database(url)
    opened.open()
    opened.close()


def test_a_user_without_rights_is_told_which_are_lacking(postgres, database, poor):
    assert "grant create on the database to its user" in refused(poor)
    made(database)
    assert "grant usage on schema hpsearch" in refused(poor)


def test_tables_are_made_in_a_schema_that_an_administrator_made(postgres, database, poor):
    name = database.rpartition("/")[2].partition("?")[0]
    postgres.rows(name, "create schema hpsearch authorization poor")
    made(poor)


def test_a_database_that_may_not_be_written_is_refused(postgres, database):
    name = database.rpartition("/")[2].partition("?")[0]
    made(database)
    postgres.rows("postgres", f"alter database {name} set default_transaction_read_only = on")
    assert "is read-only here (transaction_read_only = on)" in refused(database)


@pytest.mark.parametrize("code", ["53100", "53300", "57014", "25006"])  # full, no connection left, too slow, read-only
def test_what_a_server_cannot_do_for_now_is_tried_again(database, code):
    said, tries = [], []
    opened = Database(database, said.append)
    opened.open()

    def work(cursor):
        tries.append(1)
        if len(tries) == 1:
            cursor.execute(f"do $$ begin raise exception 'not now' using errcode = '{code}'; end $$")
        return "done"

    assert opened.run(work) == "done"
    opened.close()
    assert said[0].startswith("the database cannot be used (not now")


def test_what_it_refuses_for_good_is_not_tried_again(database):
    opened = Database(database)
    opened.open()
    with pytest.raises(StorageError, match=r'relation "hpsearch.nothing" does not exist'):
        opened.run(lambda cursor: cursor.execute("select * from hpsearch.nothing"))
    opened.close()


def test_a_transaction_of_a_frozen_driver_is_ended_and_done_again(database):
    frozen, other = Database(database, idle_sec=0.5), Database(database)
    frozen.open()
    other.open()
    other.run(lambda cursor: cursor.execute("insert into hpsearch.studies (name) values ('s')"))
    held, tries = threading.Event(), []

    def work(cursor):
        cursor.execute("select 1 from hpsearch.studies for share")
        tries.append(1)
        if len(tries) == 1:
            held.set()
            time.sleep(2.0)
        return cursor.execute("select 2").fetchone()

    answers = []
    thread = threading.Thread(target=lambda: answers.append(frozen.run(work)))
    thread.start()
    assert held.wait(30)
    other.run(lambda cursor: cursor.execute("update hpsearch.studies set term = 7"))
    assert not answers, "it is still frozen"
    thread.join(30)
    assert answers == [(2,)]
    for each in (frozen, other):
        each.close()


def test_drivers_that_start_at_the_same_moment_make_the_tables_once(database):
    made = [Database(database) for _ in range(6)]
    threads = [threading.Thread(target=each.open) for each in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made[0].run(lambda cursor: cursor.execute("select number from hpsearch.format").fetchall()) == [(NUMBER,)]
    for each in made:
        each.run(lambda cursor: cursor.execute("select 1 from hpsearch.studies"))
        each.close()


def test_nothing_is_prepared_on_a_connection_that_a_pooler_may_hand_to_others(database):
    opened = Database(database)
    opened.open()
    for _ in range(10):
        opened.run(lambda cursor: cursor.execute("select %s::int", (1,)))
        opened.run(lambda cursor: cursor.executemany("select %s::int", [(1,), (2,)]))
    assert opened.run(lambda cursor: cursor.execute("select count(*) from pg_prepared_statements").fetchone()) == (0,)
    opened.close()
