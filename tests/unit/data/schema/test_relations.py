"""The names of relations (the rule is in `flux.data.schema.model.Relation`)."""

from __future__ import annotations

import random

import pytest

from flux.data.schema.model import Index, Relation
from flux.data.schema.relations import ForeignKey, relations, unique_columns


def key(constraint: str, holder: str, columns: str, target: str, target_columns: str = "id") -> ForeignKey:
    return ForeignKey(
        constraint=constraint,
        holder=holder,
        columns=tuple(columns.split()),
        target=target,
        target_columns=tuple(target_columns.split()),
    )


def ends(found: dict[str, dict[str, Relation]]) -> dict[str, dict[str, tuple[str, bool]]]:
    return {
        table: {name: (relation.target, relation.many) for name, relation in named.items()}
        for table, named in found.items()
    }


def test_both_ends() -> None:
    found = relations([key("posts_author_id_fkey", "posts", "author_id", "users")], taken={}, unique={})
    assert ends(found) == {"posts": {"author": ("users", False)}, "users": {"posts": ("posts", True)}}
    assert found["posts"]["author"].columns == ("author_id",)
    assert found["users"]["posts"].columns == ("id",)
    assert found["users"]["posts"].target_columns == ("author_id",)


def test_one_to_one_is_one_at_both_ends() -> None:
    keys = [key("f", "profiles", "user_id", "users")]
    found = relations(keys, taken={}, unique={"profiles": [frozenset(("user_id",))]})
    assert ends(found)["users"] == {"profiles": ("profiles", False)}
    wider = relations(keys, taken={}, unique={"profiles": [frozenset(("user_id", "kind"))]})
    assert ends(wider)["users"] == {"profiles": ("profiles", True)}


def test_several_keys_between_two_tables() -> None:
    found = relations(
        [key("a", "posts", "author_id", "users"), key("b", "posts", "editor_id", "users")], taken={}, unique={}
    )
    assert ends(found) == {
        "posts": {"author": ("users", False), "editor": ("users", False)},
        "users": {"posts_by_author": ("posts", True), "posts_by_editor": ("posts", True)},
    }


def test_a_table_that_refers_to_itself() -> None:
    found = relations([key("f", "employees", "manager_id", "employees")], taken={}, unique={})
    assert ends(found) == {"employees": {"manager": ("employees", False), "employees": ("employees", True)}}


def test_a_composite_key_is_called_like_its_constraint() -> None:
    found = relations([key("lines_order_fkey", "lines", "shop no", "orders", "shop no")], taken={}, unique={})
    assert ends(found) == {"lines": {"lines_order_fkey": ("orders", False)}, "orders": {"lines": ("lines", True)}}


def test_names_that_columns_have() -> None:
    found = relations(
        [key("f", "posts", "author", "users", "name")],
        taken={"posts": {"author", "author_rel"}, "users": {"posts"}},
        unique={},
    )
    assert ends(found) == {"posts": {"author_rel_rel": ("users", False)}, "users": {"posts_rel": ("posts", True)}}


def test_two_that_want_one_name() -> None:
    same_column = relations(
        [key("b", "p", "user_id", "users"), key("a", "p", "user_id", "people")], taken={}, unique={}
    )
    assert ends(same_column)["p"] == {"user": ("people", False), "b": ("users", False)}
    # users.posts_id leads to posts, and posts.author_id back: "posts" is taken at the users' end.
    back = relations(
        [key("a", "users", "posts_id", "posts"), key("b", "posts", "author_id", "users")], taken={}, unique={}
    )
    assert ends(back)["users"] == {"posts": ("posts", False), "posts_by_author": ("posts", True)}


def test_a_cycle() -> None:
    found = relations([key("a", "x", "y_id", "y"), key("b", "y", "x_id", "x")], taken={}, unique={})
    assert ends(found) == {
        "x": {"y": ("y", False), "y_by_x": ("y", True)},
        "y": {"x": ("x", False), "x_by_y": ("x", True)},
    }


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_keys_makes_no_difference(seed: int) -> None:
    keys = [key(f"c{at}", f"t{at % 3}", f"{'abc'[at % 2]}_id", f"t{at % 2}") for at in range(12)]
    shuffled = random.Random(seed).sample(keys, len(keys))
    assert relations(shuffled, taken={}, unique={}) == relations(keys, taken={}, unique={})


def test_every_name_is_there_once() -> None:
    keys = [key(f"c{at}", "t", "id", "t") for at in range(20)]
    found = relations(keys, taken={"t": {"id", "t", "c3"}}, unique={})["t"]
    assert len(found) == 40
    assert not {"id", "t", "c3"} & set(found)


def test_what_is_unique() -> None:
    indexes = (
        Index(name="a", columns=("x", "y"), unique=True),
        Index(name="b", columns=("z",), unique=True, partial=True),
        Index(name="c", columns=("w",), unique=False),
    )
    assert unique_columns(("id",), indexes) == [frozenset(("x", "y")), frozenset(("id",))]
    assert unique_columns((), ()) == []
