"""The floors of the design hold: no import upwards, no circle of rooms, and a light import stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "hounsfield"
FLOOR = {
    "core": 0,
    "tables": 1,
    "volume": 1,
    "phantom": 1,
    "stats": 2,
    "catalog": 2,
    "nets": 3,
    "losses": 3,
    "data": 3,
    "radiomics": 3,
    "guideline": 3,
    "report": 4,
    "fit": 4,
    "audit": 4,
    "infer": 4,
    "studies": 5,
    "serve": 5,
    "cli": 6,
    "__main__": 7,  # the face of the command line
}


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "hounsfield" and len(parts) > 1 else None


def imports() -> Iterator[tuple[str, str, str]]:
    """(file, room, imported room); an import inside a function or under TYPE_CHECKING counts too."""
    for file in sorted(SOURCE.rglob("*.py")):
        inside = file.relative_to(SOURCE)
        room = inside.parts[0] if len(inside.parts) > 1 else inside.stem
        if room == "__init__":  # the package's own face names rooms by text and loads none
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{inside}: write imports in full"
                modules = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            for module in modules:
                imported = room_of(module)
                if imported is not None and imported != room and not imported.startswith("_"):
                    yield str(inside), room, imported


def test_every_room_has_a_floor():
    rooms = {item.name for item in SOURCE.iterdir() if item.is_dir() and item.name != "__pycache__"}
    assert rooms <= set(FLOOR), f"give {rooms - set(FLOOR)} a floor in the design first"


def test_nobody_imports_upwards():
    upward = [
        f"{file} imports {imported}: move the shared part down a floor"
        for file, room, imported in imports()
        if FLOOR[imported] > FLOOR[room]
    ]
    assert not upward, "\n".join(upward)


def test_no_two_rooms_import_each_other():
    leans: dict[str, set[str]] = {}
    for _, room, imported in imports():
        leans.setdefault(room, set()).add(imported)

    def reaches(start: str, seen: frozenset[str] = frozenset()) -> set[str]:
        fresh = leans.get(start, set()) - seen
        return fresh.union(*(reaches(room, seen | fresh) for room in fresh))

    circles = [room for room in leans if room in reaches(room)]
    assert not circles, f"these rooms hang together in a circle: {sorted(circles)}"


def test_studies_do_not_import_each_other():
    # A study is one module; what two of them share belongs in a lower room or in the runner.
    shared = {"study", "runner", "registry"}
    studies = {file.stem for file in (SOURCE / "studies").glob("*.yaml")}
    for file in (SOURCE / "studies").glob("*.py"):
        if file.stem not in studies:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        named = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        others = {module.split(".")[-1] for module in named if module.startswith("hounsfield.studies.")}
        assert not others & (studies - {file.stem} - shared), f"{file.name} imports another study"


@pytest.mark.parametrize("command", ["import hounsfield", "import hounsfield.cli as c; c.help_text()"])
def test_import_and_help_load_no_torch(command: str):
    heavy = "{'torch', 'monai', 'SimpleITK', 'pandas'}"
    check = f"{command}; import sys; found = {heavy} & set(sys.modules); assert not found, found"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
