"""`simulacra audit` from end to end: pages, findings.json, gates, runs, plain words."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import simulacra as sim
from simulacra.audit.shared.arguments import Shared
from simulacra.cli.audit import KINDS
from simulacra.cli.main import main
from simulacra.errors import RunError
from simulacra.report.model_card_file import write_model_card
from simulacra.run import Run
from tests.audit import compas
from tests.audit.conftest import COSTS
from tests.pages import standing_alone

DRUGS = ["audit", "fallacy", "--p-given", "0.09", "--base", "0.13", "--other", "0.08"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with tables, as the current one."""
    monkeypatch.chdir(tmp_path)
    head, *lines = compas.write(tmp_path / "people.csv").read_text().splitlines()
    lines = [f"{line},{i % 7}" for i, line in enumerate(lines)]
    (tmp_path / "train.csv").write_text("\n".join([f"{head},district", *lines]))
    (tmp_path / "costs.yaml").write_text(COSTS)
    (tmp_path / "graph.yaml").write_text("arrows: {sex: [y], p: [y]}")
    races = ["African-American", "Asian", "Caucasian", "Hispanic", "Native American", "Other"]
    (tmp_path / "rates.csv").write_text("race,people\n" + "".join(f"{race},10\n" for race in races))
    rows = [f"{i % 40 / 40},{int(i % 40 > i % 31)},{'fm'[i % 2]}" for i in range(2000)]
    (tmp_path / "wronged.csv").write_text("race,wronged,n\nA,805,1795\nB,349,1488\n")
    (tmp_path / "scores.csv").write_text("p,y,sex\n" + "\n".join(rows))
    return tmp_path


