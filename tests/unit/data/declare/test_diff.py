"""What has to change, as a value. That the SQL does it is checked on a real Postgres (test_round_trip.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flux.data.declare import migration
from flux.data.declare.change import Change, statements
from flux.data.declare.diff import LARGE_TABLE_ROWS, diff
from flux.data.declare.model import Check, Column, Definition, Enumeration, ForeignKey, Index, Table, Unique
from flux.data.declare.narrowing import cast, narrows

ID = Column(name="id", type="bigint", identity="always")
EMAIL = Column(name="email", type="text")


def table(name: str, *columns: Column, **changes: object) -> Table:
    made = Table(
        name=name, columns={column.name: column for column in (ID, *columns)}, key=("id",), key_name=f"{name}_pkey"
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the fields of a table


def definition(*tables: Table, **changes: object) -> Definition:
    made = Definition(tables={table.name: table for table in tables})
    return replace(made, **changes)  # type: ignore[arg-type]  # the fields of a definition


def sql(changes: list[Change]) -> list[str]:
    return [" ".join(statement.split()) for statement in statements(changes)]


def test_nothing() -> None:
    users = table("users", EMAIL, uniques=(Unique(columns=("email",), name="users_email_key"),))
    declared = table("users", EMAIL, uniques=(Unique(columns=("email",)),), key_name=None)
    assert diff(definition(declared), definition(users)) == []


def test_a_new_table_comes_before_what_refers_to_it() -> None:
    posts = table("posts", foreign_keys=(ForeignKey(columns=("id",), target="users", target_columns=("id",)),))
    assert sql(diff(definition(posts, table("users")), definition())) == [
        'CREATE TABLE "posts" ( "id" bigint GENERATED ALWAYS AS IDENTITY NOT NULL, PRIMARY KEY ("id") )',
        'CREATE TABLE "users" ( "id" bigint GENERATED ALWAYS AS IDENTITY NOT NULL, PRIMARY KEY ("id") )',
        'ALTER TABLE "posts" ADD FOREIGN KEY ("id") REFERENCES "users" ("id")',
    ]


def test_tables_go_after_the_keys_between_them() -> None:
    def key(target: str) -> ForeignKey:
        return ForeignKey(columns=("id",), target=target, target_columns=("id",), name=f"to_{target}")

    found = diff(definition(), definition(table("a", foreign_keys=(key("b"),)), table("b", foreign_keys=(key("a"),))))
    assert sql(found) == [
        'ALTER TABLE "a" DROP CONSTRAINT "to_b"',
        'ALTER TABLE "b" DROP CONSTRAINT "to_a"',
        'DROP TABLE "a"',
        'DROP TABLE "b"',
    ]
    assert [change.lost for change in found] == [
        "table a with all its rows (about 0)",
        "table b with all its rows (about 0)",
    ]


def test_tables_that_are_ignored_stay() -> None:
    assert diff(definition(ignore=("legacy_*",)), definition(table("legacy_users"))) == []


def test_a_dropped_column_says_what_is_lost() -> None:
    [change] = diff(definition(table("users")), definition(table("users", EMAIL, rows=1234)))
    assert change.lost == "all values of users.email (text, about 1234 rows)"
    assert sql([change]) == ['ALTER TABLE "users" DROP COLUMN "email"']


def test_a_renamed_column_keeps_its_values_and_what_is_about_it() -> None:
    actual = table(
        "users",
        EMAIL,
        uniques=(Unique(columns=("email",), name="u"),),
        checks=(Check(expression="(email <> ''::text)", name="c"),),
        indexes=(Index(definition="btree (lower(email))", name="i"),),
    )
    mail = Column(name="mail", type="text", renamed_from="email")
    declared = table(
        "users",
        mail,
        uniques=(Unique(columns=("mail",)),),
        checks=(Check(expression="(mail <> ''::text)", name="c"),),
        indexes=(Index(definition="btree (lower(mail))"),),
    )
    [change] = diff(definition(declared), definition(actual))
    assert sql([change]) == ['ALTER TABLE "users" RENAME COLUMN "email" TO "mail"']
    assert change.lost is None


def test_a_hint_that_was_followed_is_spent() -> None:
    mail = Column(name="mail", type="text", renamed_from="email")
    actual = table("users", replace(mail, renamed_from=None))
    assert diff(definition(table("users", mail, renamed_from="people")), definition(actual)) == []


def test_a_renamed_table_takes_references_along() -> None:
    key = ForeignKey(columns=("id",), target="people", target_columns=("id",), name="k")
    declared = (
        table("users", renamed_from="people"),
        table("posts", foreign_keys=(replace(key, target="users", name=None),)),
    )
    actual = (table("people"), table("posts", foreign_keys=(key,)))
    assert sql(diff(definition(*declared), definition(*actual))) == ['ALTER TABLE "people" RENAME TO "users"']


def test_a_column_of_another_type() -> None:
    actual = Column(name="n", type="integer", expression="5")
    [change] = diff(
        definition(table("t", replace(actual, type="bigint", expression="'5'::bigint"))), definition(table("t", actual))
    )
    assert sql([change]) == [
        'ALTER TABLE "t" ALTER COLUMN "n" DROP DEFAULT',
        'ALTER TABLE "t" ALTER COLUMN "n" TYPE bigint USING "n"::bigint',
        """ALTER TABLE "t" ALTER COLUMN "n" SET DEFAULT '5'::bigint""",
    ]
    assert change.lost is None


def test_an_identity_goes_on_behind_the_rows_that_are_there() -> None:
    plain = replace(ID, identity="")
    [change] = diff(definition(table("t")), definition(replace(table("t"), columns={"id": plain})))
    assert sql([change])[-1] == (
        """SELECT setval(pg_get_serial_sequence('"t"', 'id'), coalesce(max("id"), 0) + 1, false) FROM "t\""""
    )


