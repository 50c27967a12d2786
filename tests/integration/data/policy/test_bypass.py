"""What raw SQL might try to get around the policies."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
import pytest

from flux.data.policy.model import Caller
from flux.errors import ConfigError
from flux.store.raw_login import mend, with_user
from tests.integration.data.policy.conftest import Team, postgres_database

ANN = Caller(role="member", uid="ann", tenant="acme")
ROOT = Caller(role="admin", uid="root")
POLICIES: dict[str, Any] = {
    "users": {
        "admin": {"preset": "full"},
        "member": {"select": {"columns": ["id", "email"], "where": "id = $auth.uid"}},
    },
    "posts": {"admin": {"preset": "full"}},
}


@pytest.fixture
async def closed(team: Team) -> Team:
    await team.set(**POLICIES)
    return team


@asynccontextmanager
async def attempt(connection: asyncpg.Connection[asyncpg.Record]) -> AsyncIterator[None]:
    """A savepoint: what succeeds stays in force, what fails does not end the transaction."""
    await connection.execute("SAVEPOINT attempt")
    try:
        yield
    except BaseException:
        await connection.execute("ROLLBACK TO SAVEPOINT attempt")
        raise
    await connection.execute("RELEASE SAVEPOINT attempt")


async def others(connection: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    """The rows of users that are seen now besides Ann's."""
    try:
        async with attempt(connection):
            return [row[0] for row in await connection.fetch("SELECT id FROM public.users WHERE id <> 'ann'")]
    except asyncpg.InsufficientPrivilegeError:
        return []


LEAVING = [
    "RESET ROLE",
    "SET ROLE NONE",
    "SET LOCAL ROLE NONE",
    "SELECT set_config('role', 'none', true)",
    "SELECT set_config('role', 'none', false)",
    "WITH x AS MATERIALIZED (SELECT set_config('role', 'none', true)) SELECT * FROM x",
    "RESET SESSION AUTHORIZATION",
    "SET row_security = off",
    "SELECT set_config('row_security', 'off', true)",
    "SET session_replication_role = replica",
    "SET SESSION AUTHORIZATION flux",
    "SET ROLE flux",
    "SET ROLE postgres",
    "SELECT set_config('role', 'flux', true)",
    "SELECT set_config('session_authorization', 'flux', true)",
    "DO $$ BEGIN PERFORM set_config('role', 'flux', true); END $$",
    "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
    "DROP POLICY flux_select_0_only ON users",
    "CREATE POLICY mine ON users USING (true)",
    "GRANT SELECT ON users TO PUBLIC",
    "ALTER TABLE users OWNER TO CURRENT_USER",
    "ALTER ROLE CURRENT_USER BYPASSRLS",
    "CREATE ROLE mine SUPERUSER",
    "GRANT flux TO CURRENT_USER",
    "CREATE EXTENSION dblink",
    "CREATE EXTENSION postgres_fdw",
    "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TRIGGER t BEFORE INSERT ON notes EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE VIEW public.v AS SELECT * FROM users",
    "CREATE TABLE public.t AS SELECT * FROM users",
    "CREATE SCHEMA mine",
    "COPY users TO '/tmp/flux-users'",
    "COPY users TO PROGRAM 'cat'",
    "COPY notes FROM PROGRAM 'id'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_read_binary_file('postgresql.conf')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/flux-x')",
    "SELECT pg_reload_conf()",
    "ALTER SYSTEM SET jit = off",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_statistic",
    "SELECT * FROM flux.secret",
    "SELECT * FROM flux.policies",
    "SELECT * FROM flux.api_keys",
    "SELECT * FROM flux.mutations",
    "SELECT flux.hmac('a', 'b')",
    "SELECT flux_auth.signature('{}')",
    "INSERT INTO flux.masked_columns VALUES ('public', 'users', 'id')",
    "ALTER FUNCTION flux_auth.facts() SECURITY INVOKER",
    "CREATE OR REPLACE FUNCTION flux_auth.role() RETURNS text LANGUAGE sql AS $$ SELECT 'admin' $$",
    "SELECT flux_auth.enter('x.e30=')",
    "LOCK TABLE users IN ACCESS EXCLUSIVE MODE",
    "SELECT * FROM users FOR UPDATE",
    "EXPLAIN ANALYZE SELECT password_hash FROM users",
    "MERGE INTO users u USING (SELECT 1) s ON true WHEN MATCHED THEN UPDATE SET email = 'x'",
    "INSERT INTO users (id, email) VALUES ('bob', 'x') ON CONFLICT (id) DO UPDATE SET email = 'x' RETURNING *",
    "TABLE users",
    "TRUNCATE users CASCADE",
]


