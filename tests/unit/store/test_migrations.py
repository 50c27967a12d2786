from __future__ import annotations

from pathlib import Path

import pytest

from flux.errors import ConfigError
from flux.record.row import COLUMNS
from flux.store.migrate import FOLDER, read_folder


def test_ours_are_numbered_without_gaps() -> None:
    assert [migration.number for migration in read_folder(FOLDER)] == list(range(1, len(read_folder(FOLDER)) + 1))


def test_columns_are_in_the_order_of_the_encoder() -> None:
    table = read_folder(FOLDER)[0].sql.split("CREATE TABLE flux.executions (")[1].split("PRIMARY KEY")[0]
    assert tuple(line.split()[0] for line in table.splitlines() if line.strip()) == COLUMNS


def test_order_is_by_number_and_other_files_are_ignored(tmp_path: Path) -> None:
    for name in ("0002_b.sql", "0010_c.sql", "0001_a.sql", "README.md"):
        (tmp_path / name).write_text(name)
    assert [migration.number for migration in read_folder(tmp_path)] == [1, 2, 10]
    assert read_folder(tmp_path / "missing") == []


@pytest.mark.parametrize("name", ["users.sql", "1_users.sql", "0001.sql", "0001-users.sql", "00001_users.sql"])
def test_wrong_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ConfigError, match="NNNN_what_it_does"):
        read_folder(tmp_path)


def test_number_taken_twice(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").touch()
    (tmp_path / "0001_b.sql").touch()
    with pytest.raises(ConfigError, match=r"0001_b\.sql: number 0001 is already taken by 0001_a\.sql"):
        read_folder(tmp_path)
