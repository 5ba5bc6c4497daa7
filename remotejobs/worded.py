"""Patterns that say in words what they want, to the person who filled in a form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError, core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema


@dataclass(frozen=True)
class Worded:
    """In `Annotated[str, Worded(...)]`: the whole text matches `pattern`, or is refused as not being `words`.

    Prefect's server checks forms by their JSON schema, and quotes the pattern in red. It is Python that reads that, so
    the words stand in front of the pattern, as a comment of its own.
    """

    pattern: str
    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"(?#{self.words})^(?:{self.pattern})$"}

    def _checked(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise PydanticCustomError("words", "{text} is not {words}", {"text": repr(text), "words": self.words})
        return text


ABSOLUTE_PATH = Worded("/.*", "an absolute path")
ABSOLUTE_PATH_OR_EMPTY = Worded("(/.*)?", "an absolute path")
URL = Worded(r"https?://.*", "a URL that begins with http:// or https://")
URL_OR_EMPTY = Worded(r"(https?://.*)?", "a URL that begins with http:// or https://")
SHA256_OR_EMPTY = Worded("([0-9a-f]{64})?", "a sha256, of 64 digits in lower case")
PLAIN_PATH = Worded("/[A-Za-z0-9._/@+-]+", "an absolute path of letters, digits and ._/@+-")
