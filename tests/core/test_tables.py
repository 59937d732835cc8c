"""The documentation's tables: drawn from the profiles, and drift is noticed."""

from pathlib import Path

import pytest

from guarita import tables
from guarita.layers.rate_limit import RateLimit
from guarita.outage import ADMIT
from guarita.profiles.delfinance import PRODUCTION
from guarita.profiles.minhakonta import MINHA_KONTA
from guarita.tables import BEGIN, DRAWN, END, TABLES, Drawn, draw, filled, main, names

NAMES = [f"minhakonta {table}" for table in TABLES]
DELFINANCE = ["delfinance layers", "delfinance errors"]
EMPTY = "# Title\n\n" + "\n\ntext between\n\n".join(
    f"{BEGIN.format(name)}\n{END.format(name)}" for name in [*NAMES, *DELFINANCE]
) + "\n\nlast line\n"  # fmt: skip


def rows(name: str) -> list[list[str]]:
    """A table's rows below its head, cell by cell."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in draw(name).splitlines()[2:]
    ]


def test_layers_are_drawn_in_order_with_the_classes_they_stand_in() -> None:
    drawn = {row[0].strip("`"): row[1:4] for row in rows("minhakonta layers")}
    write, read, balance = MINHA_KONTA.classes
    assert list(drawn) == [layer.name for layer in write.layers]
    for name, cells in drawn.items():
        expected = [
            any(layer.name == name for layer in one.layers) for one in (write, read, balance)
        ]
        assert [cell == "yes" for cell in cells] == expected
    assert drawn["rate_limit"] == ["yes", "yes", "–"]
    assert all(row[4] for row in rows("minhakonta layers"))


def test_delfinance_is_drawn_with_a_column_per_environment() -> None:
    head = draw("delfinance layers").splitlines()[0]
    assert head == "| layer | production | homologation | what it does |"
    drawn = {row[0].strip("`"): row[1:3] for row in rows("delfinance layers")}
    assert list(drawn) == [layer.name for layer in PRODUCTION.classes[0].layers]
    without = {name for name, cells in drawn.items() if cells != ["yes", "yes"]}
    assert without == {"certificate", "address"}
    assert drawn["certificate"] == drawn["address"] == ["yes", "–"]


def test_classes_errors_and_permissions_are_drawn_row_by_row() -> None:
    assert [row[1] for row in rows("minhakonta route classes")] == [
        row.route_class for row in MINHA_KONTA.selection
    ]
    assert rows("minhakonta route classes")[0][0] == "GET `/api/external/balance`"
    assert rows("minhakonta route classes")[-1][0] == "everything else"
    errors = {row[0].strip("`"): row[1:] for row in rows("minhakonta errors")}
    assert errors["rate_limit.too_many"][2] == "`Retry-After: 60`"
    assert errors["permission.lacking"][1] == (
        '`{"error":"forbidden","message":"API key lacks permission: {permission}"}`'
    )
    assert [[cell.strip("`") for cell in row] for row in rows("minhakonta permissions")] == [
        [row.method, "/api/external" + row.pattern, row.permission]
        for row in MINHA_KONTA.table.rows
    ]
    lapsed = {row[0].strip("`"): row[1:] for row in rows("delfinance errors")}["certificate.lapsed"]
    assert lapsed == ["401", '`{"message":"Validation expired"}`', "`Connection: close`"]


@pytest.mark.parametrize("name", DRAWN)
def test_every_reason_has_its_row(name: str) -> None:
    profile = DRAWN[name].profile
    errors = {row[0].strip("`"): row[1:] for row in rows(f"{name} errors")}
    assert list(errors) == [str(reason) for reason in profile.reasons()]
    for reason in profile.reasons():
        assert errors[str(reason)][0] == str(profile.wording[reason].status)


@pytest.mark.parametrize("name", [*NAMES, *DELFINANCE])
def test_every_row_has_as_many_cells_as_the_head(name: str) -> None:
    assert len({line.count("|") for line in draw(name).splitlines()}) == 1


def test_filling_replaces_what_stood_there_and_nothing_else() -> None:
    once = filled(EMPTY)
    assert filled(once) == once
    assert names(once) == [*NAMES, *DELFINANCE]
    for name in names(once):
        assert f"{BEGIN.format(name)}\n{draw(name)}\n{END.format(name)}" in once
    assert once.startswith("# Title\n\n")
    assert once.endswith("\n\nlast line\n")
    assert once.count("text between") == len(names(once)) - 1


@pytest.mark.parametrize("name", [*NAMES, *DELFINANCE])
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
            filled(broken)


def test_marks_may_not_cross_or_name_nothing() -> None:
    one, other = NAMES[0], NAMES[1]
    marks = (BEGIN.format(one), BEGIN.format(other), END.format(one), END.format(other))
    with pytest.raises(ValueError, match="another mark"):
        filled("\n".join(marks))
    with pytest.raises(ValueError, match="no marks"):
        filled("# A page\n")
    for unknown in ("minhakonta", "layers", "minhakonta layer", "elsewhere layers", ""):
        with pytest.raises(ValueError, match="there is no table"):
            filled(f"{BEGIN.format(unknown)}\n{END.format(unknown)}\n")


def test_check_notices_drift_in_any_of_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    readme, page = tmp_path / "README.md", tmp_path / "page.md"
    for path in (readme, page):
        path.write_text(EMPTY, encoding="utf-8")
    both = [str(readme), str(page)]
    assert main(["--check", *both]) == 1
    assert capsys.readouterr().err.count("differ from the profile") == 2
    assert readme.read_text(encoding="utf-8") == EMPTY
    assert main(["--write", *both]) == 0
    assert main(["--check", *both]) == 0
    assert capsys.readouterr().err == ""
    written = page.read_text(encoding="utf-8")
    page.write_text(written.replace("| 429 |", "| 428 |"), encoding="utf-8")
    assert main(["--check", *both]) == 1
    assert capsys.readouterr().err.startswith(f"{page}: generated tables differ")
    page.write_text("no marks", encoding="utf-8")
    assert main(["--check", *both]) == main(["--write", *both]) == 1
    assert f"{page}: there are no marks" in capsys.readouterr().err

    without_balance = MINHA_KONTA.with_layers(RateLimit(1, 1, ADMIT))
    columns = {one.name: one.layers for one in without_balance.classes}
    monkeypatch.setitem(tables.DRAWN, "minhakonta", Drawn(without_balance, columns))
    assert main(["--check", str(readme)]) == 0  # settings are not drawn
    del columns["balance"]
    assert main(["--check", str(readme)]) == 1


@pytest.mark.parametrize("arguments", [[], ["--check"], ["--draw", "x"], ["x", "--check"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("usage:")


def test_the_repository_s_own_files_are_as_generated() -> None:
    """Every Markdown file with marks in it; `make docs` and `make check` name the same files."""
    root = Path(__file__).resolve().parents[2]
    marked = {
        str(path.relative_to(root)): names(path.read_text(encoding="utf-8"))
        for path in (*root.glob("*.md"), *root.glob("docs/*.md"))
        if "<!-- generated: " in path.read_text(encoding="utf-8")
    }
    # Those of other generators are compared by tests of their own.
    others = {
        "docs/gateway.md": "guarita.config.drawing",
        "docs/sandbox.md": "tests.docs.sandbox_tables",
    }
    assert all(marked.pop(page) for page in others)
    assert marked == {"README.md": NAMES, "docs/delfinance.md": DELFINANCE}
    assert main(["--check", *(str(root / path) for path in marked)]) == 0
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    assert f"TABLES := {' '.join(sorted(marked))}\n" in makefile
    assert all(f"-m {module}" in makefile for module in others.values())
