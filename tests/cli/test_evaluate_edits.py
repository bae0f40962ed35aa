"""`simulacra evaluate RUN --direction` and `audit edits RUN`, as a person uses them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import simulacra as sim
from simulacra.cli.main import main
from simulacra.latent import directions
from simulacra.latent.directions import Direction
from simulacra.report.model_card_file import write_model_card
from simulacra.report.page import write_report
from simulacra.run import Run
from simulacra.tasks import attribute_predictor
from tests.pages import standing_alone

N = 1200


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pca of vectors that show their attributes, and a direction that moves `smile` and drags `age` along.

    Group 1 has lower values of `smile`, so that edits of it succeed less often.
    """
    folder = tmp_path_factory.mktemp("edits")
    rng = np.random.default_rng(0)
    group = rng.random(N) < 0.5
    smile, age = rng.normal(size=(2, N)) - [2.5 * group, 0 * group]
    x = np.stack([smile, age, smile + age, rng.normal(size=N), 0.1 * rng.normal(size=N)], axis=1)
    # no column of x shows the last attribute
    attributes = np.stack([smile, age, group, rng.normal(size=N)], axis=1)
    names = np.array(["smile", "age", "group", "luck"])
    np.savez(folder / "people.npz", x=x, attributes=attributes, attribute_names=names)
    model = sim.train("pca", f"npz:{folder / 'people.npz'}", folder / "run", latent_dim=4)
    zero, moved = torch.zeros(1, 5), torch.tensor([[2.0, 0.5, 2.5, 0, 0]])
    vector = (model.encode(moved).mean - model.encode(zero).mean)[0]
    details = {"attribute": "smile>0", "held_out_accuracy": {"value": 0.875, "n": 100}}
    directions.save(Run(folder / "run"), Direction("smile", "z", vector, "means", details))
    return folder


@pytest.fixture
def here(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made)
    monkeypatch.setattr(attribute_predictor, "STEPS", 600)
    return made


def test_measure_report_and_audit(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "run", "--direction", "smile", "--strength", "-2..2"]) == 0
    said = capsys.readouterr().out
    assert "strength" in said
    assert "accuracy of the direction on held-out examples: 0.875" in said
    assert "withheld: luck: predictions explain" in said
    (kept,) = (here / "run" / "attributes").iterdir()
    assert f"attributes as {kept.relative_to(here)} predicts them" in said
    # the predictor is trained once, and another strength changes nothing of it
    weights = (kept / "model.safetensors").read_bytes()
    assert main(["evaluate", "run", "--direction", "smile", "--strength", "-1,1", "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert (kept / "model.safetensors").read_bytes() == weights
    edit = numbers["edit"]
    assert edit["strengths"] == [-1, 1]
    assert set(edit["withheld"]) == {"luck", "group"} - set(edit["attributes"])
    age = edit["attributes"].index("age")
    # 0.5 against 2, in their own deviations
    sd = np.load(here / "people.npz")["attributes"].std(axis=0)
    assert edit["leakage"]["value"][age] == pytest.approx(0.25 * sd[0] / sd[1], rel=0.15)
    assert numbers["edit_success"] > 0.3
    assert numbers["edit_left_alone"] == 0

    # the report and the model card show the last evaluation
    run = Run(here / "run")
    page = standing_alone(write_report(run).read_text(encoding="utf-8"))
    assert {"edits", "leakage"} <= set(page.ids)
    assert "Edits along the direction 'smile'" in page.words
    card = write_model_card(run).read_text(encoding="utf-8")
    assert "attribute moves" in card
    assert f"attributes left alone | 0 | of {numbers['edit_others']}" in card

    assert main(["audit", "edits", "run", "--direction", "smile", "--group", "group"]) == 0
    found = json.loads((here / "run" / "audits" / "edits" / "findings.json").read_text(encoding="utf-8"))
    findings = {f["name"]: f for section in found["sections"] for f in section["findings"]}
    # group 1 starts further from a smile, but moves as far, up to the errors of the predictor
    assert findings["success.group"]["verdict"] == "finding"
    assert findings["success.group"]["number"] > 0.3
    assert findings["movement.group"]["number"] < 0.05
    standing_alone((here / "run" / "audits" / "edits" / "audit.html").read_text(encoding="utf-8"))
    gate = ["--fail-on", "success.group>0.05"]
    assert main(["audit", "edits", "run", "--direction", "smile", "--group", "group", *gate]) == 1
    assert "fail-on success.group>0.05: success.group is 0." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("evaluate run --direction smle", 1, "no direction 'smle'; did you mean 'smile'?"),
        ("evaluate run --direction smile --metrics nll", 2, "metrics: does not apply to a direction"),
        ("evaluate run --direction smile --strength much", 2, "strength: cannot read 'much'"),
        ("evaluate run --direction smile --strength 0", 2, "at least one besides 0"),
        ("evaluate run --direction smile --classifier run", 1, "a pca predicts no attributes with names"),
        ("evaluate run --direction smile --classifier none", 1, "no run here"),
        ("audit edits run --direction smile --group grup", 1, "unknown attribute 'grup'"),
        ("audit edits run --direction smile --group smile>0", 2, "is what the direction edits"),
        ("audit edits run --direction smile --group group --strength -1", 2, "strength: must be above 0"),
        ("audit edits run --direction smile", 2, "--group"),
    ],
)
def test_what_is_refused(
    words: str, code: int, says: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(here.rglob("*.json"))
    assert main(words.split()) == code
    assert says in capsys.readouterr().err
    assert sorted(here.rglob("*.json")) == before


def test_events_that_were_changed_by_hand_are_left_out(made: Path) -> None:
    from simulacra.report.edits import evaluated_edits

    run = Run(made / "run")
    kept = run.metrics.read_bytes()
    known = len(evaluated_edits(run))
    for edit in ("words", {"attributes": 3}, {"attributes": ["a"], "strengths": [1], "change": None}):
        run.log("evaluation", data="d", direction="wrong", examples=1, edit_different=0.0, edit=edit)
    assert len(evaluated_edits(run)) == known
    run.metrics.write_bytes(kept)


def test_columns_of_a_table_are_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    lines = [f"{rng.normal():.3f},{rng.normal():.3f},{'ab'[k % 2]}" for k in range(80)]
    Path("table.csv").write_text("\n".join(["height,width,kind", *lines]))
    monkeypatch.setattr(attribute_predictor, "STEPS", 5)
    for run, option, group in (("plain", "--drop", "width"), ("labelled", "--target", "class")):
        train = ["train", "pca", "--data", "csv:table.csv", option, "kind", "--latent-dim", "1", "--out", run]
        assert main(train) == 0
        assert main(["direction", run, "--attribute", "height>=0", "--name", "tall"]) == 0
        for words in (["evaluate", run], ["audit", "edits", run, "--group", group]):
            capsys.readouterr()
            assert main([*words, "--direction", "tall"]) in (1, 2)
            assert "edits of the columns of a table are not measured" in capsys.readouterr().err
