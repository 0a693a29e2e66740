"""The same questions to every engine and to the proxy itself."""

from pathlib import Path

import pytest

from tests.export import check
from tests.export.comparison import compared, differences, is_wider, verdict
from tests.export.examples import PROBES
from tests.export.measure import example
from tests.export.running import ENGINES

GENERATED = 3
"""How many policies each engine gets here; `make export-check` gives it hundreds."""


@pytest.mark.parametrize("engine", ENGINES)
async def test_the_example_behaves_the_same(engine: str, tmp_path: Path) -> None:
    found = await compared(engine, example, PROBES, tmp_path)
    equal = 0
    for probe, got, own, port in found.answers:
        unlike = differences(probe, got, own, port)
        equal += not unlike
        if probe.kind in ENGINES[engine].reported:
            continue
        assert "verdict" not in unlike, (str(probe), unlike)
        assert not is_wider(verdict(probe, got, port), verdict(probe, own, port))
    assert equal / len(found.answers) >= ENGINES[engine].equal


MISTAKES = {
    "a dot that means any character": (r"app\\.example\\.com)$", r"app.example\\.com)$"),
    "names compared without case": ('"~^(?!.{261})', '"~*^(?!.{261})'),
    "no end": (r"app\\.example\\.com)$", r"app\\.example\\.com)"),
    "nobody blocked": ('[a-z]+:[a-z]+:" refuse-403', '[a-z]+:[a-z]+:" r5'),
}


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_a_mistake_that_lets_more_through_is_noticed(mistake: str, tmp_path: Path) -> None:
    right, wrong = MISTAKES[mistake]

    def planted(text: str) -> str:
        assert right in text
        return text.replace(right, wrong)

    found = await compared("nginx", example, PROBES, tmp_path, planted)
    assert any(
        is_wider(verdict(probe, got, port), verdict(probe, own, port))
        for probe, got, own, port in found.answers
        if not probe.kind
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_generated_policies_are_not_more_permissive(engine: str) -> None:
    check.run(engine, GENERATED, derandomize=True)
