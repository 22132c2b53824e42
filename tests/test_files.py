"""Files and folders are written whole or not at all."""

from pathlib import Path

import pytest

from scripts.files import (
    new_folder,
    one_line_errors,
    replace_folder,
    restore_folder,
    write_bytes,
    write_json,
)


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})

    def fail(*args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_bytes(path, b"half")
    assert path.read_text() == '{\n  "a":1\n}\n'


def test_failed_block_leaves_the_old_folder(tmp_path: Path) -> None:
    with new_folder(tmp_path / "out") as part:
        (part / "a").write_text("old")
    with pytest.raises(RuntimeError), new_folder(tmp_path / "out") as part:
        (part / "a").write_text("new")
        raise RuntimeError
    assert (tmp_path / "out" / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_kill_between_the_renames_can_be_undone(tmp_path: Path) -> None:
    (tmp_path / ".out.old").mkdir()
    (tmp_path / ".out.old" / "a").write_text("old")
    restore_folder(tmp_path / "out")
    assert (tmp_path / "out" / "a").read_text() == "old"
    (tmp_path / "new").mkdir()
    replace_folder(tmp_path / "new", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"] and not list(
        (tmp_path / "out").iterdir()
    )


def test_bad_input_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    @one_line_errors
    def command() -> None:
        raise ValueError("cause:\n  remedy")

    with pytest.raises(SystemExit) as stop:
        command()
    assert stop.value.code == 1 and capsys.readouterr().err == "Error: cause: remedy\n"
