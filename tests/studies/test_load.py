"""Study files: every mistake at once with the nearest right word; what is resolved can be written and read again."""

from __future__ import annotations

import pytest
import yaml

from hounsfield.core.errors import ProblemsError, StudyError
from hounsfield.studies import load
from hounsfield.studies.rules_inputs import known_features


@pytest.fixture
def study_file(tmp_path, tiny_study):
    def write(change=None, text: str | None = None):
        document = yaml.safe_load(tiny_study)
        if change is not None:
            change(document)
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False) if text is None else text)
        return str(path)

    return write


def problems(path: str, **options) -> dict[str, str]:
    with pytest.raises(ProblemsError) as caught:
        load.load(path, **options)
    return {problem.where: f"{problem.what} {problem.remedy}" for problem in caught.value.problems}


def test_all_mistakes_at_once_each_with_the_nearest_word(study_file):
    def change(document):
        document["tragets"] = {}
        document["training"]["classifier"]["epohcs"] = 3
        document["preparation"]["spacing"] = [1, 1, 1]
        document["arms"]["raw"]["titel"] = "x"
        document["targets"]["large"]["colum"] = "x"
        document["networks"]["classifier"]["widhts"] = [1, 1, 1, 1]
        document["arms"]["density"]["features"] = ["log hu_meen"]
        document["comparisons"] = [["raw", "expertmask"]]

    found = problems(study_file(change))
    expected = {
        "tragets": "targets",
        "training.classifier.epohcs": "epochs",
        "preparation.spacing": "spacing_mm",
        "arms.raw.titel": "title",
        "targets.large.colum": "column",
        "networks.classifier.widhts": "widths",
        "arms.density.features": "hu_mean",
        "comparisons.0": "expert_mask",
    }
    assert set(found) == set(expected)
    for where, word in expected.items():
        assert f"Did you mean '{word}'?" in found[where]


def test_wrong_values_name_their_key(study_file):
    def change(document):
        document["split"]["test"] = 1.5
        document["training"]["joint"]["epochs"] = "many"
        document["arms"]["raw"]["kind"] = "rawest"

    assert set(problems(study_file(change))) == {"split.test", "training.joint.epochs", "arms.raw.kind"}


def test_a_value_in_two_classes(study_file):
    found = problems(
        study_file(lambda document: document["targets"]["large"].update(classes={"small": ["0"], "large": ["0", "1"]}))
    )
    assert "two classes" in found["targets.large"]


def test_no_trivial_arm(study_file):
    found = problems(study_file(lambda document: document["arms"]["volume"].pop("trivial")))
    assert "trivial: true" in found["arms"]


@pytest.mark.parametrize(
    ("changes", "where", "words"),
    [
        ({"preparation.size": [20, 16, 16]}, "preparation.size", "multiple of 8"),
        ({"arms.fusion.image": "volume"}, "arms.fusion.image", "no network"),
        ({"arms.fusion.image": "expert_maks"}, "arms.fusion.image", "Did you mean 'expert_mask'"),
        ({"arms.fusion_auto.image": "expert_mask"}, "arms.fusion_auto.image", "mask: expert"),
        ({"arms.density.features": []}, "arms.density.features", "at least one"),
        ({"ratings": {"margin": [5, 1]}}, "ratings.margin", "lowest"),
        ({"arms": {"../up": {"kind": "raw", "title": "x"}}}, "arms.../up", "folder"),
        ({"targets.large.classes": {"small": [], "large": ["1"]}}, "targets.large.classes.small", "no values"),
        ({"targets.large.classes": {"no": False, "yes": True}}, "targets.large.classes", "quotation marks"),
        ({"anchors": [{"target": "lrge", "arm": "raw", "metric": "auc", "value": 1}]}, "anchors.0", "'large'"),
    ],
)
def test_parts_that_do_not_fit(study_file, changes, where, words):
    overrides = [f"{key}={yaml.safe_dump(value, default_flow_style=True)}" for key, value in changes.items()]
    assert words in problems(study_file(), overrides=overrides)[where]


def test_numbers_may_stand_without_quotation_marks(study_file):
    change = {"0": 0, 1: [1, 2.0]}
    target = load.load(study_file(lambda document: document["targets"]["large"].update(classes=change))).targets[
        "large"
    ]
    assert target.classes == {"0": ["0"], "1": ["1", "2"]}
    assert [target.class_of(value) for value in (0, 1.0, "2", 3, None, float("nan"))] == [
        "0",
        "1",
        "1",
        None,
        None,
        None,
    ]


def test_a_missing_cell_is_not_the_class_none(study_file):
    change = {"None": ["None"], "some": ["1"]}
    target = load.load(study_file(lambda document: document["targets"]["large"].update(classes=change))).targets[
        "large"
    ]
    assert target.class_of("None") == "None"
    assert target.class_of(None) is None


@pytest.mark.parametrize("text", ["a: [1\n", "a: b: c", "- 1\n- 2\n", "", "\t- x", "profiles: [quick]\nname: x"])
def test_files_that_are_no_study(study_file, text):
    with pytest.raises(StudyError) as caught:
        load.load(study_file(text=text))
    assert "/" not in str(caught.value).replace("/dev", "")


