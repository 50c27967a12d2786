from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cli.render.state import at_lines, blame_lines, diff_lines, history_lines, parsed
from cli.render.text import Paint

NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)
WHO = {
    "request_id": "4f9a3b2c-1d2e-4f5a-8b6c-7d8e9f0a1b2c",
    "function": "create_user",
    "code_version": "c0dec0dec0de",
    "actor": "key:1",
    "tenant": "acme",
}
AUTHOR = "create_user@c0dec0de  4f9a3b2c  key:1  tenant acme"


def mutation(version: int, operation: str, **fields: Any) -> dict[str, Any]:
    return {"version": version, "at": "2026-11-22T14:03:22.104000Z", "operation": operation, **WHO, **fields}


def test_history() -> None:
    answer = parsed(
        '{"table": "users", "row": {"id": 42}, "items": [{"changed": ["email", "n"], "old": {"email": "a", "n": 1.50},'
        ' "new": {"email": null, "n": 12345678901234567890.10}}]}'
    )
    answer["items"][0] |= mutation(3, "update")
    answer["items"].append(mutation(1, "insert", old=None, new={"id": 42, "tags": ["a\x1b"]}, changed=None))
    answer["items"].append(mutation(1, "delete", old={"id": 42}, new=None, changed=["id"]))
    assert history_lines(answer, now=NOW, zone=UTC) == [
        "  users 42",
        "",
        f"  v3    14:03:22.104  update  {AUTHOR}",
        '        email  "a" → null',
        "        n      1.50 → 12345678901234567890.10",
        "",
        f"  v1    14:03:22.104  insert  {AUTHOR}",
        "        id    42",
        r'        tags  ["a\u001b"]',
        "",
        f"  v1    14:03:22.104  delete  {AUTHOR}",
        "        id  42",
        "        (its key was changed)",
    ]
    assert "\x1b[32minsert" in "".join(history_lines(answer, now=NOW, paint=Paint(enabled=True)))


def test_blame() -> None:
    answer = {
        "table": "seats",
        "row": {"row": "a", "number": 1},
        "deleted": mutation(4, "delete"),
        "columns": [
            {"column": "row", "value": "a", "at": None, "version": None},
            {"column": "name", "value": {"x": [1, None]}, **mutation(2, "update")},
        ],
    }
    lines = blame_lines(answer, now=NOW, zone=UTC)
    assert lines[:3] == ["  seats row=a, number=1", f"  deleted 14:03:22.104  {AUTHOR}", ""]
    assert [line.split() for line in lines[3:5]] == [
        ["COLUMN", "VALUE", "WRITTEN", "BY"],
        ["row", '"a"', "-", "in", "no", "record", "-"],
    ]
    assert lines[5].endswith(AUTHOR)


def test_diff() -> None:
    row = {
        **{"table": "users", "row": {"id": "x"}, "mutations": 2, "known": False},
        "changes": [{"column": "a", "old": 1, "new": 2}, {"column": "made", "new": None}],
    }
    assert diff_lines(row) == [
        "  users x  2 mutations",
        "",
        "    a     1 → 2",
        "    made  (no such column) → null",
        "  ! the table was emptied or dropped since: this may not be how the row stood",
    ]
    assert diff_lines({**row, "changes": [], "known": True})[-1] == "    no difference"
    table = {
        "table": "users",
        "counts": {"inserted": 0, "updated": 1, "deleted": 1},
        "items": [
            {"row": {"id": 1}, "operation": "updated", "changes": [{"column": "a", "old": 1, "new": 2}]},
            {"row": {"id": 2}, "operation": "deleted", "changes": [{"column": "a", "old": 1}]},
        ],
        "gaps": [{"operation": "ddl", "at": "T", "ddl": {"command": "DROP TABLE"}}],
    }
    assert diff_lines(table) == [
        "  users  1 updated, 1 deleted",
        "",
        "  updated  1",
        "    a  1 → 2",
        "",
        "  deleted  2",
        "  ! DROP TABLE at T: rows that it removed are in no record",
    ]


def test_at() -> None:
    row = {"table": "users", "row": {"id": 1}, "values": {"id": 1, "name": "Ada"}, "known": True}
    assert at_lines(row) == ["  users 1", "", "    id    1", '    name  "Ada"']
    assert at_lines({**row, "values": None})[-1] == "    no such row then"
    items = [{"values": {"id": 1, "a": "x"}}, {"values": {"id": 2, "b": None}}]
    assert at_lines({"items": items, "gaps": [{"operation": "truncate", "at": "T"}]}) == [
        "id  a    b",
        '1   "x"  ',
        "2        null",
        "  ! TRUNCATE at T: rows that it removed are in no record",
    ]
    assert at_lines({"items": [], "gaps": []}) == ["no rows then"]
    assert at_lines({"items": [], "gaps": [], "record_from": "T"}) == [
        "no rows then",
        "  ! changes are recorded from T on: rows may have been different",
    ]
    altered = {"operation": "ddl", "at": "T", "ddl": {"command": "ALTER TABLE"}}
    assert at_lines({"items": [], "gaps": [altered]})[-1] == (
        "  ! ALTER TABLE at T: rows are told apart by their values, and it may have changed these"
    )
    early = {**row, "known": False, "record_from": "T"}
    assert at_lines(early)[-1] == "  ! changes are recorded from T on: this may not be how the row stood"
