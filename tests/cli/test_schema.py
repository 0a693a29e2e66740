"""The schema for editors."""

import json

from tests.process import finished


async def test_it_is_a_draft_07_schema() -> None:
    code, out, err = await finished("schema")
    assert (code, err) == (0, "")
    schema = json.loads(out)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["additionalProperties"] is False
