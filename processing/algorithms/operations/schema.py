"""JSON Schema (draft 2020-12) of operation parameters: how to write it, and how to check against it."""

import math
from collections.abc import Mapping
from typing import Any

from processing.algorithms.codecs.formats import WRITABLE_FORMATS
from processing.algorithms.errors import InvalidParameter

Schema = dict[str, Any]
MAX_SIDE_PX = 16_384
_GIANT = 10**20
_TYPE_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
}


def number(
    title: str,
    description: str,
    *,
    minimum: float,
    maximum: float,
    default: float | None = None,
    unit: str = "",
) -> Schema:
    """A number with its limits; `unit` where it has one."""
    return _described("number", title, description, default, unit) | {"minimum": minimum, "maximum": maximum}


def integer(
    title: str, description: str, *, minimum: int, maximum: int, default: int | None = None, unit: str = ""
) -> Schema:
    """A whole number with its limits; `unit` where it has one."""
    return _described("integer", title, description, default, unit) | {"minimum": minimum, "maximum": maximum}


def choice(title: str, description: str, values: tuple[str, ...], *, default: str | None = None) -> Schema:
    """One of several words."""
    return _described("string", title, description, default) | {"enum": list(values)}


def switch(title: str, description: str, *, default: bool) -> Schema:
    """True or false."""
    return _described("boolean", title, description, default)


def text(
    title: str, description: str, *, max_length: int, pattern: str, default: str | None = None
) -> Schema:
    """A text of limited length that matches a pattern."""
    limits = {"minLength": 1, "maxLength": max_length, "pattern": pattern}
    return _described("string", title, description, default) | limits


def side(title: str, description: str, *, minimum: int = 1, default: int | None = None) -> Schema:
    """A length in px, up to the longest side that Pix handles."""
    return integer(title, description, minimum=minimum, maximum=MAX_SIDE_PX, default=default, unit="px")


def output_format(description: str, *, default: str | None = None) -> Schema:
    """The format of the result."""
    return choice("Format", description, WRITABLE_FORMATS, default=default)


def quality(default: int | None = None) -> Schema:
    """The strength of lossy compression."""
    description = (
        "For jpg, webp and avif: higher is better and larger. Without it: jpg 85, webp 80, avif 65. "
        "The other formats keep every pixel and ignore it."
    )
    return integer("Quality", description, minimum=1, maximum=100, default=default)


def schema_of(properties: dict[str, Schema], *, aliases: Mapping[str, str], **rules: Any) -> Schema:
    """The schema of one operation's parameters; an alias has the limits of what it stands for."""
    for alias, target in aliases.items():
        limits = {key: value for key, value in properties[target].items() if key != "default"}
        description = f"Another name for {target}. {limits['description']}"
        properties = properties | {
            alias: limits | {"title": alias.capitalize(), "description": description, "x-alias-of": target}
        }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **rules,
    }


def checked(name: str, schema: Schema, aliases: Mapping[str, str], parameters: object) -> dict[str, Any]:
    """Check parameters against a schema and bring them into one canonical form.

    Defaults are filled in, aliases replaced, whole numbers made int and others float, keys sorted: equal
    requests give equal dictionaries. Checking a result again changes nothing.

    Raises:
        InvalidParameter: `field` names the parameter, the sentence its limit and the actual value.
    """
    if not isinstance(parameters, Mapping):
        raise InvalidParameter(f"The parameters of {name} must be an object, not {shown(parameters)}.")
    for field, value in parameters.items():
        if isinstance(value, float) and not math.isfinite(value):
            row = schema["properties"].get(field, {})
            rule = _rule(row, "minimum") if "minimum" in row else "must be a finite number"
            raise InvalidParameter(f"{field} {rule}; got {value}.", field=str(field))
    # The schema library prints what it refuses, and Python prints no integer of thousands of digits.
    printable = {
        field: max(-_GIANT, min(value, _GIANT)) if isinstance(value, int) else value
        for field, value in parameters.items()
    }
    _check_schema(name, schema, printable)
    values = dict(parameters)
    for alias, target in aliases.items():
        if alias in values and target in values:
            raise InvalidParameter(
                f"{name} accepts either {alias} or {target}, not both; they mean the same.", field=alias
            )
        if alias in values:
            values[target] = values.pop(alias)
    properties = schema["properties"]
    defaults = {field: row["default"] for field, row in properties.items() if "default" in row}
    return {
        field: _canonical(properties[field], value) for field, value in sorted((defaults | values).items())
    }


def shown(value: object) -> str:
    """A value as a sentence may quote it: short, whatever a client sent."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) >= _GIANT:
        return "a number of more than 20 digits"
    words = repr(value)
    return words if len(words) <= 60 else f"{words[:57]}..."


def _described(kind: str, title: str, description: str, default: object, unit: str = "") -> Schema:
    schema = {"type": kind, "title": title, "description": description}
    return schema | ({} if default is None else {"default": default}) | ({"unit": unit} if unit else {})


def _canonical(schema: Schema, value: Any) -> Any:
    if schema["type"] == "integer":
        return int(value)
    return float(value) if schema["type"] == "number" else value


def _check_schema(name: str, schema: Schema, parameters: dict[str, Any]) -> None:
    from jsonschema import Draft202012Validator  # slow import

    for field in parameters:
        if field not in schema["properties"]:
            allowed = ", ".join(schema["properties"]) or "none"
            raise InvalidParameter(
                f"Unknown parameter {shown(field)}. Parameters of {name}: {allowed}.", field=str(field)
            )
    error = next(iter(Draft202012Validator(schema).iter_errors(parameters)), None)
    if error is None:
        return
    if error.validator in ("required", "anyOf"):
        raise _missing(name, schema, parameters)
    field = str(error.path[0])
    numbers = {}
    if error.validator in ("minimum", "maximum") and abs(error.instance) < _GIANT:
        numbers = {"limit": error.validator_value, "value": error.instance}
    elif error.validator in ("minLength", "maxLength"):
        numbers = {"limit": error.validator_value, "value": len(error.instance)}
    raise InvalidParameter(
        f"{field} {_rule(schema['properties'][field], error.validator)}; got {shown(error.instance)}.",
        field=field,
        **numbers,
    )


def _missing(name: str, schema: Schema, parameters: dict[str, Any]) -> InvalidParameter:
    title = name.replace("_", " ").capitalize()
    missing = [field for field in schema.get("required", ()) if field not in parameters]
    if missing:
        return InvalidParameter(f"{title} needs {' and '.join(missing)}.", field=missing[0])
    options = [row["required"][0] for row in schema["anyOf"]]
    return InvalidParameter(f"{title} needs {' or '.join(options)}.", field=options[0])


def _rule(schema: Schema, validator: str) -> str:
    """What a parameter has to be, in words."""
    unit = f" {schema['unit']}" if "unit" in schema else ""
    if validator == "enum":
        return f"must be one of: {', '.join(schema['enum'])}"
    if validator in ("minimum", "maximum"):
        return f"must be between {schema['minimum']} and {schema['maximum']}{unit}"
    if validator in ("minLength", "maxLength"):
        return f"must have {schema['minLength']} to {schema['maxLength']} characters"
    if validator == "pattern":
        return f"must match the description ({schema['description']})"
    return f"must be {_TYPE_WORDS[schema['type']]}"
