from __future__ import annotations

from pathlib import Path

from cli.reference import reference


def test_the_page_in_docs_is_the_generated_one() -> None:
    page = Path(__file__).parents[3] / "docs" / "CLI.md"
    assert page.read_text("utf-8") == reference(), "python -m flux_cli.reference > docs/CLI.md"


def test_every_parameter_is_described() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `-") or line.startswith("| `[")]
    assert len(rows) > 50
    assert all(line.count("`") == 2 and len(line.split("|")[2].strip()) > 5 for line in rows)
