from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.data.policy.printed import print_rule
from flux.data.policy.reader import MAX_TERMS
from flux.data.policy.rules import MAX_DEPTH, parse_rule
from flux.data.policy.tokens import MAX_LENGTH
from flux.data.query.model import (
    ALWAYS,
    NEVER,
    Auth,
    Compare,
    Condition,
    Every,
    Is,
    Literal,
    Not,
    Related,
    Some,
    Target,
)
from flux.failure import HostError

from .tables import SCHEMA, USERS


def parse(text: str) -> Condition:
    return parse_rule(text, USERS, SCHEMA)


def compare(column: str, operator: str, value: object) -> Compare:
    return Compare(Target(column), operator, Literal(value))  # type: ignore[arg-type]  # tests name them as text


TENANT = Compare(Target("tenant"), "eq", Auth(("tenant",)))

MEANINGS = [
    ("true", ALWAYS),
    ("false", NEVER),
    ("id = $auth.uid", Compare(Target("id"), "eq", Auth(("uid",)))),
    ("$auth.uid = id", Compare(Target("id"), "eq", Auth(("uid",)))),
    ("18 <= age", compare("age", "gte", 18)),
    ("age = -3", compare("age", "eq", -3)),
    ("score > 1.5e3", compare("score", "gt", 1500.0)),
    ("tenant = $auth.tenant and admin", Every((TENANT, compare("admin", "eq", True)))),
    ("not admin", Not(compare("admin", "eq", True))),
    ("admin is not true", Is(Target("admin"), "true", True)),
    ("email IS NULL", Is(Target("email"), "null")),
    ("status in ('draft', 'live')", Some((compare("status", "eq", "draft"), compare("status", "eq", "live")))),
    ("status in ('draft')", compare("status", "eq", "draft")),
    ("age not in (1, 2)", Every((compare("age", "neq", 1), compare("age", "neq", 2)))),
    ("tenant in $auth.claims.tenants", Compare(Target("tenant"), "in", Auth(("claims", "tenants")))),
    ("tenant not in $auth.claims.a.b", Compare(Target("tenant"), "nin", Auth(("claims", "a", "b")))),
    ("age between 1 and 2 and admin", Every((
        Every((compare("age", "gte", 1), compare("age", "lte", 2))), compare("admin", "eq", True)))),
    ("age not between 1 and 2", Not(Every((compare("age", "gte", 1), compare("age", "lte", 2))))),
    ("email like '%@x.y'", compare("email", "like", "%@x.y")),
    ("email not ilike 'it''s'", Not(compare("email", "ilike", "it's"))),
    ("tags @> array['a', 'b']", compare("tags", "contains", ("a", "b"))),
    ("array['a'] <@ tags", compare("tags", "contains", ("a",))),
    ("tags && array[]", compare("tags", "overlaps", ())),
    ("tags && $auth.claims.tags", Compare(Target("tags"), "overlaps", Auth(("claims", "tags")))),
    ("settings @> 'red'", compare("settings", "contains", "red")),
    ("period && '[2026-01-01,2026-02-01)'", compare("period", "overlaps", "[2026-01-01,2026-02-01)")),
    ("settings->>'theme' = 'dark'", Compare(Target("settings", ("theme",), True), "eq", Literal("dark"))),
    ("settings->'a'->0->>'b' is null", Is(Target("settings", ("a", 0, "b"), True), "null")),
    ("settings->'age' > 3", Compare(Target("settings", ("age",)), "gt", Literal(3))),
    ("settings->>'owner' = $auth.claims.sub", Compare(
        Target("settings", ("owner",), True), "eq", Auth(("claims", "sub")))),
    ("email = tenant", Compare(Target("email"), "eq", Target("tenant"))),
    ("age < score", Compare(Target("age"), "lt", Target("score"))),
    ("email is distinct from 'x'", compare("email", "is_distinct", "x")),
    ("email is not distinct from tenant", Not(Compare(Target("email"), "is_distinct", Target("tenant")))),
    ("created_at > '2026-01-01'", compare("created_at", "gt", "2026-01-01")),
    ('"order" = 1 and initials = \'ab\'', Every((compare("order", "eq", 1), compare("initials", "eq", "ab")))),
    ("exists(posts)", Related("posts", "some", ALWAYS)),
    ("not exists(posts where not public)", Not(Related("posts", "some", Not(compare("public", "eq", True))))),
    ("every(posts where public)", Related("posts", "every", compare("public", "eq", True))),
    ("exists(members where exists(team where name = 'x'))", Related(
        "members", "some", Related("team", "some", compare("name", "eq", "x")))),
    ("admin or age = 1 and (age = 2 or admin)", Some((
        compare("admin", "eq", True),
        Every((compare("age", "eq", 1), Some((compare("age", "eq", 2), compare("admin", "eq", True)))))))),
]  # fmt: skip


