from __future__ import annotations

import pytest

from flux.store.statements import refusal, statements


@pytest.mark.parametrize(
    ("sql", "line", "what"),
    [
        ("BEGIN; CREATE TABLE a (id int); COMMIT;", 1, "BEGIN"),
        ("CREATE TABLE a (id int);\n\n  commit", 3, "COMMIT"),
        ("SELECT 1;\nEND;", 2, "END"),
        ("/* ; /* nested */ ; */ start transaction", 1, "START"),
        ("ROLLBACK; SELECT 1", 1, "ROLLBACK"),
        ("PREPARE TRANSACTION 'x'", 1, "PREPARE TRANSACTION"),
        ("COPY public.users (id, email) FROM stdin;\n1\ta\n\\.\n", 1, "COPY FROM STDIN"),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END; COMMIT", 1, "COMMIT"),
        ("SELECT ';'';', e'\\';', \";\", $$;$$, $a$ $$ ; $a$ -- ;\n;abort", 2, "ABORT"),
    ],
)
def test_what_would_leave_the_transaction(sql: str, line: int, what: str) -> None:
    found = refusal(sql)
    assert found is not None
    assert (found[0], found[1].partition(":")[0]) == (line, what)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        " -- COMMIT",
        "SELECT 'a; COMMIT', E'\\'; COMMIT', $$ BEGIN; COMMIT; $$, $x$; COMMIT $x$, \"; COMMIT\" /* ; COMMIT */",
        "DO $do$ BEGIN PERFORM 1; END $do$",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END",
        "CREATE RULE r AS ON DELETE TO a DO ALSO (DELETE FROM b; DELETE FROM c)",
        "SAVEPOINT a; ROLLBACK TO a; ROLLBACK TO SAVEPOINT a; RELEASE a",
        "COPY a FROM '/tmp/stdin'; COPY a TO STDOUT; SELECT 1 AS begin, a$b$ FROM c",
        "PREPARE p AS SELECT 1; ALTER TABLE a ADD COLUMN \"end\" int; COMMENT ON TABLE a IS 'x'",
    ],
)
def test_what_stays_in_it(sql: str) -> None:
    assert refusal(sql) is None


def test_texts_that_do_not_end() -> None:
    for sql in ("SELECT 'a", "/* b", "$$ c", 'SELECT "d', "(", ")))", "SELECT 1; \\connect x"):
        assert len(list(statements(sql))) <= 2
