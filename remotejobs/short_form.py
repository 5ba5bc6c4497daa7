"""How a run form shows a model with many fields: those that most people fill in, and all of them in a second tab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

FEW, ALL = "Often used", "All settings (starts empty)"
_LIMITS = {"pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
_LIMITS |= {"minItems", "maxItems"}


def in_tabs(shown: list[dict[str, Any]], checked: dict[str, Any]) -> dict[str, Any]:
    """A schema with a tab for each of `shown`; an object that is filled in is checked by `checked` instead.

    Of one that is wrong in a single field, `anyOf` alone says that it is not valid under any of the given schemas.
    """
    return {"anyOf": [_without_limits(each) for each in shown], "if": {"type": "object"}, "then": checked}


def _without_limits(schema: dict[str, Any]) -> dict[str, Any]:
    """The same fields, whatever is filled in."""
    fields = schema.get("properties")
    if fields is None:
        return {key: value for key, value in schema.items() if key not in _LIMITS}
    return {**schema, "properties": {name: _without_limits(field) for name, field in fields.items()}}


class ShortForm:
    """Beside `BaseModel`; `_often` names the fields of the first tab.

    Prefect's UI shows a nested model open, with all its fields. Of several schemas, as tabs, it opens the one that
    knows the most of the given values, and the first of equals. So the second tab is open where something else is set:
    a form hides nothing that is in force. What was filled in does not follow into another tab. So this is for models
    with few fields to fill in again, some of them required: without these the server refuses the run.
    """

    _often: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        whole = handler.resolve_ref_schema(handler(core_schema))
        if not cls._often:
            return whole
        about: dict[str, Any] = {key: whole[key] for key in ("title", "description") if key in whole}
        fields = {key: value for key, value in whole.items() if key not in about}
        few = {
            **fields,
            "title": FEW,
            "properties": {name: whole["properties"][name] for name in cls._often},
            "required": [name for name in whole.get("required", ()) if name in cls._often],
        }
        return {**about, **in_tabs([few, {**fields, "title": ALL}], fields)}
