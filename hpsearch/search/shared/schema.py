"""The tables in the schema `hpsearch` of a database: created once, whoever comes first."""

from typing import TYPE_CHECKING

from hpsearch.base.errors import StorageError

if TYPE_CHECKING:
    from psycopg import Cursor

NUMBER = 2
"""The format of the tables: another one is neither read nor written."""
_TABLES = """
create table hpsearch.format (number int not null);
create table hpsearch.studies (
    name text primary key,
    term bigint not null default 0,          -- the fencing number: one more with each driver that begins to lead
    leader bigint,                           -- its lease; null: nobody leads
    begun bigint not null default 0,         -- the term in which what the study is was last written down
    ended boolean not null default false,    -- its search is over and reported
    told text not null default '',           -- by whom, and where
    stage text not null default ''           -- of one of a recipe's stages: its words and its space, as JSON
);
create table hpsearch.leases (
    id bigint generated always as identity primary key,
    study text not null references hpsearch.studies on delete cascade,
    holder text not null,
    slots int not null,
    versions text not null,                  -- JSON of what trains there: every driver has the same
    renewals bigint not null default 0
);
create index on hpsearch.leases (study);
create table hpsearch.claims (               -- who trains a trial: one driver
    study text not null references hpsearch.studies on delete cascade,
    trial text not null,
    lease bigint not null references hpsearch.leases on delete cascade,
    attempt int not null,
    slot int not null,
    spec text not null,
    primary key (study, trial)
);
create index on hpsearch.claims (lease);
create table hpsearch.decisions (            -- what the driver that leads tells a trial
    id bigint generated always as identity primary key,
    study text not null,
    trial text not null,
    lease bigint not null,
    term bigint not null,
    number bigint not null,
    content text not null,
    unique (study, term, number),
    foreign key (study, trial) references hpsearch.claims on delete cascade
);
create index on hpsearch.decisions (lease);
create table hpsearch.messages (             -- what a trial tells the driver that leads
    id bigint generated always as identity primary key,
    study text not null,
    trial text not null,
    lease bigint not null,
    attempt int not null,
    number bigint not null,
    content text not null,
    unique (study, trial, lease, attempt, number),
    foreign key (study, trial) references hpsearch.claims on delete cascade
);
create table hpsearch.lines (                -- files that grow: the record, and Optuna's journal
    study text not null references hpsearch.studies on delete cascade,
    file text not null,
    start bigint not null,
    content bytea not null,
    primary key (study, file, start)
);
create table hpsearch.files (                -- files that are written as a whole: the description, those of trials
    study text not null references hpsearch.studies on delete cascade,
    file text not null,
    part int not null,
    digest text not null,
    modified bigint not null,                -- nanoseconds since 1970
    content bytea not null,
    primary key (study, file, part)
);
"""


def prepare(cursor: "Cursor[tuple[object, ...]]") -> None:
    """Create the tables unless they are there.

    Args:
        cursor: inside a transaction.

    Raises:
        StorageError: they are of another format, or nothing can be written.
    """
    cursor.execute("show transaction_read_only")
    if cursor.fetchone() == ("on",):
        raise StorageError("is read-only here (transaction_read_only = on): name the server that is written")
    cursor.execute("select pg_advisory_xact_lock(hashtext('hpsearch'))")
    cursor.execute("select to_regclass('hpsearch.format') is not null")
    if cursor.fetchone() == (False,):
        cursor.execute("select to_regnamespace('hpsearch') is null")
        if cursor.fetchone() == (True,):  # an administrator may have made it, and let nobody else make any
            cursor.execute("create schema hpsearch")
        cursor.execute(_TABLES)
        cursor.execute("insert into hpsearch.format values (%s)", (NUMBER,))
    cursor.execute("select number from hpsearch.format")
    found = [number for (number,) in cursor.fetchall()]
    if found != [NUMBER]:
        said = ", ".join(map(str, found)) or "none"
        raise StorageError(
            f"its schema hpsearch is of format {said}, and this hpsearch knows format {NUMBER}: use the version of "
            "hpsearch that wrote it, or another database"
        )
