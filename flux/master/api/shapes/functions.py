"""What is deployed."""

from __future__ import annotations

from typing import Literal, TypedDict


class RouteOf(TypedDict):
    method: str
    path: str


class Function(TypedDict):
    name: str
    version: str
    source: str
    routes: list[RouteOf]
    auth: Literal["none", "api_key"]
    runtime: str
    limits: dict[str, int]
    max_attempts: int
    asynchronous: bool


class FunctionList(TypedDict):
    items: list[Function]