COMMANDS = {
    "fallacy": DRUGS[1:],
    "predictions": [
        "predictions", "people.csv", "--y", "recidivated", "--pred", "flagged", "--group", "race,sex",
        "--costs", "costs.yaml", "--train", "train.csv",
    ],
    "sampling": [
        "sampling", "people.csv", "--reference-rates", "rates.csv", "--selected", "flagged",
        "--y", "recidivated",
    ],
    "amplify": [
        "amplify", "train.csv", "people.csv", "--object", "flagged", "--group", "race", "--true-object",
        "recidivated", "--features", "dis*", "--rba", "calibrated.csv",
    ],
    "decide": ["decide", "scores.csv", "--score", "p", "--costs", "costs.yaml", "--y", "y", "--group", "sex"],
    "correlations": ["correlations", "scores.csv"],
    "causes": ["causes", "graph.yaml", "scores.csv", "--do", "p=0.5"],
    "feedback": ["feedback", "--preset", "oakland", "--seeds", "20", "--steps", "100"],
    "checklist": ["checklist", "--wronged", "wronged.csv", "--encounters", "10"],
}  # fmt: skip


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_kind_writes_a_page_and_findings(
    kind: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", *COMMANDS[kind]]) == 0
    printed = capsys.readouterr().out
    page = standing_alone((here / "audits" / kind / "audit.html").read_text(encoding="utf-8"))
    document = json.loads((here / "audits" / kind / "findings.json").read_text(encoding="utf-8"))
    assert document["kind"] == kind
    findings = [f for section in document["sections"] for f in section["findings"]]
    for f in findings:
        assert f["name"] in page.ids
        assert f["sentence"] in printed
        # the page writes a minus where the sentence has a hyphen
        assert f["does_not_show"].split("-")[0] in page.words
        assert f["plot"] is not None or f["verdict"] == "withheld"
    assert page.images
    # the calibrated table of amplify is there
    assert main(["audit", *COMMANDS[kind], "--out", "again", "--overwrite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == document
    for name in ("audit.html", "findings.json"):
        assert (here / "again" / name).read_bytes() == (here / "audits" / kind / name).read_bytes()


def test_every_kind_is_in_order() -> None:
    assert set(KINDS) >= set(COMMANDS)
    for module, summary in KINDS.values():
        kind = import_module(f"simulacra.audit.{module}.command")
        assert issubclass(kind.Arguments, Shared)
        assert summary.endswith("?")


def test_formulas_and_tags_are_text(here: Path) -> None:
    names = ["=HYPERLINK(1)", "<script>alert(1)</script>", "$x_{$"]
    rows = [f"{names[i % 3]},{i % 2},{(i * 7) % 5},{'fm'[i % 2]}" for i in range(600)]
    (here / "evil.csv").write_text("g,flag,=1+1,sex\n" + "\n".join(rows))
    amplify = ["amplify", "evil.csv", "evil.csv", "--object", "flag", "--group", "g", "--rba", "out.csv"]
    predictions = ["predictions", "evil.csv", "--y", "=1+1>=2", "--pred", "flag", "--group", "g,sex"]
    for command in (amplify, predictions, ["correlations", "evil.csv"]):
        assert main(["audit", *command]) == 0
        page = (here / "audits" / command[0] / "audit.html").read_text(encoding="utf-8")
        standing_alone(page)
        assert "<script>alert" not in page
    head, *cells = (here / "out.csv").read_text().splitlines()
    assert head == "g,flag,'=1+1,sex"
    assert {line.split(",")[0] for line in cells} == {f"'{names[0]}", *names[1:]}
    # what was written is read as what it was
    again = ["predictions", "out.csv", *predictions[2:], "--out", "again"]
    assert main(["audit", *again]) == 0
    assert "'=HYPERLINK" not in (here / "again" / "audit.html").read_text(encoding="utf-8")


def test_what_needs_no_extra_runs_without(here: Path) -> None:
    """Three numbers and a cost matrix need no pandas, networkx, pydantic or statsmodels."""
    table = ["fallacy", "scores.csv", "--a", "y", "--b", "sex=f", "--out", "fallacy"]
    commands = [
        COMMANDS["fallacy"],
        table,
        COMMANDS["decide"],
        ["feedback", "--preset", "urn", "--seeds", "20"],
    ]
    script = f"""
import sys
for name in ("pandas", "networkx", "pydantic", "statsmodels"):
    sys.modules[name] = None
from simulacra.cli.main import main
codes = [main(["audit", *command]) for command in {commands}]
codes.append(main(["audit", "correlations", "scores.csv"]))
print(codes, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    *_, said, codes = done.stderr.splitlines()
    assert codes == "[0, 0, 0, 0, 2]", done.stderr
    assert (
        said
        == "simulacra: audit correlations: needs pandas, networkx, pydantic: pip install simulacra[audit]"
    )
    without = (here / "audits" / "decide" / "findings.json").read_bytes()
    assert main(["audit", *COMMANDS["decide"], "--overwrite"]) == 0
    assert (here / "audits" / "decide" / "findings.json").read_bytes() == without


def test_gates(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["audit", "predictions", "people.csv", "--y", "recidivated", "--pred", "flagged"]
    command += ["--group", "race", "--overwrite"]
    assert (
        main([*command, "--fail-on", "false-positive-rate.race:ratio>1.25", "--fail-on", "flagged.race>0.9"])
        == 1
    )
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert err.startswith(
        "simulacra: fail-on false-positive-rate.race:ratio>1.25: false-positive-rate.race:ratio is 3.0"
    )
    # what was found is there all the same
    assert "audits/predictions/audit.html" in out
    document = json.loads((here / "audits" / "predictions" / "findings.json").read_text())
    assert [(gate["gate"], gate["passed"]) for gate in document["gates"]] == [
        ("false-positive-rate.race:ratio>1.25", False), ("flagged.race>0.9", True),
    ]  # fmt: skip
    assert main([*command, "--fail-on", "flagged.race>0.9", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["gates"][0]["passed"] is True
    assert main([*command, "--fail-on", "false-positive-rates.race"]) == 2
    assert "did you mean 'false-positive-rate.race'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("audit", 2, ""),
        ("audit falacy", 2, "unknown kind of audit 'falacy', did you mean 'fallacy'?"),
        ("audit fallacy", 2, "give --p-given"),
        ("audit fallacy --p-given 0.1 --base 0.2 --other 0.3 --fail-on a=b", 2, "is not a gate"),
        ("audit fallacy --p-given 0.1 --base 0.2 --other 0.3 --out people.csv", 2, "is a file; give"),
        ("audit fallacy --p-given 0.1 --base 0.2 --other 0.3 --run none", 1, "no run here"),
        ("audit predictions none.csv --y y --pred p --group g", 1, "none.csv: there is no such file"),
        ("audit predictions people.csv --y y --pred p --group g", 1, "there is no column 'y'"),
        ("audit amplify train.csv people.csv --object flag --group sex", 1, "did you mean 'flagged'?"),
        ("audit amplify train.csv people.csv --object sex --group race --score A=p", 2, "write with --rba"),
        ("audit sampling people.csv --reference-rates scores.csv", 1, "columns 'p' and 'y' could all be"),
        ("audit decide scores.csv --score sex --costs costs.yaml", 1, "'f' is not a number"),
        ("audit correlations scores.csv --holdout 2", 2, "a share of the rows"),
        ("audit correlations scores.csv --columns p,sex", 1, "column 'sex' holds 'f', which is not a number"),
        ("audit causes graph.yaml people.csv", 1, "'p' is not a column of the table"),
        ("audit causes graph.yaml scores.csv --do p=7", 2, "lies between 0 and 0.975"),
        ("audit feedback --preset poverty --rates 1 2", 2, "belong to the presets urn and oakland"),
        ("audit generator none --attribute race", 1, "no run here"),
        ("audit checklist --sign Ada", 2, "no answer has a name yet"),
        ("audit checklist --wronged people.csv", 1, "needs either a column 'rate'"),
        ("audit checklist none", 1, "no run here"),
    ],
)  # fmt: skip
def test_plain_words(
    words: str, code: int, said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == code
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") <= 1
    assert not (here / "audits").exists()


def test_of_a_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run("run")
    sim.train("pca", "digits", run.path, latent_dim=2)
    assert "None yet" in write_model_card(run).read_text()
    assert main([*DRUGS, "--a", "drugs", "--b", "the group", "--run", "run"]) == 0
    assert (run.path / "audits" / "fallacy" / "audit.html").is_file()
    card = (run.path / "MODEL_CARD.md").read_text()
    assert "None yet" not in card
    assert "### Which way round: drugs and the group" in card
    assert "- **stated**: Stop all 1,300 in the group, and 1,183 of them" in card
    assert "[audits/fallacy/audit.html](audits/fallacy/audit.html)" in card
    # 'simulacra report' keeps it
    assert write_model_card(run).read_text() == card
    assert main([*DRUGS, "--run", "run", "--out", "other"]) == 2
    assert "leave --out out" in capsys.readouterr().err
    (run.path / "audits" / "fallacy" / "findings.json").write_text("{}")
    with pytest.raises(RunError, match="run the audit again"):
        write_model_card(run)