@pytest.mark.parametrize(("text", "meaning"), MEANINGS)
def test_meaning(text: str, meaning: Condition) -> None:
    assert parse(text) == meaning
    assert parse(print_rule(meaning)) == meaning


REFUSED = [
    ("", 1, "cannot stand here"),
    ("id = ", 6, "expected a column, $auth or a value"),
    ("ownr = 'x' and id = $auth.uid", 1, 'no column "ownr"'),
    ("id = $auth.uid and emial = 'x'", 20, 'Did you mean "email"?'),
    ("posts = 1", 1, "exists(posts where ...)"),
    ("id = $auth.user", 12, "$auth has no 'user'"),
    ("tenant = $auth.claims", 22, "$auth.claims is an object"),
    ("tenant = $auth.uid.x", 19, "$auth.uid has no parts"),
    ("age = 'old'", 7, "expected a whole number"),
    ("status = 'lve'", 10, "Did you mean 'live'?".replace("'", '"')),
    ("age = 99999999999", 7, "from -2147483648"),
    ("id = 'x'", 6, "expected a UUID"),
    ("age = null", 7, "write is null"),
    ("age in (1, null)", 12, "write is null"),
    ("age", 4, "not boolean"),
    ("age is true", 8, "not boolean"),
    ("age like 'x'", 5, "patterns need text"),
    ("email @> 'x'", 7, "needs an array"),
    ("tags = 'x'", 8, "expected array[...]"),
    ("email = array['x']", 9, "not an array"),
    ("email = age", 7, "of type integer"),
    ("1 = 2", 1, "one side of a comparison is a column"),
    ("$auth.role = 'admin'", 1, "one side of a comparison is a column"),
    ("email->'a' = 'x'", 1, "-> needs JSON"),
    ("settings->true = 'x'", 11, "not a place in JSON"),
    ("exists(post)", 8, 'Did you mean "posts"?'),
    ("exists(posts where titel = 'x')", 20, 'Did you mean "title"?'),
    ("exists(posts and admin)", 14, "where, or )"),
    ("(admin", 7, "expected )"),
    ("admin)", 6, "and, or, or the end"),
    ("email = 'x", 9, "a closing '"),
    ("email = $1", 9, "$auth"),
    ("email = 'x'; drop table users", 12, "cannot read ';'"),
    ("email = 'x' -- and", 13, "cannot read '-'"),
    ("email like 'x\\'", 12, "single backslash"),
    ("email = 'a\0b'", 11, "NUL"),
    ("pg_sleep(1)", 1, 'no column "pg_sleep"'),
]


@pytest.mark.parametrize(("text", "position", "told"), REFUSED)
def test_refused_with_the_place(text: str, position: int, told: str) -> None:
    with pytest.raises(HostError) as caught:
        parse(text)
    error = caught.value
    assert (error.code, error.status) == ("POLICY_INVALID", 400)
    assert told in error.message
    assert error.details["position"] == position, error.message
    lines = error.message.splitlines()
    assert lines[-1].strip() == "^"
    pointed = lines[-2][lines[-1].index("^") : lines[-1].index("^") + 1]
    assert pointed == text[position - 1 : position]


def test_a_long_text_is_shown_around_the_place() -> None:
    with pytest.raises(HostError) as caught:
        parse("admin and " * 50 + "nmae = 'x'" + " and admin" * 50)
    shown, caret = caught.value.message.splitlines()[-2:]
    assert len(shown) < 100
    assert shown[caret.index("^") :].startswith("nmae")


