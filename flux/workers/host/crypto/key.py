"""Keys as they travel between isolate and host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from flux.failure import invalid

from ..arguments import Args, mapping
from .algorithm import Algorithm, decoded, encoded, invalid_access

KeyType = Literal["secret", "private", "public"]

USAGES = ("encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey")


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """`data` is raw for secret keys, PKCS#8 for private, SPKI for public ones; `algorithm` is CryptoKey's."""

    type: KeyType
    algorithm: Algorithm
    extractable: bool
    usages: tuple[str, ...]
    data: bytes

    @property
    def name(self) -> str:
        return str(self.algorithm["name"])

    def to_json(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "algorithm": dict(self.algorithm),
            "extractable": self.extractable,
            "usages": list(self.usages),
            "data": encoded(self.data),
        }

    def require(self, usage: str, algorithm: str) -> None:
        """Raises InvalidAccessError unless the key may be used so, with this algorithm."""
        if self.name != algorithm:
            raise invalid_access(f"The key is for {self.name}, not for {algorithm}.")
        if usage not in self.usages:
            raise invalid_access(f'The key may not be used for "{usage}".')

    def require_type(self, type: KeyType) -> None:
        if self.type != type:
            raise invalid_access(f"A {type} key is needed; this one is {self.type}.")


def key_of(args: Args, name: str) -> Key:
    """The key that the argument `name` holds."""
    value = mapping(args, name)
    type, algorithm = value.get("type"), value.get("algorithm")
    if (
        type not in ("secret", "private", "public")
        or not isinstance(algorithm, dict)
        or not isinstance(algorithm.get("name"), str)
    ):
        raise invalid(f'"{name}" is not a key.')
    return Key(
        type=type,
        algorithm=algorithm,
        extractable=value.get("extractable") is True,
        usages=usages_of(value),
        data=decoded(value.get("data"), f"{name}.data"),
    )


def usages_of(args: Args) -> tuple[str, ...]:
    """The usages named, in the standard's order."""
    value = args.get("usages")
    if not isinstance(value, list) or not set(value) <= set(USAGES):
        raise invalid('"usages" must be an array of: ' + ", ".join(USAGES) + ".")
    return tuple(usage for usage in USAGES if usage in value)
