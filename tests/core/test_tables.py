"""The README's tables: drawn from the profile, and drift is noticed."""

from pathlib import Path

import pytest

from guarita import tables
from guarita.layers.rate_limit import RateLimit
from guarita.outage import ADMIT
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.tables import BEGIN, END, TABLES, filled, main

EMPTY = "# Title\n\n" + "\n\ntext between\n\n".join(
    f"{BEGIN.format(name)}\n{END.format(name)}" for name in TABLES
) + "\n\nlast line\n"  # fmt: skip


def rows(name: str) -> list[list[str]]:
    """A table's rows below its head, cell by cell."""
    lines = TABLES[name](MINHA_KONTA).splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_layers_are_drawn_in_order_with_the_classes_they_stand_in() -> None:
    drawn = {row[0].strip("`"): row[1:4] for row in rows("layers")}
    write, read, balance = MINHA_KONTA.classes
    assert list(drawn) == [layer.name for layer in write.layers]
    for name, cells in drawn.items():
        expected = [
            any(layer.name == name for layer in one.layers) for one in (write, read, balance)
        ]
        assert [cell == "yes" for cell in cells] == expected
    assert drawn["rate_limit"] == ["yes", "yes", "–"]
    assert all(row[4] for row in rows("layers"))


def test_classes_errors_and_permissions_are_drawn_row_by_row() -> None:
    assert [row[1] for row in rows("route classes")] == [
        row.route_class for row in MINHA_KONTA.selection
    ]
    assert rows("route classes")[0][0] == "GET `/api/external/balance`"
    assert rows("route classes")[-1][0] == "everything else"
    errors = {row[0].strip("`"): row[1:] for row in rows("errors")}
    assert list(errors) == [str(reason) for reason in MINHA_KONTA.reasons()]
    for reason in MINHA_KONTA.reasons():
        assert errors[str(reason)][0] == str(MINHA_KONTA.wording[reason].status)
    assert errors["rate_limit.too_many"][2] == "`Retry-After: 60`"
    assert errors["permission.lacking"][1] == (
        '`{"error":"forbidden","message":"API key lacks permission: {permission}"}`'
    )
    assert [[cell.strip("`") for cell in row] for row in rows("permissions")] == [
        [row.method, "/api/external" + row.pattern, row.permission]
        for row in MINHA_KONTA.table.rows
    ]


@pytest.mark.parametrize("name", TABLES)
def test_every_row_has_as_many_cells_as_the_head(name: str) -> None:
    counts = {line.count("|") for line in TABLES[name](MINHA_KONTA).splitlines()}
    assert len(counts) == 1


def test_filling_replaces_what_stood_there_and_nothing_else() -> None:
    once = filled(EMPTY, MINHA_KONTA)
    assert filled(once, MINHA_KONTA) == once
    for name, draw in TABLES.items():
        assert f"{BEGIN.format(name)}\n{draw(MINHA_KONTA)}\n{END.format(name)}" in once
    assert once.startswith("# Title\n\n")
    assert once.endswith("\n\nlast line\n")
    assert once.count("text between") == len(TABLES) - 1


@pytest.mark.parametrize("name", TABLES)
def test_marks_must_stand_once_and_in_order(name: str) -> None:
    begin, end = BEGIN.format(name), END.format(name)
    for broken in (
        EMPTY.replace(begin, ""),
        EMPTY.replace(end, ""),
        EMPTY + begin,
        EMPTY + end,
        EMPTY.replace(begin, "@").replace(end, begin).replace("@", end),  # would cut the file off
    ):
        with pytest.raises(ValueError, match="generated"):
            filled(broken, MINHA_KONTA)


def test_check_notices_drift(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(EMPTY, encoding="utf-8")
    assert main(["--check", str(readme)]) == 1
    assert "differ from the profile" in capsys.readouterr().err
    assert readme.read_text(encoding="utf-8") == EMPTY
    assert main(["--write", str(readme)]) == 0
    assert main(["--check", str(readme)]) == 0
    assert capsys.readouterr().err == ""
    written = readme.read_text(encoding="utf-8")
    readme.write_text(written.replace("| 429 |", "| 428 |"), encoding="utf-8")
    assert main(["--check", str(readme)]) == 1
    readme.write_text(written, encoding="utf-8")
    without_balance = MINHA_KONTA.with_layers(RateLimit(1, 1, ADMIT))
    assert filled(written, without_balance) == written  # settings are not drawn
    monkeypatch.setattr(without_balance, "classes", without_balance.classes[:2])
    monkeypatch.setattr(tables, "MINHA_KONTA", without_balance)
    assert main(["--check", str(readme)]) == 1


@pytest.mark.parametrize("arguments", [[], ["--check"], ["--draw", "x"], ["--check", "x", "y"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("usage:")


def test_the_repository_s_own_files_are_as_generated() -> None:
    """Every Markdown file with marks in it."""
    root = Path(__file__).resolve().parents[2]
    marked = [
        path
        for path in (*root.glob("*.md"), *root.glob("docs/*.md"))
        if BEGIN.format("layers") in path.read_text(encoding="utf-8")
    ]
    assert marked, "the README holds no generated tables"
    for path in marked:
        assert main(["--check", str(path)]) == 0
