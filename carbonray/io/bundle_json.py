"""JSON from a file that may be hostile: size, depth and numbers are bounded before anything is built from it.

Nested brackets exhaust a recursive parser and a gigabyte of digits a CPU, so both are refused unparsed.
"""

import json
from typing import Any, NoReturn

from carbonray.errors import ContractError

MAX_BYTES = 1 << 20  # a manifest of ours is about 20 kB
MAX_DEPTH = 12
_OPEN, _CLOSE, _QUOTE, _ESCAPE = b"[{", b"]}", ord('"'), ord("\\")


def parsed_json(data: bytes, *, where: str) -> Any:
    """The value of a small, shallow JSON document without NaN or infinity.

    Raises:
        ContractError: it is too large, too deep, or not JSON.
    """
    if len(data) > MAX_BYTES:
        raise _refusal(f"{len(data)} bytes of JSON", where)
    if (depth := json_depth(data)) > MAX_DEPTH:
        raise _refusal(f"JSON nested {depth} deep", where)
    try:
        return json.loads(data, parse_constant=_no_constant)
    except ValueError as error:  # also of bad UTF-8 and of integers with thousands of digits
        raise _refusal(f"not JSON ({error})", where) from error


def json_depth(data: bytes) -> int:
    """Deepest nesting of brackets outside strings."""
    depth = deepest = 0
    quoted = escaped = False
    for byte in data:
        if quoted:
            escaped, quoted = byte == _ESCAPE and not escaped, escaped or byte != _QUOTE
        elif byte == _QUOTE:
            quoted = True
        elif byte in _OPEN:
            depth += 1
            deepest = max(deepest, depth)
        elif byte in _CLOSE:
            depth -= 1
    return deepest


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _refusal(what: str, where: str) -> ContractError:
    return ContractError(
        what,
        where=where,
        expected=f"JSON of at most {MAX_BYTES} bytes and {MAX_DEPTH} levels",
        remedy="This is not a file carbonray wrote: restore it from its source.",
    )
