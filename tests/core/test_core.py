"""The floor: files are whole or absent, seeds are named, work keeps its order, registries refuse and propose."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hounsfield.core import atomic, content, engine, errors, registry, seeds


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "table.csv"
    atomic.write_text(path, "old")
    with pytest.raises(OSError, match="no space"), atomic.atomic_file(path) as temporary:
        temporary.write_text("half")
        raise OSError("no space left on device")
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["table.csv"]


def test_a_folder_takes_the_place_of_the_older_one(tmp_path: Path):
    for text in ("first", "second"):
        with atomic.atomic_folder(tmp_path / "bundle") as folder:
            (folder / "card.md").write_text(text)
    assert (tmp_path / "bundle" / "card.md").read_text() == "second"
    assert [item.name for item in tmp_path.iterdir()] == ["bundle"]


def test_a_killed_write_leaves_no_file_of_that_name(tmp_path: Path):
    script = (
        "import os, signal, sys; from pathlib import Path; from hounsfield.core.atomic import atomic_file\n"
        "with atomic_file(Path(sys.argv[1])) as part:\n"
        "    part.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "x.json")])
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "x.json").exists()


def test_the_suffix_is_kept_for_writers_that_look_at_it(tmp_path: Path):
    with atomic.atomic_file(tmp_path / "image.v2.nii.gz") as temporary:
        assert temporary.name.endswith(".nii.gz")
        temporary.write_bytes(b"x")


def test_files_obey_the_umask(tmp_path: Path):
    before = os.umask(0o027)
    try:
        atomic.write_text(tmp_path / "a.txt", "a")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_json_refuses_what_is_no_json(tmp_path: Path):
    with pytest.raises(ValueError, match="JSON"):
        atomic.write_json(tmp_path / "a.json", {"auc": math.nan})
    assert not (tmp_path / "a.json").exists()
    atomic.write_json(tmp_path / "a.json", {"b": 1, "a": 0.1})
    assert list(json.loads((tmp_path / "a.json").read_text())) == ["b", "a"]


def test_a_seed_depends_on_its_name_alone():
    # First eight bytes of sha256("7\x1fstr:fold\x1fint:3") as a big-endian integer, halved: worked out with sha256sum.
    shell = "printf '7\\037str:fold\\037int:3' | sha256sum"
    digest = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True).stdout
    assert seeds.derive(7, "fold", 3) == int(digest[:16], 16) >> 1
    assert seeds.derive(7, "fold", "3") != seeds.derive(7, "fold", 3)
    assert seeds.generator(7, "fold", 3).integers(1 << 30) == seeds.generator(7, "fold", 3).integers(1 << 30)


def test_each_keeps_the_order_on_every_engine():
    for name in ("serial", "threads", "local"):
        assert engine.each(math.sqrt, [9.0, 4.0, 1.0], workers=2, engine=name) == [3.0, 2.0, 1.0]
    assert engine.each(math.sqrt, []) == []


def test_each_names_the_engines_it_knows():
    with pytest.raises(errors.RunError, match="local, threads"):
        engine.each(math.sqrt, [1.0], engine="slurm")


def test_each_says_how_to_install_a_missing_engine():
    pytest.importorskip("joblib")
    if importlib.util.find_spec("ray"):
        pytest.skip("ray is installed here")
    with pytest.raises(errors.RunError, match=r"pip install 'hounsfield\[ray\]'"):
        engine.each(math.sqrt, [1.0], engine="ray")


def test_problems_survive_the_way_back_from_a_worker():
    problems = errors.ProblemsError("2 problems", [errors.Problem("row 3, mask", "all zero.", "Draw it.")])
    with pytest.raises(errors.ProblemsError, match="row 3, mask: all zero. Draw it.") as caught:
        engine.each(_raise, [problems, problems], workers=2)
    assert caught.value.problems == problems.problems


def _raise(error: Exception) -> None:
    raise error


def test_a_registry_refuses_a_name_twice_and_proposes_the_nearest():
    things: registry.Registry[int] = registry.Registry("arm")
    things.add("volume")(1)
    with pytest.raises(errors.StudyError, match="taken"):
        things.add("volume")(2)
    with pytest.raises(errors.StudyError, match="Did you mean 'volume'"):
        things.get("volum")


def test_fingerprints_see_content_not_layout(tmp_path: Path):
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    assert content.sha256_of(array) == content.sha256_of(np.asfortranarray(array))
    assert content.sha256_of(array) != content.sha256_of(array.reshape(3, 2))
    assert content.sha256_of({"a": 1, "b": 2}) == content.sha256_of({"b": 2, "a": 1})
    (tmp_path / "f").write_bytes(b"abc")  # the standard's own test vector for "abc"
    assert content.sha256_of_file(tmp_path / "f").startswith("ba7816bf8f01cfea")
