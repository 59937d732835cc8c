"""Imports point one way, the core does no I/O, and it needs msgspec alone (DESIGN section 2,
rules 1, 3 and 10).
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import guarita

PACKAGE = Path(guarita.__file__).parent
CORE = [
    "facts",
    "asks",
    "decision",
    "pipeline",
    "drivers",
    "crypto",
    "records",
    "routes",
    "profile",
]
CORE += ["identity", "outage", "layers/*", "profiles/*"]

OUTER = {"serving", "stores", "keyring", "cli", "sandbox", "decision_log", "data_folder"}
IMPURE = {
    "time",
    "datetime",
    "os",
    "io",
    "socket",
    "asyncio",
    "sqlite3",
    "threading",
    "random",
    "secrets",
}
IMPURE |= {
    "uuid",
    "pathlib",
    "sys",
    "logging",
    "subprocess",
    "ssl",
    "http",
    "urllib.request",
    "selectors",
}
IMPURE |= {
    "starlette",
    "fastapi",
    "django",
    "uvicorn",
    "hypercorn",
    "uvloop",
    "httptools",
    "httpx",
    "cyclopts",
}
RANK = ["outage", "facts", "decision", "records", "crypto", "asks", "drivers", "pipeline", "routes"]
RANK += ["layers", "profile", "profiles"]
"""A module imports only from its left, and within its own package."""


def files(pattern: str) -> list[Path]:
    return sorted(PACKAGE.glob(f"{pattern}.py"))


CORE_FILES = [path for pattern in CORE for path in files(pattern)]


def named(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def imported(tree: ast.AST) -> Iterator[str]:
    """Full names of the modules that are imported anywhere in `tree`, except for type checking
    only.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from imported(node)


def imports(path: Path) -> set[str]:
    return set(imported(ast.parse(path.read_text(encoding="utf-8"))))


def inside(names: set[str], package: str) -> set[str]:
    return {name for name in names if name == package or name.startswith(package + ".")}


def test_there_is_something_to_look_at() -> None:
    assert len(CORE_FILES) > 20
    assert {"layers/api_key", "profiles/minhakonta", "facts"} <= set(map(named, CORE_FILES))
    assert inside(imports(PACKAGE / "layers" / "api_key.py"), "guarita.asks")
    assert inside(imports(PACKAGE / "serving" / "asgi.py"), "time")


@pytest.mark.parametrize("path", CORE_FILES, ids=named)
def test_the_core_imports_nothing_from_around_it(path: Path) -> None:
    names = imports(path)
    for package in OUTER:
        assert not inside(names, f"guarita.{package}"), package
    for module in IMPURE:
        assert not inside(names, module), module
    top = {name.partition(".")[0] for name in names}
    assert top <= sys.stdlib_module_names | {"msgspec", "guarita"}
    assert "guarita" not in names, "the package's front imports everything"


@pytest.mark.parametrize("path", CORE_FILES, ids=named)
def test_the_core_opens_and_prints_nothing(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"open", "print", "input", "eval", "exec", "__import__", "breakpoint"}


@pytest.mark.parametrize("path", CORE_FILES, ids=named)
def test_imports_point_one_way(path: Path) -> None:
    own = named(path).partition("/")[0]
    if own not in RANK:
        return
    for name in inside(imports(path), "guarita"):
        other = name.split(".")[1]
        if other in RANK and other != own:
            assert RANK.index(other) < RANK.index(own), f"{own} imports {name}"


@pytest.mark.parametrize("path", files("layers/*"), ids=named)
def test_a_layer_knows_no_profile(path: Path) -> None:
    names = imports(path)
    assert not inside(names, "guarita.profiles")
    assert not inside(names, "guarita.profile")
    assert not inside(names, "guarita.pipeline")
    profiles = {one.stem for one in files("profiles/*")} - {"__init__", "tables"}
    words = {
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not words & profiles


LOGIC = (
    ast.If,
    ast.For,
    ast.While,
    ast.Try,
    ast.With,
    ast.Match,
    ast.IfExp,
    ast.ClassDef,
    ast.Lambda,
)


@pytest.mark.parametrize("path", files("profiles/*"), ids=named)
def test_a_profile_is_data(path: Path) -> None:
    """Control flow stands in helper functions only, and those are small."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            assert len(node.body) <= 4, node.name
            assert not any(isinstance(one, ast.For | ast.While | ast.Try) for one in ast.walk(node))
        else:
            assert not any(isinstance(one, LOGIC) for one in ast.walk(node)), ast.unparse(node)[:80]


@pytest.mark.parametrize("path", files("sandbox/**/*"), ids=named)
def test_the_sandbox_knows_nothing_of_the_gate(path: Path) -> None:
    ours = inside(imports(path), "guarita") - inside(imports(path), "guarita.sandbox")
    assert not ours, "the bank is an ordinary application"


@pytest.mark.parametrize("path", files("**/*"), ids=named)
def test_comparisons_of_secrets_stand_in_one_file(path: Path) -> None:
    """DESIGN rule 8. The sandbox bank may not import the gate's; it keeps secrets of its own."""
    if named(path) == "crypto" or named(path).startswith("sandbox/"):
        return
    assert not inside(imports(path), "hmac")
    assert "compare_digest" not in path.read_text(encoding="utf-8")


ALONE = """
import sys

class Refuses:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top in ("msgspec", "guarita"):
            return None
        raise ImportError(f"{name} is not among the core's dependencies")

sys.meta_path.insert(0, Refuses())
sys.path[:0] = sys.argv[1:]
import guarita.pipeline
import guarita.profiles.minhakonta
import guarita
for name in guarita.__all__:
    getattr(guarita, name)
foreign = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
try:
    import hypothesis
except ImportError as refused:
    print(*sorted(name for name in foreign if not name.startswith("_")), "|", refused)
"""


def test_the_core_runs_with_msgspec_alone(tmp_path: Path) -> None:
    places = [str(PACKAGE.parent), str(Path(msgspec.__file__).parents[1])]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", ALONE, *places],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    foreign, _, refused = done.stdout.partition("|")
    assert foreign.split() == ["guarita", "msgspec"]
    assert "hypothesis is not among" in refused  # so the refusing works
