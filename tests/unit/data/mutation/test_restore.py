from __future__ import annotations

from flux.data.mutation.restore import Change, Value, script

THEN, NOW = ("masked:" + digit * 64 for digit in "ab")
ID = Value(column="id", then="'1'", now="'1'", key=True, fixed=True)


def change(*values: Value, existed: bool = True, exists: bool = True) -> Change:
    return Change(values=values, existed=existed, exists=exists)


def body(*changes: Change) -> list[str]:
    return script('"t"', changes, title="t").splitlines()[1:]


def test_only_what_differs_is_set() -> None:
    same = Value(column="a", then="'x'", now="'x'")
    other = Value(column='b"c', then="E'\\\\'", now="NULL")
    added = Value(column="new", then=None, now="'n'")
    assert body(change(ID, same, other, added))[2] == 'UPDATE "t" SET "b""c" = E\'\\\\\' WHERE "id" = \'1\';'


def test_nothing_to_do() -> None:
    assert body(change(ID, Value(column="new", then=None, now="'n'"))) == [
        "BEGIN;",
        "SET CONSTRAINTS ALL DEFERRED;",
        "COMMIT;",
    ]


def test_deletes_then_updates_then_inserts() -> None:
    lost = Value(column="a", then="'x'", now=None)
    gone = change(Value(column="id", then="'1'", now=None, key=True), lost, exists=False)
    made = change(Value(column="id", then=None, now="'2'", key=True), existed=False)
    edited = change(ID, Value(column="a", then="'x'", now="'y'"))
    assert [line.split()[0] for line in body(gone, edited, made)] == [
        *("BEGIN;", "SET", "DELETE", "UPDATE", "INSERT", "COMMIT;")
    ]
    assert body(gone)[2] == 'INSERT INTO "t" ("id", "a") OVERRIDING SYSTEM VALUE VALUES (\'1\', \'x\');'
    assert body(made)[2] == 'DELETE FROM "t" WHERE "id" = \'2\';'


def test_rows_that_may_refer_to_each_other_go_and_come_at_once() -> None:
    def value(column: str, text: str) -> Value:
        return Value(column=column, then=text, now=None, key=True)

    inserted = [change(value("id", text), value("b", text), exists=False) for text in ("'1'", "'2'")]
    other = change(value("id", "'3'"), exists=False)
    assert script('"t"', [*inserted, other], title="t").split(";\n")[2:4] == [
        "INSERT INTO \"t\" (\"id\", \"b\") OVERRIDING SYSTEM VALUE VALUES\n    ('1', '1'),\n    ('2', '2')",
        'INSERT INTO "t" ("id") OVERRIDING SYSTEM VALUE VALUES (\'3\')',
    ]

    def made(*columns: str, number: int) -> Change:
        values = [Value(column=column, then=None, now=f"'{number}'", key=True) for column in columns]
        return change(*values, existed=False)

    one, two = ([made(*columns, number=n) for n in (1, 2)] for columns in ("a", "ab"))
    assert script('"t"', one, title="t").split(";\n")[2] == "DELETE FROM \"t\" WHERE \"a\" IN (\n    '1',\n    '2')"
    assert script('"t"', two, title="t").split(";\n")[2] == (
        "DELETE FROM \"t\" WHERE (\"a\", \"b\") IN (\n    ('1', '1'),\n    ('2', '2'))"
    )


def test_columns_that_the_table_no_longer_has_are_told() -> None:
    gone = Change(values=[ID], existed=True, exists=True, gone=("old\nname",))
    assert script('"t"', [gone], title="t").splitlines()[1] == (
        '-- "old name" is no column of the table now: what it held does not come back.'
    )


def test_masked_values_are_not_written() -> None:
    secret = Value(column="x\ny", then=f"'{THEN}'", now=f"'{NOW}'")
    text = script('"t"', [change(ID, secret)], title="t\nDROP TABLE t;")
    assert text.splitlines()[:2] == [
        "-- t DROP TABLE t;",
        '-- "x y" is masked: its value is in no record, and stays or becomes its default.',
    ]
    assert "UPDATE" not in text
    unchanged = Value(column="a", then=f"'{THEN}'", now=f"'{THEN}'")
    assert "masked" not in script('"t"', [change(ID, unchanged)], title="t")
    document = Value(column="d", then=f"'\"{THEN}\"'", now=f"'\"{NOW}\"'")
    assert "UPDATE" not in script('"t"', [change(ID, document)], title="t")


def test_text_that_looks_masked_is_written() -> None:
    own = Value(column="a", then="'masked: to be told later'", now="'x'")
    assert body(change(ID, own))[2] == 'UPDATE "t" SET "a" = \'masked: to be told later\' WHERE "id" = \'1\';'