def test_unreadable_files(tmp_path):
    with pytest.raises(StudyError, match="no study file 'none.yaml'"):
        load.load(str(tmp_path / "none.yaml"))
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9t\xe9")
    with pytest.raises(StudyError, match="UTF-8"):
        load.load(str(tmp_path / "latin.yaml"))
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(StudyError, match=r"folder\.yaml"):
        load.load(str(tmp_path / "folder.yaml"))


def test_unknown_names_propose_the_nearest(study_file):
    with pytest.raises(StudyError, match="Did you mean 'ggn'"):
        load.load("gnn")
    with pytest.raises(StudyError, match="Did you mean 'quick'"):
        load.load("ggn", profile="quik")
    with pytest.raises(StudyError, match="Did you mean 'joint'"):
        load.load(study_file(), arms=["raw", "jiont"])
    with pytest.raises(StudyError, match="Did you mean 'AIS_MIA'"):
        load.load("ggn", targets=["AIS-MIA"])


def test_overrides_reach_nested_keys_and_merge(study_file):
    study = load.load(
        study_file(),
        overrides=[
            "training.classifier.epochs=7",
            "training.joint={epochs: 9}",
            "networks.fill=air",
            "bootstrap = 200",
        ],
        seeds=[4, 5],
    )
    assert study.training.classifier.epochs == 7
    assert study.training.classifier.batch_size == 6  # untouched
    assert (study.training.joint.epochs, study.training.joint.batch_size) == (9, 6)
    assert (study.networks.fill, study.bootstrap, study.seeds) == ("air", 200, [4, 5])


@pytest.mark.parametrize(
    ("override", "words"),
    [("epochs", "key=value"), ("training.classifier.epochs.x=1", "holds a value"), ("bootstrap=[1", "no valid YAML")],
)
def test_overrides_that_cannot_be_read(study_file, override, words):
    with pytest.raises(StudyError, match=words):
        load.load(study_file(), overrides=[override])


def test_an_override_of_an_unknown_key_proposes_the_nearest(study_file):
    found = problems(study_file(), overrides=["training.segmenter.learning_rat=1"])
    assert "learning_rate" in found["training.segmenter.learning_rat"]


def test_choice_of_arms_keeps_the_trivial_ones_and_what_they_are_built_on(study_file):
    study = load.load(study_file(), arms=["fusion_auto"])
    assert list(study.arms) == ["volume", "joint", "fusion_auto"]
    assert study.comparisons == []


def test_what_is_not_chosen_need_not_fit(study_file):
    def change(document):
        document["arms"]["lungs"] = {"kind": "two_inputs", "title": "lungs", "network": "dual_path"}

    assert "no lungs are prepared" in problems(study_file(change))["arms.lungs"]
    assert list(load.load(study_file(change), arms=["raw"]).arms) == ["volume", "raw"]


def test_lungs_are_gathered_where_an_arm_sees_them():
    study = load.load("granuloma")
    assert (study.lung_contents, study.gathered) == (["image", "mask"], study.inputs)
    without = load.load("granuloma", arms=["radiomics", "single_path"])
    assert (without.lung_contents, without.gathered.lungs) == ([], None)
    assert without.gathered.radiomics == without.inputs.radiomics is not None


def test_sizes_that_no_lesion_has(study_file):
    assert "from 40 to 15 mm" in problems(study_file(), overrides=["diameter_mm=[40, 15]"])["diameter_mm"]
    assert "diameter_mm" not in load.dump(load.load(study_file()))  # runs begun before this key existed go on


def test_choice_of_targets_and_the_optional_one():
    study = load.load("ggn", targets=["AAH_AIS_MIA_IAC", "AIS_MIA"])
    assert list(study.targets) == ["AIS_MIA", "AAH_AIS_MIA_IAC"]
    assert not any(target.optional for target in study.targets.values())
    assert {row.target for row in study.anchors} == {"AIS_MIA"}


@pytest.mark.parametrize("name", load.names())
def test_packaged_studies_load_in_every_profile_and_survive_writing(name, tmp_path):
    profiles = yaml.safe_load(load.source(name)).get("profiles") or {"full": {}}
    for profile in profiles:
        study = load.load(name, profile=profile)
        path = tmp_path / f"{profile}.yaml"
        path.write_text(load.dump(study))
        again = load.load(str(path))
        assert again == study
        assert load.dump(again) == load.dump(study)


def test_a_choice_survives_writing(tmp_path):
    study = load.load("ggn", targets=["AIS_MIA"], arms=["raw"], seeds=[7])
    (tmp_path / "run.yaml").write_text(load.dump(study))
    assert load.load(str(tmp_path / "run.yaml")) == study


def test_the_known_features_are_those_that_studies_may_name():
    assert {"volume_mm3", "hu_mean", "hu_kurtosis", "field_z_mm", "above_200hu_fraction"} <= set(known_features())