@pytest.mark.parametrize("statement", LEAVING)
async def test_no_statement_leads_out(closed: Team, statement: str) -> None:
    async with closed.raw(ANN) as raw:
        before = await closed.connection.fetch("SELECT * FROM users ORDER BY id")
        try:
            async with attempt(raw):
                await raw.execute(statement)
        except asyncpg.PostgresSyntaxError:
            raise
        except asyncpg.PostgresError:  # most are refused
            pass
        assert await others(raw) == []
        for table in ("flux.secret", "public.posts"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with attempt(raw):
                    await raw.fetchval(f"SELECT count(*) FROM {table}")
    assert await closed.connection.fetch("SELECT * FROM users ORDER BY id") == before


async def test_another_principal_knows_that_the_caller_is_not_of_its_role(closed: Team) -> None:
    assert len(await closed.column(ROOT, "SELECT id FROM users")) == 3
    admin = closed.protection.principal("admin", closed.policies)
    async with closed.raw(ANN) as raw:
        for way in (f'SET LOCAL ROLE "{admin}"', f"SELECT set_config('role', '{admin}', true)"):
            await raw.execute(way)
            assert await raw.fetchval("SELECT current_user") == admin
            assert await raw.fetch("SELECT * FROM users") == []
            assert await raw.fetch("SELECT * FROM posts") == []
            assert await raw.execute("UPDATE users SET email = 'x'") == "UPDATE 0"
            assert await raw.execute("DELETE FROM users") == "DELETE 0"
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                async with attempt(raw):
                    await raw.execute("INSERT INTO users (id, email) VALUES ('x', 'x')")


async def test_facts_cannot_be_forged(closed: Team) -> None:
    async with closed.raw(ANN) as raw:
        own = await raw.fetchval("SELECT current_setting('flux.auth')")
        admin = closed.protection.principal("admin", closed.policies)
        await raw.execute(f'SET LOCAL ROLE "{admin}"')
        facts = '{"role": "admin", "uid": "root", "tenant": null, "claims": {}}'
        for forged in (
            facts,
            own[:64] + facts,
            "0" * 64 + facts,
            own.replace("member", "admin"),
            own.replace("ann", "bob"),
            own + " ",
            "",
            own[:64],
            "é" * 70,
        ):
            await raw.fetchval("SELECT set_config('flux.auth', $1, true)", forged)
            assert await raw.fetchval("SELECT flux_auth.facts()") is None
            assert await raw.fetchval("SELECT flux_auth.role()") is None
            assert await others(raw) == []
        await raw.fetchval("SELECT set_config('flux.auth', $1, true)", own)
        assert await raw.fetchval("SELECT flux_auth.uid()") == "ann"


async def test_kept_facts_are_worthless_later_and_elsewhere(closed: Team) -> None:
    async with closed.connected() as connection:
        async with closed.raw(ROOT, on=connection) as raw:
            kept = await raw.fetchval("SELECT current_setting('flux.auth')")
            # Another connection at the same time.
            async with closed.raw(ANN) as other:
                await other.fetchval("SELECT set_config('flux.auth', $1, true)", kept)
                assert await other.fetchval("SELECT flux_auth.uid()") is None
        # The same connection, later.
        async with closed.raw(ANN, on=connection) as raw:
            await raw.fetchval("SELECT set_config('flux.auth', $1, true)", kept)
            assert await raw.fetchval("SELECT flux_auth.uid()") is None
        # Kept for the session, it is still of its transaction.
        await connection.fetchval("SELECT set_config('flux.auth', $1, false)", kept)
        assert await connection.fetchval("SELECT flux_auth.uid()") is None


async def test_tokens_are_of_one_backend_and_one_time(closed: Team) -> None:
    async with closed.connected() as connection:
        for changes in (
            {"pid": connection.get_server_pid() + 1},
            {"now": time.time() - 3600},
            {"key": bytes(32)},
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await closed.enter(ANN, connection, **changes)
            await connection.execute("ROLLBACK")


async def test_the_token_is_not_seen(closed: Team) -> None:
    async with closed.raw(ANN) as raw:
        seen = await raw.fetch("SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()")
        assert "flux_auth.enter" not in seen[0][0]
        settings = orjson.dumps([list(row) for row in await raw.fetch("SELECT name, setting FROM pg_settings")])
        assert b"until" not in settings


async def test_the_login_alone_may_do_nothing(closed: Team) -> None:
    async with closed.connected() as connection:
        for table in ("users", "posts", "flux.secret"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {table}")
        assert not await connection.fetchval("SELECT pg_has_role(session_user, 'flux', 'MEMBER')")


async def test_functions_in_a_filter_see_no_hidden_rows(closed: Team) -> None:
    async with closed.raw(ANN) as raw:
        async with attempt(raw):
            seen: list[str] = []
            raw.add_log_listener(lambda _, message: seen.append(str(message)))
            await raw.execute(
                "CREATE FUNCTION pg_temp.tell(text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS "
                "$$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$"
            )
            assert [row[0] for row in await raw.fetch("SELECT id FROM users WHERE pg_temp.tell(email)")] == ["ann"]
        assert all("ann@x" in message for message in seen), seen
        with pytest.raises(asyncpg.InvalidTextRepresentationError) as caught:
            await raw.fetch("SELECT id FROM users WHERE email::int = 1")
        assert "bob" not in str(caught.value)


async def test_plans_and_statistics_tell_nothing(closed: Team) -> None:
    await closed.connection.execute("ANALYZE users")
    async with closed.raw(ANN) as raw:
        assert await raw.fetch("SELECT attname::text FROM pg_stats WHERE tablename = 'users'") == []
        plan = str(await raw.fetch("EXPLAIN (ANALYZE, VERBOSE) SELECT id FROM users"))
        assert "bob" not in plan
        assert "secret" not in plan


async def test_a_temporary_table_of_the_same_name_fools_only_its_maker(closed: Team) -> None:
    async with closed.raw(ANN) as raw:
        await raw.execute("CREATE TEMP TABLE users AS SELECT 'x' AS id")
        await raw.execute("CREATE FUNCTION pg_temp.role() RETURNS text LANGUAGE sql AS $$ SELECT 'admin' $$")
        await raw.execute("SET search_path = pg_temp, flux_auth, public")
        assert await raw.fetchval("SELECT id FROM users") == "x"
        assert [row[0] for row in await raw.fetch("SELECT id FROM public.users")] == ["ann"]


async def test_views_and_children_of_protected_tables(team: Team) -> None:
    await team.connection.execute(
        """
        CREATE VIEW everyone AS SELECT * FROM users;
        CREATE VIEW again AS SELECT * FROM everyone;
        CREATE MATERIALIZED VIEW stored AS SELECT * FROM users;
        CREATE VIEW mine WITH (security_invoker = true) AS SELECT id, email FROM users;
        CREATE TABLE events (id int, owner text) PARTITION BY RANGE (id);
        CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
        CREATE TABLE events_2 PARTITION OF events_1 FOR VALUES FROM (0) TO (100);
        INSERT INTO events VALUES (1, 'ann'), (2, 'bob');
        CREATE TABLE base (id int, owner text);
        CREATE TABLE derived (extra int) INHERITS (base);
        INSERT INTO derived VALUES (1, 'ann'), (2, 'bob');
        CREATE SCHEMA elsewhere;
        CREATE TABLE elsewhere.open (id int);
        """
    )
    owner = {"member": {"preset": "owner(owner)"}}
    made = await team.set(**POLICIES, events=owner, derived=owner)
    assert await team.column(ANN, "SELECT id FROM mine") == ["ann"]
    assert await team.column(ANN, "SELECT id FROM events") == [1]
    assert await team.column(ANN, "SELECT id FROM elsewhere.open") == []
    for hidden in ("everyone", "again", "stored", "events_1", "events_2", "base", "derived"):
        assert any(f"public.{hidden} " in warning for warning in made.warnings), hidden
        for caller in (ANN, ROOT):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await team.column(caller, f"SELECT id FROM {hidden}")


async def test_what_was_granted_to_everybody_is_closed(team: Team) -> None:
    await team.connection.execute("GRANT SELECT ON users TO PUBLIC")
    made = await team.set(**POLICIES)
    assert any("PUBLIC" in warning for warning in made.warnings)
    assert await team.column(ANN, "SELECT id FROM users") == []
    await team.connection.execute("REVOKE SELECT ON users FROM PUBLIC")
    await team.set(**POLICIES)
    assert await team.column(ANN, "SELECT id FROM users") == ["ann"]


async def test_the_teams_own_policies_do_not_open_and_its_users_keep_their_rows(team: Team) -> None:
    role = await team.make_role("reporting")
    await team.connection.execute(f"GRANT SELECT ON posts, users TO {role}")
    await team.connection.execute("ALTER TABLE posts ENABLE ROW LEVEL SECURITY")
    await team.connection.execute("CREATE POLICY theirs ON posts USING (true)")
    await team.set(users=POLICIES["users"], posts={"member": {"select": {"where": "public"}}})
    assert await team.column(ANN, "SELECT title FROM posts") == ["bob open"]
    async with team.connected(with_user(team.url, role, "x"), own=True) as reporting:
        assert await reporting.fetchval("SELECT count(*) FROM users") == 3
        assert await reporting.fetchval("SELECT count(*) FROM posts") == 4
    await team.set()
    query = "SELECT relname::text FROM pg_class WHERE relrowsecurity AND relname IN ('users', 'posts')"
    assert [row[0] for row in await team.connection.fetch(query)] == ["posts"]
    assert [row[0] for row in await team.connection.fetch("SELECT polname::text FROM pg_policy")] == ["theirs"]


async def test_a_table_of_somebody_else_is_left_alone(team: Team) -> None:
    other = await asyncpg.connect(team.url.replace("//flux@", "//postgres@"))
    try:
        await other.execute("CREATE TABLE public.theirs (id int)")
        made = await team.set(theirs={"member": {"select": True}})
        assert any("public.theirs belongs to another user" in warning for warning in made.warnings)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await team.column(ANN, "SELECT * FROM theirs")
    finally:
        await other.close()


async def test_applying_again_does_nothing_until_something_changes(team: Team) -> None:
    assert (await team.set(**POLICIES)).changed
    assert not (await team.set(**POLICIES)).changed
    await team.connection.execute("DROP POLICY flux_select_0_only ON users")
    assert (await team.set(**POLICIES)).changed
    await team.connection.execute("CREATE TABLE later (id int)")
    assert (await team.set(**POLICIES)).changed
    assert await team.column(ANN, "SELECT id FROM later") == []
    await team.connection.execute("ALTER TABLE users DISABLE ROW LEVEL SECURITY")
    assert (await team.set(**POLICIES)).changed
    assert not (await team.set(**POLICIES)).changed


async def test_what_raw_sql_does_to_its_own_login_is_taken_back(closed: Team) -> None:
    login = str(closed.protection.login)
    password = "SELECT rolpassword FROM pg_authid WHERE rolname = $1"
    alter = (
        "ALTER ROLE CURRENT_USER SET row_security = off; ALTER ROLE CURRENT_USER PASSWORD 'x'; "
        f'ALTER ROLE CURRENT_USER IN DATABASE "{postgres_database(closed.url)}" SET role = none'
    )
    async with closed.connected(closed.url.replace("//flux@", "//postgres@"), own=True) as superuser:
        async with closed.connected() as raw:
            await raw.execute(alter)
        other = await superuser.fetchval(password, login)
        assert (await closed.set(keep=list(POLICIES))).changed
        assert not (await closed.set(keep=list(POLICIES))).changed
        assert await superuser.fetchval(password, login) != other
        other = await superuser.fetchval(password, login)
        await mend(closed.connection, login, closed.protection.key)  # as at start, where it cannot connect
        assert await superuser.fetchval(password, login) != other
        found = "SELECT count(*) FROM pg_db_role_setting WHERE setrole = $1::text::regrole"
        assert await superuser.fetchval(found, login) == 0


async def test_the_owners_connection_is_not_affected(closed: Team) -> None:
    assert await closed.connection.fetchval("SELECT count(*) FROM users") == 3
    assert await closed.connection.execute("UPDATE users SET email = 'x'") == "UPDATE 3"


async def test_a_login_of_the_teams_own(team: Team) -> None:
    """Where Flux may not make roles: one Postgres role for all, so columns are those that all roles have."""
    login = await team.make_role("app_sql")
    url = with_user(team.url, login, "x")
    made = await team.set(sql_url=url, **POLICIES)
    assert (made.single, made.url(url)) == (True, url)
    for caller, seen in ((ANN, ["ann"]), (ROOT, ["ann", "bob", "cid"]), (Caller(), [])):
        async with team.connected(url, own=True) as connection, team.raw(caller, on=connection) as raw:
            assert sorted(row[0] for row in await raw.fetch("SELECT id FROM users")) == seen
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await raw.fetch("SELECT password_hash FROM users")
    await team.connection.execute(f"ALTER ROLE {login} CREATEROLE")
    with pytest.raises(ConfigError, match="rights of its own"):
        await team.set(sql_url=url, **POLICIES)


async def test_without_the_right_to_make_roles_there_is_no_raw_sql(team: Team) -> None:
    superuser = await asyncpg.connect(team.server.url("postgres", user="postgres"))
    try:
        await superuser.execute("ALTER ROLE flux NOCREATEROLE")
        made = await team.set(**POLICIES)
        assert made.login is None
        assert "CREATEROLE" in made.problem
    finally:
        await superuser.execute("ALTER ROLE flux CREATEROLE")
        await superuser.close()


async def test_functions_of_the_same_name_do_not_stand_in_for_ours(team: Team) -> None:
    """Everybody may make some in schema public of a database that comes from Postgres 14."""
    made = await team.set(users={"member": {"select": {"where": "id in $auth.claims.friends"}}})
    await team.connection.execute(f'GRANT CREATE ON SCHEMA public TO "{made.login}"')
    async with team.raw(ANN) as raw:
        await raw.execute(
            """
            SET LOCAL ROLE NONE;
            CREATE FUNCTION public.jsonb_typeof(jsonb) RETURNS text LANGUAGE sql AS $$ SELECT 'array' $$;
            CREATE FUNCTION public.jsonb_extract_path(jsonb, VARIADIC text[]) RETURNS jsonb LANGUAGE sql AS
                $$ SELECT '["bob"]'::jsonb $$;
            CREATE FUNCTION public.jsonb_array_elements_text(jsonb) RETURNS SETOF text LANGUAGE sql AS
                $$ SELECT 'bob' $$;
            CREATE FUNCTION public.same(text, text) RETURNS bool LANGUAGE sql AS $$ SELECT true $$;
            CREATE OPERATOR public.= (leftarg = text, rightarg = text, function = public.same);
            SET LOCAL search_path = public, pg_catalog
            """
        )
        await raw.execute("SELECT pg_catalog.set_config('role', $1, true)", made.principal("member", team.policies))
        assert await raw.fetch("SELECT id FROM users") == []
    friends = Caller(role="member", uid="ann", claims={"friends": ["bob", "cid"]})
    assert await team.column(friends, "SELECT id FROM users") == ["bob", "cid"]


async def test_a_table_that_is_moved_out_of_sight_stays_closed(closed: Team) -> None:
    await closed.connection.execute(
        "CREATE SCHEMA elsewhere; ALTER TABLE users SET SCHEMA elsewhere; "
        "CREATE VIEW seen AS SELECT * FROM elsewhere.users"
    )
    made = await closed.set(**{"posts": POLICIES["posts"]}, keep=("users",))
    assert any("elsewhere.users has a policy" in warning for warning in made.warnings)
    for hidden in ("elsewhere.users", "seen"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await closed.column(ANN, f"SELECT id FROM {hidden}")