def test_constraints_are_compared_by_what_they_say() -> None:
    actual = table("t", EMAIL, checks=(Check(expression="(a)", name="one"), Check(expression="(b)", name="two")))
    declared = table("t", EMAIL, checks=(Check(expression="(b)", name="two"), Check(expression="(a)", name="new")))
    assert sql(diff(definition(declared), definition(actual))) == [
        'ALTER TABLE "t" DROP CONSTRAINT "one"',
        'ALTER TABLE "t" ADD CONSTRAINT "new" CHECK ((a))',
    ]


def test_an_index_on_a_large_table_says_that_writers_wait() -> None:
    declared = table("t", EMAIL, indexes=(Index(definition="btree (email)"),))
    [small] = diff(definition(declared), definition(table("t", EMAIL)))
    [large] = diff(definition(declared), definition(table("t", EMAIL, rows=LARGE_TABLE_ROWS)))
    assert small.note is None
    assert large.note is not None
    assert "CONCURRENTLY" in large.note


def enumerated(*labels: str, columns: tuple[tuple[str, str], ...] = (), needed: bool = False) -> dict[str, Enumeration]:
    made = Enumeration(name="mood", labels=labels, columns=frozenset(columns), needed=needed)
    return {"mood": made}


def test_labels_are_added_in_their_place() -> None:
    changes = diff(
        definition(enumerations=enumerated("z", "a", "m", "b")), definition(enumerations=enumerated("a", "b"))
    )
    assert sql(changes) == [
        "ALTER TYPE \"mood\" ADD VALUE 'z' BEFORE 'a'",
        "ALTER TYPE \"mood\" ADD VALUE 'm' AFTER 'a'",
    ]


def test_a_label_that_goes_may_lose_data() -> None:
    column = Column(name="mood", type="mood", expression="'a'::mood")
    declared = definition(table("t", column), enumerations=enumerated("a"))
    actual = definition(table("t", column), enumerations=enumerated("a", "b", columns=(("t", "mood"),)))
    [change] = diff(declared, actual)
    assert change.lost == "label b of enumeration mood: this fails while a row has it"
    assert sql([change]) == [
        'ALTER TYPE "mood" RENAME TO "mood_before"',
        "CREATE TYPE \"mood\" AS ENUM ('a')",
        'ALTER TABLE "t" ALTER COLUMN "mood" DROP DEFAULT',
        'ALTER TABLE "t" ALTER COLUMN "mood" TYPE "mood" USING "mood"::text::"mood"',
        """ALTER TABLE "t" ALTER COLUMN "mood" SET DEFAULT 'a'::mood""",
        'DROP TYPE "mood_before"',
    ]


def test_an_enumeration_that_is_still_needed_stays() -> None:
    assert diff(definition(), definition(enumerations=enumerated("a", needed=True))) == []
    assert sql(diff(definition(), definition(enumerations=enumerated("a")))) == ['DROP TYPE "mood"']


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("smallint", "integer", False),
        ("integer", "smallint", True),
        ("integer", "real", True),
        ("bigint", "numeric", False),
        ("bigint", "numeric(10,0)", True),
        ("numeric(10,2)", "numeric(12,2)", False),
        ("numeric(10,2)", "numeric(12,4)", False),
        ("numeric(10,2)", "numeric(10,4)", True),
        ("numeric(10,2)", "numeric", False),
        ("numeric", "numeric(10,2)", True),
        ("character varying(20)", "character varying(40)", False),
        ("character varying(40)", "character varying(20)", True),
        ("character varying(40)", "text", False),
        ("text", "character varying(40)", True),
        ("character(4)", "character varying(4)", False),
        ("uuid", "text", False),
        ("text", "uuid", True),
        ("text[]", "text", True),
        ("integer[]", "bigint[]", False),
        ("timestamp(3) without time zone", "timestamp without time zone", False),
        ("date", "timestamp without time zone", False),
        ("timestamp with time zone", "date", True),
        ("json", "jsonb", False),
        ("odd type", "text", False),
        ('"Mood"', "integer", True),
    ],
)
def test_narrowing(old: str, new: str, expected: bool) -> None:
    assert narrows(old, new) is expected


def test_casts() -> None:
    assert cast('"a"', "integer", "bigint") == '"a"::bigint'
    assert cast('"a"', "bigint", "uuid") == '"a"::text::uuid'
    assert cast('"a"', "character varying(9)", "character varying(3)") == '"a"::character varying(3)'


def test_the_migration_says_what_it_does() -> None:
    text = migration.text(diff(definition(), definition(table("t", comment="a\nb"))))
    assert text.splitlines()[2:4] == ['-- drop table "t"', "--   LOSES table t with all its rows (about 0)"]
    assert "SET LOCAL lock_timeout = '5s';" in text
    assert migration.file_name(7, 'create table "Odd Näme"; --') == "0007_create_table_odd_n_me.sql"
    assert migration.file_name(7, "***") == "0007_schema.sql"
