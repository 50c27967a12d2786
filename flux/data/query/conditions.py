"""`where` and `having`, from JSON to a Condition. Pure; raises 400 INVALID_QUERY naming the place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from flux.failure import HostError

from . import model
from .format import CONNECTIVES, MAX_NAME, MAX_NESTING, NEGATION, OPERATOR, QUANTIFIERS, RELATED, Operator
from .forms import FORMS, OPERANDS
from .model import NEVER, Compare, Condition, Every, Is, Not, Related, Some, Target
from .values import Values
from .wrong import at, shortened, unknown, wrong

_RESERVED: Final = frozenset((*CONNECTIVES, NEGATION))
_SCALARS: Final = frozenset((str, int, float, bool))
_OPERATORS_AND_NOT: Final = (*OPERATOR, NEGATION)
_EVERYWHERE: Final = (*_OPERATORS_AND_NOT, *RELATED)


_OR_QUANTIFIED: Final = ', or {"any": [...]} or {"all": [...]}'
_TRUTH: Final[dict[Any, Literal["null", "true", "false", "unknown"]]] = {
    None: "null",
    True: "true",
    False: "false",
    "unknown": "unknown",
}
_FITS: Final[dict[str, Callable[[Any], bool]]] = {
    "value": lambda operand: operand is not None,
    "text": lambda operand: isinstance(operand, str),
    "list": lambda operand: isinstance(operand, list),
    "pair": lambda operand: isinstance(operand, list) and len(operand) == 2 and None not in operand,
    "words": lambda operand: isinstance(operand, str),
    # Those that fit have become an Is by then.
    "flag": lambda operand: False,
    "truth": lambda operand: False,
}


@dataclass(frozen=True, slots=True)
class Conditions:
    """Reads conditions into `values`. `resolve(name, place)` knows what a name stands for; `relations`: whether
    conditions on related rows are allowed.
    """

    values: Values
    resolve: Callable[[object, str], Target]
    relations: bool = True

    def where(self, where: Any, place: str, level: int = 0) -> Condition:
        """The terms of one object, joined by AND."""
        if not isinstance(where, dict):
            raise wrong(place, f"must be {FORMS['where'].words}.")
        check_nesting(level, place)
        self.values.expect(len(where))
        return every([self._term(name, what, f"{place}.{name}", level) for name, what in where.items()])

    def _term(self, name: Any, what: Any, place: str, level: int) -> Condition:
        if type(what) in _SCALARS and name not in _RESERVED:  # the usual case first
            return Compare(self.resolve(name, place), "eq", self.values.slot(what))
        if name in CONNECTIVES:
            if not isinstance(what, list):
                raise wrong(place, f'must be an array of conditions; a column of that name is "column:{name}".')
            self.values.expect(len(what))
            terms = [self.where(term, f"{place}[{index}]", level + 1) for index, term in enumerate(what)]
            return every(terms) if name == "and" else some(terms)
        if name == NEGATION:
            if not isinstance(what, dict):
                raise wrong(place, f'must be an object of conditions; a column of that name is "column:{name}".')
            return Not(self.where(what, place, level + 1))
        if isinstance(what, dict):
            if not RELATED.keys().isdisjoint(what):
                return self._related(name, what, place, level)
            return self._operators(self.resolve(name, place), what, place, level)
        if isinstance(what, list):
            raise wrong(place, 'is an array: write {"in": [...]} for any of these, {"eq": [...]} for itself.')
        target = self.resolve(name, place)
        return Is(target, "null") if what is None else Compare(target, "eq", self.values.slot(what))

    def _related(self, name: Any, what: dict[str, Any], place: str, level: int) -> Condition:
        if not self.relations:
            raise wrong(place, "asks for related rows, which are not known here.")
        found = self.resolve(name, place)
        if found.path or found.column != name:
            raise wrong(place, f"names a column, not a relation: {', '.join(RELATED)} are for related rows.")
        terms: list[Condition] = []
        for quantifier, where in what.items():
            if quantifier not in RELATED:
                raise unknown(place, "quantifier", quantifier, RELATED)
            inner = self.where(where, at(place, quantifier), level + 1)
            terms.append(Related(name, cast(Any, quantifier), inner))
        return every(terms)

    def _operators(self, target: Target, operators: dict[str, Any], place: str, level: int) -> Condition:
        if not operators:
            raise wrong(
                place, f"is empty. Allowed: {', '.join(_EVERYWHERE if self.relations else _OPERATORS_AND_NOT)}."
            )
        check_nesting(level, place)
        self.values.expect(len(operators))
        terms: list[Condition] = []
        for name, operand in operators.items():
            here = f"{place}.{name}"
            operator = OPERATOR.get(name)
            if operator is not None and operator.operand == "value" and type(operand) in _SCALARS:
                usual = cast(model.Comparison, name)
                terms.append(Compare(target, usual, self.values.slot(operand)))
            elif operator is not None:
                terms.append(self._comparison(target, operator, operand, here))
            elif name == NEGATION:
                if not isinstance(operand, dict):
                    raise wrong(here, 'must be an object of operators, as {"not": {"gt": 3}}.')
                terms.append(Not(self._operators(target, operand, here, level + 1)))
            else:
                raise unknown(place, "operator", str(name), _OPERATORS_AND_NOT)
        return every(terms)

    def _comparison(self, target: Target, operator: Operator, operand: Any, place: str) -> Condition:
        kind = operator.operand
        if operand is None and kind != "truth":
            if operator.nullable:
                return Is(target, "null", operator.name == "neq")
            raise wrong(place, 'is null, to which nothing compares; "eq" and "neq" take it.')
        if kind == "flag" and isinstance(operand, bool):
            return Is(target, "null", not operand)
        if kind == "truth" and (operand is None or operand is True or operand is False or operand == "unknown"):
            return Is(target, _TRUTH[operand])
        name = cast(model.Comparison, operator.name)
        if isinstance(operand, dict):
            if operator.quantified and len(operand) == 1 and (quantifier := next(iter(operand))) in QUANTIFIERS:
                return self._quantified(target, operator, quantifier, operand[quantifier], at(place, quantifier))
            if kind == "words":
                return self._words(target, name, operand, place)
        nulls = False
        if kind == "list" and isinstance(operand, list) and None in operand:
            operand, nulls = [entry for entry in operand if entry is not None], True
        if not _FITS[kind](operand):
            raise wrong(place, f"must be {OPERANDS[kind].words}{_OR_QUANTIFIED if operator.quantified else ''}.")
        return Compare(target, name, self.values.slot(operand), nulls=nulls)

    def _quantified(self, target: Target, operator: Operator, quantifier: str, entries: Any, place: str) -> Condition:
        if not isinstance(entries, list) or not all(_FITS[operator.operand](entry) for entry in entries):
            each = OPERANDS[operator.operand].words
            raise wrong(place, f"must be an array, each entry of it {each}.")
        name = cast(model.Comparison, operator.name)
        return Compare(target, name, self.values.slot(entries), cast(model.Quantifier, quantifier))

    def _words(self, target: Target, name: model.Comparison, operand: dict[str, Any], place: str) -> Condition:
        for key in operand:
            if key not in ("query", "config"):
                raise unknown(place, "key", str(key), ("query", "config"))
        query, config = operand.get("query"), operand.get("config")
        if not isinstance(query, str) or not (
            config is None or (isinstance(config, str) and 0 < len(config) <= MAX_NAME and "\0" not in config)
        ):
            raise wrong(place, f"must be {OPERANDS['words'].words}.")
        return Compare(target, name, self.values.slot(query), config=config or "")


def every(terms: list[Condition]) -> Condition:
    """All of them. What is true anyway is left out; it names nothing that would have to be checked."""
    if len(terms) == 1:
        return terms[0]
    left: list[Condition] = []
    for term in terms:
        if type(term) is Every:  # AND in AND is AND
            left += term.terms
        else:
            left.append(term)
    return left[0] if len(left) == 1 else Every(tuple(left))


def some(terms: list[Condition]) -> Condition:
    """At least one of them. What is false anyway is left out."""
    left = [term for term in terms if term != NEVER]
    return left[0] if len(left) == 1 else Some(tuple(left))


def always(condition: Condition) -> bool:
    """Whether it holds for all rows, whatever the values: then it is no condition for a write to have."""
    match condition:
        case Every(terms):
            return all(always(term) for term in terms)
        case Some(terms):
            return any(always(term) for term in terms)
        case Not(term):
            return _never(term)
        case Related(_, "every", where):
            return always(where)
        case Related(_, "none", where):
            return _never(where)
        case _:
            return False


def _never(condition: Condition) -> bool:
    match condition:
        case Every(terms):
            return any(_never(term) for term in terms)
        case Some(terms):
            return all(_never(term) for term in terms)
        case Not(term):
            return always(term)
        case Related(_, "some", where):
            return _never(where)
        case _:
            return False


def check_nesting(level: int, place: str) -> None:
    """Raises 400 QUERY_TOO_DEEP."""
    if level > MAX_NESTING:
        message = f'"{shortened(place)}" is more than {MAX_NESTING} levels deep.'
        raise HostError("QUERY_TOO_DEEP", 400, message, {"place": shortened(place)})
