"""A database that queries are put to as `ctx.db` would put them: JSON in, JSON out.

database    tables are made with `define`, queries asked with `ask`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import orjson
import pytest

from flux.data.compiler import Plan, compile, forbidden_row, is_refused
from flux.data.guard import Guard
from flux.data.policy.model import NO_POLICIES, Caller, Grant, Policies, TablePolicy
from flux.data.policy.rules import parse_rule
from flux.data.query import parse
from flux.data.query.model import ALWAYS
from flux.data.schema.introspect import read_schema
from flux.data.schema.model import Schema
from flux.data.types.codec import set_codecs
from flux.failure import HostError
from flux.store.pool import Connection

IDENTITY = '{"request":"r1"}'
MEMBER = Caller(role="member", uid="1", tenant="acme", claims={"teams": ["red", "blue"], "level": 3})


class Database:
    """Queries go the whole way, from JSON to JSON, with a caller of the role `member` unless another is given."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.schema = Schema(tables={})
        self.policies: Policies = NO_POLICIES

    async def define(self, ddl: str) -> None:
        await self.connection.execute(ddl)
        self.schema = await read_schema(self.connection)

    def plan(self, document: Mapping[str, Any], *, caller: Caller = MEMBER, record: bool = True) -> tuple[Plan, Any]:
        query, values = parse(dict(document))
        return compile(query, self.schema, self.policies, caller.role, guard=Guard(), record=record), values

    async def ask(self, document: Mapping[str, Any], *, caller: Caller = MEMBER, record: bool = True) -> Any:
        return orjson.loads(await self.text(document, caller=caller, record=record))

    async def text(self, document: Mapping[str, Any], *, caller: Caller = MEMBER, record: bool = True) -> bytes:
        plan, values = self.plan(document, caller=caller, record=record)
        parameters = plan.parameters(values, caller, IDENTITY)
        try:
            records = await self.connection.fetch(plan.text, *parameters)
        except asyncpg.PostgresError as error:
            if is_refused(error.sqlstate, str(error)):
                raise forbidden_row() from error
            raise
        return plan.answer([str(record[0]).encode() for record in records])

    async def refusal(self, document: Mapping[str, Any], *, caller: Caller = MEMBER) -> HostError:
        with pytest.raises(HostError) as caught:
            await self.ask(document, caller=caller)
        return caught.value

    def protect(self, table: str, **grants: Mapping[str, Any]) -> None:
        """A policy for `member`: operation -> {"where": rule, "check": rule, "readable": [...], "writable": [...]}."""
        made = {("member", operation): self._grant(table, **given) for operation, given in grants.items()}
        policy = TablePolicy(table=table, grants=made)  # type: ignore[arg-type]  # operations, as keywords
        self.policies = Policies(tables={**self.policies.tables, table: policy})

    def _grant(
        self,
        table: str,
        *,
        where: str | None = None,
        check: str | None = None,
        readable: Sequence[str] | None = None,
        writable: Sequence[str] | None = None,
    ) -> Grant:
        found = self.schema.table(table)
        return Grant(
            readable=None if readable is None else frozenset(readable),
            writable=None if writable is None else frozenset(writable),
            where=ALWAYS if where is None else parse_rule(where, found, self.schema),
            check=None if check is None else parse_rule(check, found, self.schema),
        )


@pytest.fixture
async def database(connection: Connection) -> Database:
    await set_codecs(connection)
    return Database(connection)


__all__ = ["IDENTITY", "MEMBER", "Database"]
