"""The bars and the page: computed from results' files, and honest about what is missing."""

import hashlib
import json
import re

import numpy as np
import pytest

from fervid.errors import DataError
from tests.places import ROOT
from train.ablation_report import BASELINE, PROPOSED
from train.bars import GROUPS, Bar, bar_table
from train.baseline_table import baseline_table
from train.metrics import pack, robustness_auc
from train.options import EvaluateOptions, ReportOptions
from train.paper_tables import paper_table
from train.report import Part, render
from train.results import FORMAT, write_results
from train.robustness import SETTINGS
from train.robustness_tables import SHOWN_CAM


def rows(clean, noisy, moved):
    return [
        {
            "name": s.name,
            "kind": s.kind,
            "level": s.level,
            "accuracy": noisy if s.level else clean,
            "dc": {SHOWN_CAM: {"ssim": moved if s.level else 0.0}},
        }
        for s in SETTINGS
    ]


def results(clean, noisy, moved):
    chance = {SHOWN_CAM: {"unrelated": {"ssim": 0.6}, "mean_map": {"ssim": 0.4}}}
    part = {"estimated": {"settings": rows(clean, noisy, moved)}, "dc_chance": chance, "snr": None}
    about = {"name": "m", "precision": "int8", "input_px": 48, "sha256": "x", "file": "m.onnx"}
    return {"format": FORMAT, "model": about, "splits": {"private": part}, "calibration": []}


def test_a_bar_says_by_how_much_it_is_missed():
    assert Bar("a", 7.4, 8, 6).row()[-1] == "met"
    assert Bar("a", 5.9, 8, 6).row()[-1] == "aim met"
    assert Bar("a", 9.3, 8, 6).row()[-1] == "missed by 1.3"
    assert Bar("a", 66.5, 68, 70, least=True).row()[-1] == "missed by 1.5"
    assert Bar("a", 68.5, 68, 70, least=True).row()[-1] == "met"
    assert Bar("a", 70.0, 68, 70, least=True).row()[-1] == "aim met"
    assert Bar("a", None, 68, least=True).row()[1:] == ("not measured", ">= 68", "-", "-")


def test_bars_are_differences_of_the_files():
    known = {"evaluate": results(0.70, 0.64, 0.1), "baseline": results(0.71, 0.30, 0.5)}
    said = {row[0]: row for row in bar_table(known).rows}
    assert said["clean accuracy, %"][1:] == ("70.0", ">= 68", ">= 70", "aim met")
    assert said["gaussian 0.2: points below clean"][1] == "6.0"
    assert said["gaussian 0.2: points over the clean-trained start"][1] == "34.0"
    assert said["clean points lost to robustness"][1] == "1.0"
    assert said[f"speckle 0.06: DC of {SHOWN_CAM}"][1] == "0.100"
    assert said["gaussian 0.2: DC below the clean-trained start's"][1] == "0.400"
    assert not any(what.startswith("same budget") for what in said)
    shown = f"{SHOWN_CAM} beats mean face, blob, random (1: yes)"
    assert said[shown][1] == "not measured"
    assert sum(row[1] == "not measured" for row in said.values()) == 5  # and in frame, four times
    maps = {"splits": {"private": {"better_than_all": {SHOWN_CAM: True}}}}
    assert {row[0]: row for row in bar_table(known | {"maps": maps}).rows}[shown][-1] == "aim met"


def cell(setting, px, found, accuracy, accuracy_found, thumbnail):
    return {
        "setting": setting,
        "face_px": px,
        "faces": 10,
        "found": found,
        "accuracy": accuracy,
        "accuracy_found": accuracy_found,
        "accuracy_thumbnail": thumbnail,
    }


def test_faces_in_frames_are_counted_with_and_without_those_not_found():
    cells = [
        cell("clean", 48, 0.1, 0.0, 0.0, 1.0),  # too small
        cell("clean", 96, 0.5, 0.3, 0.60, 0.70),
        cell("clean", 240, 1.0, 0.7, 0.70, 0.74),
        cell("gaussian 0.2", 96, 0.0, 0.0, None, None),
    ]
    known = {"evaluate": results(0.70, 0.60, 0.1), "frames": {"cells": cells}}
    said = {row[0]: row[1] for row in bar_table(known).rows}
    least = "in frame, faces found of 96 px and more"
    assert said[f"{least}, clean: points lost"] == "6.0"  # (5 * 10 + 10 * 4) / 15
    assert said[f"{least}, nine settings: points lost"] == "not measured"
    all_ = "in frame, all of 96 px and more, one not found being wrong"
    assert said[f"{all_}, clean: points lost"] == "20.0"  # 70 less the mean of 30 and 70
    assert said[f"{all_}, nine settings: points lost"] == "60.0"


