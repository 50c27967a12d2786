"""`flux explain`: a query's policies, SQL, plan and missing indexes, most needed first. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from .text import PLAIN, Json, Paint, clean, duration

_INDENT = "  "


def explain_lines(answer: Json, *, paint: Paint = PLAIN) -> list[str]:
    """The answer of `POST /flux/api/explain`."""
    return list(_lines(answer, paint))


def recorded_lines(item: Json, *, paint: Paint = PLAIN) -> list[str]:
    """One entry of `flux_cli.explaining.explained`."""
    times = len(item["spans"])
    heading = paint.bold(clean(item["call"])) + (f"  {times} times" if times > 1 else "")
    if "error" in item:
        return [heading, f"{_INDENT}{paint.red(clean(item['error']))}"]
    return [heading, *(_INDENT + line for line in explain_lines(item["explanation"], paint=paint))]


def _lines(answer: Json, paint: Paint) -> Iterator[str]:
    plan, guard = answer["plan"], answer["guard"]
    took = f", {duration(plan['ms'])} measured" if plan["ms"] is not None else ""
    score = f"score {guard['score']} of {guard['limits']['complexity']}"
    yield f"cost {plan['cost']:.0f}, {_counted(plan['rows'], 'row')} expected{took}; {score}"
    for warning in answer["warnings"]:
        yield paint.yellow(f"! {clean(warning)}")
    for index in answer["indexes_missing"]:
        yield paint.yellow(f"! missing index: {clean(index['why'])}")
        yield f"    {paint.bold(clean(index['ddl']) + ';')}"
    yield ""
    yield paint.dim("policies")
    for policy in answer["policies"]:
        yield _INDENT + _policy(policy)
    yield ""
    yield paint.dim("plan")
    yield from _nodes(plan["root"], 1, paint)
    yield ""
    yield paint.dim("sql")
    yield _INDENT + clean(answer["sql"])
    for parameter in answer["parameters"]:
        value = "null" if parameter["value"] is None else clean(parameter["value"])
        yield f"{_INDENT}${parameter['number']} = {value}  {paint.dim('from ' + clean(parameter['source']))}"


def _policy(policy: Json) -> str:
    columns = "all columns" if policy["columns"] is None else clean(", ".join(policy["columns"])) or "no columns"
    text = f"{clean(policy['operation'])} {clean(policy['table'])}: {columns}"
    if policy["where"]:
        text += f"; rows where {clean(policy['where'])}"
    if policy["check"]:
        text += f"; written rows must fulfil {clean(policy['check'])}"
    return text


def _nodes(root: Json, depth: int, paint: Paint) -> Iterator[str]:
    """Plans of generated SQL nest as deep as their queries, a few dozen at most."""
    where = f" on {clean(root['table'])}" if root.get("table") else ""
    by = f" by {clean(root['index'])}" if root.get("index") else ""
    node = f"{clean(root['node'])}{where}{by}"
    if root["node"].endswith("Seq Scan") and root.get("filter"):
        node = paint.yellow(node)
    facts = [f"cost {root['cost']:.0f}", _counted(root["rows"], "row")]
    if root.get("ms") is not None:
        facts += [f"took {duration(root['ms'])}", f"found {_number(root['actual'])}"]
        facts += [f"{root['loops']} times"] if root["loops"] != 1 else []
    yield f"{_INDENT * depth}{node}  {paint.dim('(' + ', '.join(facts) + ')')}"
    for name in ("condition", "filter"):
        if root.get(name):
            yield f"{_INDENT * (depth + 2)}{paint.dim(name)} {clean(root[name])}"
    for child in root["children"]:
        yield from _nodes(child, depth + 1, paint)


def _counted(number: float, what: str) -> str:
    return f"{_number(number)} {what}{'' if number == 1 else 's'}"


def _number(number: float) -> str:
    return f"{number:g}" if number < 100_000 else f"{number:.0f}"
