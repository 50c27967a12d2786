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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"SELECT 1;\n-- \xe9", r"0001_a\.sql: byte 13 is not UTF-8"),
        (b"SELECT 1;\n\0", r"0001_a\.sql: there is a NUL character in line 2"),
    ],
)
def test_a_file_that_is_no_text(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "0001_a.sql").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_folder(tmp_path)


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").mkdir()
    with pytest.raises(ConfigError, match=r"0001_a\.sql: Is a directory"):
        read_folder(tmp_path)


def test_line_ends_and_byte_order_marks(tmp_path: Path) -> None:
    for name, content in (("0001_a.sql", b"SELECT '\n';"), ("0002_b.sql", b"\xef\xbb\xbfSELECT '\r\n';")):
        (tmp_path / name).write_bytes(content)
    first, second = read_folder(tmp_path)
    assert second.sql == "SELECT '\r\n';"
    assert first.sha256 == second.sha256