def arms(accuracy, dc, snr):
    """An arm of the ablation with two seeds whose figures differ by a little."""
    return [
        [
            {"name": "clean", "accuracy": 0.7},
            *(
                {"name": s.name, "accuracy": accuracy + d, "dc": dc, "snr": snr, "snr_centred": snr}
                for s in SETTINGS[1:]
            ),
        ]
        for d in (-0.01, 0.01)
    ]


def ablation():
    """ablation.json of the two arms that are compared with the paper's."""
    found = {}
    for arm, figures in ((BASELINE, (0.3, 0.5, 2.0)), (PROPOSED, (0.6, 0.1, 8.5))):
        for seed, rows in enumerate(arms(*figures), 1):
            found[f"{arm.training}-{seed}"] = {"arms": {arm.title: {"private": {"settings": rows}}}}
    return found


def test_the_ablation_gives_the_bars_of_the_same_budget():
    said = {row[0]: row for row in bar_table({"ablation": ablation()}).rows}
    assert said["same budget, speckle 0.06: points over the baseline"][1] == "30.0"
    assert said["same budget, gaussian 0.2: Grad-CAM's DC below the baseline's"][1] == "0.400"
    assert said["same budget, SNR of layer4, centred: dB over the baseline"][1] == "6.5"


def test_the_papers_tables_stand_beside_ours():
    table = paper_table({"ablation": ablation()})
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["gaussian: RA, %"] == ("68.5", "80.1", "+11.6", "30.0", "60.0", "+30.0", *"---")
    assert rows["speckle: DC"][:6] == ("0.220", "0.100", "-0.120", "0.500", "0.100", "-0.400")
    assert rows["salt_pepper: SNR of layer4, dB"][3:6] == ("2.0", "8.5", "+6.5")
    wanted = robustness_auc([0, 0.1, 0.2, 0.3], [0.7, 0.54, 0.54, 0.54])
    assert rows["gaussian: AUC of RA (1 - DC)"][4] == f"{wanted:.3f}"


def test_the_clean_trained_network_stands_beside_the_shipped_one():
    def part(name, *right):
        row = {"name": name, "group": "held out", "right": pack(np.array(right, bool))}
        return {
            "splits": {"private": {"images": 8, "settings": [row | {"accuracy": np.mean(right)}]}}
        }

    ours, base = part("defocus 2", *[1] * 8), part("defocus 2", *[1] * 2, *[0] * 6)
    (row,) = baseline_table({"faults": ours, "baseline-faults": base}).rows
    # six discordant, all one way: p = 2 / 2 ** 6
    assert row == ("defocus 2 (held out)", "100.0", "25.0", "+75.0", "0.031", "25.6")
    assert baseline_table({"faults": ours}).rows == ()


def test_nothing_measured_says_nothing():
    assert [bar for bars in GROUPS for bar in bars({})] == []


@pytest.fixture
def measured(tmp_path):
    """A model's file and what was measured of it."""
    model = tmp_path / "m.onnx"
    model.write_bytes(b"weights")
    part = Part("evaluate", model, EvaluateOptions(split="private", out=tmp_path))
    return part, model


def test_figures_of_other_weights_are_not_shown(measured):
    part, model = measured
    assert part.known() is None
    found = results(0.7, 0.6, 0.2)
    part.file.write_text(json.dumps(found))
    assert part.known() is None
    found["model"]["sha256"] = hashlib.sha256(b"weights").hexdigest()
    part.file.write_text(json.dumps(found))
    assert part.known() == found
    part.file.write_text(json.dumps({**found, "format": FORMAT - 1}))
    assert part.known() is None
    part.file.write_text(json.dumps(found))
    model.write_bytes(b"other weights")
    assert part.known() is None


def test_the_page_is_made_of_the_files_alone(measured, tmp_path):
    part, model = measured
    found = results(0.7, 0.6, 0.2)
    found["model"]["sha256"] = hashlib.sha256(b"weights").hexdigest()
    part.file.write_text(json.dumps(found))
    page, *pictures = render(model, ReportOptions(out=tmp_path))
    text = page.read_text()
    assert "| clean accuracy, % | 70.0 |" in text
    assert "The ablation is not measured yet" in text
    assert {path.name for path in pictures} == {"accuracy.png", "drift.png"}
    assert all(path.stat().st_size > 5000 for path in pictures)


def test_results_that_cannot_be_written_leave_those_that_are_there(tmp_path):
    resource = pytest.importorskip("resource")  # which Windows lacks
    (tmp_path / "x.json").write_text("{}")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
    try:
        with pytest.raises(DataError, match="cannot be written"):
            write_results(tmp_path, "x", {"a": list(range(3000))}, "# head", [])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "x.json").read_text() == "{}"


def test_the_committed_report_names_every_page_beside_it():
    results = ROOT / "docs" / "results"
    said = set(re.findall(r"^- \[.*\]\((.*)\)$", (results / "report.md").read_text(), re.MULTILINE))
    assert said == {page.name for page in results.glob("*.md")} - {"report.md"}
