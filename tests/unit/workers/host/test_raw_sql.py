from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.failure import HostError
from flux.workers.host.raw_sql import MAX_LENGTH, inspect, reads


@pytest.mark.parametrize(
    ("text", "keyword", "leaves_state"),
    [
        ("select 1", "SELECT", False),
        ("  \n(select 1) union (select 2)", "SELECT", False),
        ("-- why\nselect 1", "SELECT", False),
        ("/* a /* nested */ b */ select 1", "SELECT", False),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "WITH", False),
        ("insert into t values (1)", "INSERT", False),
        ("merge into t using u on true when matched then delete", "MERGE", False),
        ("values (1)", "VALUES", False),
        ("select set_config('a.b', 'c', false)", "SELECT", True),
        ("select pg_advisory_lock(1)", "SELECT", True),
        ("SELECT * INTO TEMP x FROM t", "SELECT", True),
        ("set search_path = flux", "SET", True),
        ("create temp table x (id int)", "CREATE", True),
        ("create table x (id int)", "CREATE", True),
        ("do $$ begin end $$", "DO", True),
        ("call p()", "CALL", True),
    ],
)
def test_nature(text: str, keyword: str, leaves_state: bool) -> None:
    nature = inspect(text)
    assert (nature.keyword, nature.leaves_state) == (keyword, leaves_state)


@pytest.mark.parametrize(
    "text",
    [
        "begin",
        "START TRANSACTION",
        "commit",
        "/* x */ rollback",
        "-- c\n  END",
        "savepoint a",
        "(((release a",
        "prepare p as select 1",
        "deallocate all",
        "listen x",
        "declare c cursor for select 1",
        "copy t to program 'id'",
        "discard all",
        "LOAD 'x'",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(HostError) as caught:
        inspect(text)
    assert (caught.value.code, caught.value.status) == ("STATEMENT_REFUSED", 400)


@pytest.mark.parametrize(
    "text", [" ", ";", "-- only a comment", "/* open", "/* /* */", "$1", "'select'", "s" * (MAX_LENGTH + 1)]
)
def test_not_a_statement(text: str) -> None:
    with pytest.raises(HostError) as caught:
        inspect(text)
    assert caught.value.code == "INVALID_SQL"


@given(st.text(alphabet="/*-\n( select;x", max_size=60))
def test_never_fails_otherwise(text: str) -> None:
    with contextlib.suppress(HostError):
        inspect(text)


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("SELECT 1", True),
        ("select count(*) from notes where body = 'x'", True),
        ("VALUES (1)", True),
        ("WITH a AS (SELECT 1) SELECT * FROM a", True),
        ("SELECT add_tag('a')", False),
        ("SELECT \"Add_Tag\" ('a')", False),
        ("SELECT notes.add_tag FROM notes", False),
        ("SELECT U&\"add!005ftag\"(1) UESCAPE '!'", False),
        ("WITH a AS (DELETE FROM notes RETURNING 1) SELECT * FROM a", False),
        ("SELECT * FROM notes FOR UPDATE", False),
        ("SELECT * FROM notes FOR KEY SHARE", False),
        ("SELECT nextval('notes_id_seq')", False),
        ("SELECT 1 INTO more", False),
        ("SELECT pg_advisory_lock(1)", False),
        ("INSERT INTO notes VALUES (1)", False),
        ("EXPLAIN ANALYZE DELETE FROM notes", False),
        ("DO $$ BEGIN END $$", False),
    ],
)
def test_what_can_only_read(text: str, reading: bool) -> None:
    assert reads(text, frozenset({"add_tag"})) is reading
