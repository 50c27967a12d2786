"""The generated pages are those that the declarations give."""

from __future__ import annotations

from pathlib import Path

import pytest

from flux import errors
from flux.config import known
from flux.settings.reference import errors_page, main, settings_page

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(("name", "page"), [("SETTINGS.md", settings_page), ("ERRORS.md", errors_page)])
def test_the_page_is_current(name: str, page: object) -> None:
    assert callable(page)
    assert (DOCS / name).read_text() == page(), "run: python -m flux.settings.reference docs"


def test_nothing_is_left_out() -> None:
    settings, codes = settings_page(), errors_page()
    assert all(f"| `{key.rpartition('.')[2]}` |" in settings for key in known())
    for name, error in vars(errors).items():
        if isinstance(error, type) and issubclass(error, errors.FluxError):
            assert f"| `{error.code}` | {error.status} |" in codes, name


def test_the_generator_writes_them(tmp_path: Path) -> None:
    main(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ERRORS.md", "SETTINGS.md"]
