"""The parameters that values for columns travel in. Pure."""

from __future__ import annotations

from flux.data.schema.model import Column

from .arrays import literals
from .operators import each
from .parameters import Parameters


def assigned(parameters: Parameters, column: Column, slot: int) -> str:
    """The parameter for a value that goes into the column."""
    codec = column.codec
    parameter = parameters.slot(slot, codec.encode, column.name)
    return f"{parameter}::text{'[]' if codec.array else ''}::{codec.sql}" if codec.cast else parameter


def listed(parameters: Parameters, column: Column, slot: int) -> str:
    """The parameter for a list of such values, as an array to be unnested."""
    codec = column.codec
    if codec.array:  # of arrays there are no arrays, so each travels as text
        return f"{parameters.slot(slot, each(literals(codec.encode)), column.name)}::text[]"
    parameter = parameters.slot(slot, each(codec.encode), column.name)
    # Unnested, a composite would be as many columns as it has fields.
    return f"{parameter}::text[]" if codec.cast else f"{parameter}::{codec.sql}[]"


def unnested(column: Column, place: str) -> str:
    """One value of that array, called `place`."""
    return f"{place}::{column.codec.sql}" if column.codec.array or column.codec.cast else place
