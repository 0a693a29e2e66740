"""The JSON Schemas, as the command prints them."""

import json
from pathlib import Path

from jsonschema import Draft7Validator

from tests.cli.test_test import TESTS
from tests.config.editor import instance
from tests.process import finished


async def schema(directory: Path, *arguments: str) -> dict[str, object]:
    code, out, err = await finished("schema", *arguments, cwd=directory)
    assert (code, err) == (0, "")
    found: dict[str, object] = json.loads(out)
    Draft7Validator.check_schema(found)
    return found


async def test_it_is_a_schema(tmp_path: Path) -> None:
    assert (await schema(tmp_path))["$schema"] == "http://json-schema.org/draft-07/schema#"


async def test_expectations_have_one_of_their_own(tmp_path: Path) -> None:
    validator = Draft7Validator(await schema(tmp_path, "--tests"))
    assert list(validator.iter_errors(instance(TESTS))) == []
    for broken in (
        "cases: [{origin: https://a.test/, request: GET /, expect: allowed}]",
        "case: 1",
    ):
        assert list(validator.iter_errors(instance(broken)))


async def test_every_pattern_has_its_words(tmp_path: Path) -> None:
    """Editors show a raw regular expression otherwise."""
    text = json.dumps(await schema(tmp_path, "--tests"))
    assert text.count('"pattern":') == text.count('"patternErrorMessage":')