@pytest.mark.parametrize(
    "text",
    [
        "(" * (MAX_DEPTH + 1) + "admin" + ")" * (MAX_DEPTH + 1),
        "not " * 1000 + "admin",
        " and ".join(["admin"] * (MAX_TERMS + 1)),
        f"age in ({', '.join(['1'] * MAX_TERMS)})",
        "admin " * (MAX_LENGTH // 6 + 1),
        "exists(posts where exists(author where " * 3 + "admin" + "))" * 3,
    ],
)
def test_limits(text: str) -> None:
    with pytest.raises(HostError, match=r"deeper|more than|are allowed"):
        parse(text)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
NAMES = st.text("abcdefghijklmnopqrstuvwxyzAND ä'\"", min_size=1, max_size=8)


def facts() -> st.SearchStrategy[Auth]:
    claims = st.lists(NAMES.filter(bool), min_size=1, max_size=3).map(lambda names: Auth(("claims", *names)))
    return st.sampled_from([Auth(("uid",)), Auth(("role",)), Auth(("tenant",))]) | claims


def comparisons() -> st.SearchStrategy[Condition]:
    order = st.sampled_from(["eq", "neq", "lt", "lte", "gt", "gte", "is_distinct"])
    path = st.lists(TEXT | st.integers(-3, 3), min_size=1, max_size=3).map(tuple)
    texts = st.just(Target("email")) | path.map(lambda keys: Target("settings", keys, True))
    numbers = st.integers(-(2**31), 2**31 - 1).map(Literal)
    decimals = st.floats(allow_nan=False, allow_infinity=False, width=32).map(Literal)
    operators = order | st.sampled_from(["like", "ilike"])
    lists = st.lists(TEXT, max_size=3).map(lambda values: Literal(tuple(values)))
    constants = numbers | st.booleans().map(Literal)
    sets = st.sampled_from(["contains", "contained", "overlaps", "eq"])
    return st.one_of(
        st.builds(Compare, texts, operators, TEXT.map(lambda text: Literal(text.replace("\\", "/"))) | facts() | texts),
        st.builds(Compare, st.just(Target("age")), order, numbers | facts() | st.just(Target("score"))),
        st.builds(Compare, st.just(Target("score")), order, decimals),
        st.builds(Compare, path.map(lambda keys: Target("settings", keys)), order, constants),
        st.builds(Compare, st.just(Target("tags")), sets, lists),
        st.builds(Compare, st.just(Target("tenant")), st.sampled_from(["in", "nin"]), facts()),
        st.builds(Is, texts | st.just(Target("order")), st.just("null"), st.booleans()),
        st.builds(Is, st.just(Target("admin")), st.sampled_from(["true", "false", "unknown", "null"]), st.booleans()),
        st.just(Compare(Target("admin"), "eq", Literal(True))),
        st.sampled_from([ALWAYS, NEVER]),
    )


def extended(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    terms = st.lists(inner, min_size=2, max_size=4).map(tuple)
    post = st.sampled_from([ALWAYS, Compare(Target("public"), "eq", Literal(True))])
    again = st.builds(Related, st.just("author"), st.sampled_from(["some", "none", "every"]), inner)
    return st.one_of(
        st.builds(Every, terms),
        st.builds(Some, terms),
        st.builds(Not, inner),
        st.builds(Related, st.sampled_from(["posts", "members"]), st.just("some"), st.just(ALWAYS)),
        st.builds(Related, st.just("posts"), st.sampled_from(["some", "none", "every"]), post | again),
    )


@given(st.recursive(comparisons(), extended, max_leaves=8))
def test_what_is_printed_means_the_same(condition: Condition) -> None:
    text = print_rule(condition)
    try:
        read = parse(text)
    except HostError as error:
        assert "deeper" in error.message or "are allowed" in error.message, text  # noqa: PT017 (only these two may be)
        return
    assert read == condition
    assert repr(read) == repr(condition)  # 1 == True for Python


@given(st.text("(),.=<>!'\"$ ->@&~[]", max_size=40) | st.text(max_size=40))
def test_no_text_does_anything_but_be_read_or_refused(text: str) -> None:
    try:
        condition = parse(text)
    except HostError as error:
        assert error.code == "POLICY_INVALID"  # noqa: PT017 (both outcomes are right)
    else:
        assert parse(print_rule(condition)) == condition


WORDS = (
    *("(", ")", "and", "or", "not", "in", "like", "is", "null", "true", "exists", "every", "where", "posts", "admin"),
    *("age", "email", "=", "<", "1", "'x'", "$auth", ".uid", ",", "between", "->"),
)


@given(st.lists(st.sampled_from(WORDS), max_size=15).map(" ".join))
def test_words_in_any_order(text: str) -> None:
    test_no_text_does_anything_but_be_read_or_refused.hypothesis.inner_test(text)  # type: ignore[attr-defined]  # Hypothesis' own handle
