"""README.md and docs/*.md say what is true: examples run, tables are drawn from the profile,
commands and files exist.
"""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from guarita.cli import command_tree
from guarita.cli.demo_text import ready
from guarita.cli.settings import split
from guarita.tables import filled
from tests.docs.examples import PAGES, ROOT, blocks, run, write_programs

README = ROOT / "README.md"
PROGRAMS = [
    page for page in PAGES if blocks(page, "python") and page.name != "delfinance.md"
]  # delfinance.md has a test module of its own
COMMANDS = [README, ROOT / "docs" / "delfinance.md", ROOT / "docs" / "sandbox.md"]

CALL = """
import asyncio, json, sqlite3, sys
from pathlib import Path
import httpx
from guarita import DataFolder
from guarita.crypto import signature

with DataFolder(Path("guarita-data")) as keys:
    account = keys.keyring.create_account("Loja da Ana")
    issued = keys.keyring.create_key(
        account.account_id, permissions=["transfer:write"], allowlist=["127.0.0.1"]
    )
secret = issued.secret.reveal()

import {module} as page

async def post(path, key, amount):
    body = json.dumps({{"amount": amount}}).encode()
    headers = {{
        "Authorization": f"ApiKey {{issued.key.client_id}}:{{secret}}",
        "Content-Type": "application/json",
        "hmac": signature(secret.encode(), body),
        "Idempotency-Key": key,
    }}
    transport = httpx.ASGITransport(page.app, client=("127.0.0.1", 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://bank.test") as client:
        return await client.post(path, content=body, headers=headers)

async def main():
    path = "/api/external/pix/cash-out"
    first = await post(path, "order-1", 3000)
    between()
    again = await post(path, "order-1", 3000)
    mismatch = await post(path, "order-1", 3001)
    nowhere = await post("/api/external/nowhere", "order-2", 3000)
    answers = (first, again, mismatch, nowhere)
    shown = [[one.status_code, one.json(), dict(one.headers)] for one in answers]
    print(json.dumps({{"account": account.account_id, "answers": shown}}))

{between}
asyncio.run(main())
"""


def call(folder: Path, module: str, between: str = "def between(): pass") -> dict[str, Any]:
    """What README's application answers to a cash-out, its retry, its retry with another amount,
    and an unknown route; `between` runs before the retry."""
    write_programs(README, folder)
    (folder / "call.py").write_text(CALL.format(module=module, between=between), "utf-8")
    done = run("call.py", folder)
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("page", PROGRAMS, ids=lambda page: page.name)
def test_every_program_runs(page: Path, tmp_path: Path) -> None:
    for name in write_programs(page, tmp_path):
        done = run(name, tmp_path)
        assert done.returncode == 0, f"{page.name}, {name}:\n{done.stderr}"


def test_the_embedding_example_admits_replays_and_refuses(tmp_path: Path) -> None:
    called = call(tmp_path, "app")
    first, again, mismatch, nowhere = called["answers"]
    assert first[:2] == [200, {"worked": True, "account": called["account"], "amount": 3000}]
    assert again[:2] == mismatch[:2] == first[:2]  # as Minha Konta: another body replays
    assert "x-idempotent-replay" not in first[2]
    assert again[2]["x-idempotent-replay"] == "true"
    assert nowhere[0] == 404
    assert all(answer[2]["ray-id"] for answer in called["answers"])


def test_the_settings_example_is_in_force(tmp_path: Path) -> None:
    first, again, mismatch, _ = call(tmp_path, "settings")["answers"]
    assert (first[0], again[0], mismatch[0]) == (200, 200, 422)
    assert first[2]["x-ratelimit-remaining"] == "5999"


def test_the_outcome_example_answers_for_a_lost_record(tmp_path: Path) -> None:
    lose = (
        "def between():\n"
        "    with sqlite3.connect('guarita-data/guarita.db') as db:\n"
        "        db.execute(\"UPDATE reservation SET state = 'outcome_unknown',"
        ' status = NULL, response = NULL")\n'
        "    db.close()\n"
    )
    first, again, *_ = call(tmp_path, "outcomes", lose)["answers"]
    assert first[:2] == again[:2] == [200, {"worked": True}]
    assert again[2]["x-idempotent-replay"] == "true"
    without = call(tmp_path, "app", lose)["answers"][1]
    assert without[0] == 409


def test_generated_tables_are_up_to_date() -> None:
    for page in (README, ROOT / "docs" / "delfinance.md"):
        text = page.read_text("utf-8")
        assert filled(text) == text, "run `make docs`"


COMMAND = re.compile(r"(?:^|`)(guarita [a-z][^`\n]*)", re.MULTILINE)
LATER = {"serve"}  # named in README.md as not there yet


def commands(page: Path) -> list[str]:
    """Every `guarita …` command line of a page, in code spans and in shell blocks."""
    text = re.sub(r"^```(?:python)?\n.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    return COMMAND.findall(text.replace("\\\n", " "))


def exists(words: list[str]) -> str | None:
    """None where the command and its options exist, else what does not."""
    app = command_tree(words)
    path: list[str] = []
    while words and words[0] in {name for name in app if not name.startswith("-")}:
        app = app[words[0]]
        path.append(words.pop(0))
    if not path or (app.default_command is None and not words):
        return None if path else f"no command {words[:1]}"
    if app.default_command is None:
        return f"`guarita {' '.join(path)}` has no subcommand {words[0]!r}"
    options = {word for word in words if word.startswith("--")}
    known = {name for argument in app.assemble_argument_collection() for name in argument.names}
    return f"{' '.join(path)}: no option {options - known}" if options - known else None


@pytest.mark.parametrize("page", COMMANDS, ids=lambda page: page.name)
def test_every_command_exists(page: Path) -> None:
    lines = commands(page)
    assert len(lines) > 12
    for line in lines:
        _, words = split(shlex.split(re.split(r"[<;|]", line)[0], comments=True)[1:], {})
        if words[0] not in LATER:
            assert exists(words) is None, f"{line}: {exists(words)}"


def test_subcommands_named_after_a_comma_exist() -> None:
    rows = [
        re.findall(r"`([^`]+)`", row.split("|")[1])
        for row in README.read_text("utf-8").splitlines()
        if row.startswith("| `guarita ")
    ]
    assert len(rows) > 8
    for first, *others in rows:
        group = first.split()[1]
        for name in others:
            assert exists([group, *name.split()]) is None, f"guarita {group} {name}"


@pytest.mark.parametrize("wrong", ["server", "key unknown", "sign --secret", "account remove NAME"])
def test_a_command_that_does_not_exist_is_noticed(wrong: str) -> None:
    assert exists(wrong.split()) is not None


def test_curl_lines_are_the_demos() -> None:
    document = {
        "minhakonta": {"base_url": "U", "client_id": "I", "client_secret": "S"},
        "delfinance": dict.fromkeys(
            (
                *("base_url", "account_id", "api_key", "certificate"),
                *("private_key", "pkcs12", "pkcs12_password", "ca"),
            ),
            "T",
        ),
        "data": "D",
        "other_merchant": dict.fromkeys(("client_id", "client_secret", "pix_key"), "O"),
    }
    printed = ready(document)
    shown = next(block.text for block in blocks(README, "sh") if "curl" in block.text)
    assert shown.strip() in printed


LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    missing = [
        link for link in LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()
    ]
    assert not missing
