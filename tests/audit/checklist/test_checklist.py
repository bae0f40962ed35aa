"""`checklist`: answers are people's own, hold for what they were signed for, and are never added up."""

import json
from datetime import date
from pathlib import Path

import pytest

import simulacra as sim
from simulacra.audit.checklist import answers as kept
from simulacra.audit.checklist.command import Arguments, audit
from simulacra.audit.checklist.questions import KINDS as ASKED
from simulacra.audit.checklist.questions import QUESTIONS, template
from simulacra.audit.shared.findings import Audit, Finding
from simulacra.cli.audit import KINDS
from simulacra.cli.main import main
from simulacra.errors import ConfigError, DataError, RunError

TODAY = date.today().isoformat()
NAMES = [question.name for question in QUESTIONS]


def named(made: Audit) -> dict[str, Finding]:
    return {f.name: f for f in made.findings()}


def write(folder: Path, **answers: str) -> Path:
    """An answers.yaml in which some questions are answered, `answer | signed | date | rests on`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = template()
    for name, told in answers.items():
        parts = [part.strip() for part in told.split("|")] + ["", "", ""]
        start = text.index("  answer:", text.index(f"\n{name}:"))
        end = text.index("rests_on: []", start) + len("rests_on: []")
        answer, signed, day, rests_on = parts[:4]
        body = f"  answer: {answer}\n  signed: {signed}\n  date: {day}\n  rests_on: [{rests_on}]"
        text = text[:start] + body + text[end:]
    path = folder / "answers.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    sim.train("pca", "digits", path, latent_dim=2)
    return path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A run of its own, with another audit."""
    path = tmp_path / "run"
    path.mkdir()
    for name in ("config.yaml", "model.safetensors"):
        (path / name).write_bytes((trained / name).read_bytes())
    numbers = ["--p-given", "0.09", "--base", "0.13", "--other", "0.08"]
    assert main(["audit", "fallacy", *numbers, "--run", str(path)]) == 0
    return path


def signed(run: Path, **answers: str) -> Path:
    """Answers that are written and signed, and their folder."""
    folder = run / "audits" / "checklist"
    write(folder, **answers)
    audit(Arguments(run=run, sign="Ada"))
    return folder


# --- questions


def test_the_first_time_it_asks(tmp_path: Path) -> None:
    made = audit(Arguments(out=tmp_path))
    assert (tmp_path / "answers.yaml").read_text(encoding="utf-8") == template()
    found = named(made)
    assert list(found) == [*NAMES, "open"]
    for question in QUESTIONS:
        assert found[question.name].verdict == "withheld"
        assert found[question.name].sentence == f"{question.text} Unanswered."
        assert question.text in template()
    assert found["open"].number is not None
    assert found["open"].number.value == 8
    assert [s.about for s in made.sections] == ["data", *["predictions"] * 2, *["actions"] * 6]
    assert not (tmp_path / "signatures.json").exists()


def test_the_template_is_empty(tmp_path: Path) -> None:
    answers = kept.read(write(tmp_path))
    assert list(answers) == NAMES
    assert set(answers.values()) == {kept.Answer()}


def test_answers_may_rest_on_every_kind() -> None:
    assert set(KINDS) <= ASKED
    for question in QUESTIONS:
        assert len(set(question.audits)) == len(question.audits)


def test_there_is_no_score(run: Path) -> None:
    """Whatever is answered, no number says how good the answers are, and none is higher for more of them."""
    signed(run, **{name: f"Yes {i} | Ada | {TODAY}" for i, name in enumerate(NAMES)})
    found = named(audit(Arguments(run=run)))
    assert [found[name].verdict for name in NAMES] == ["stated"] * 8
    assert found["open"].verdict == "stated"
    for f in found.values():
        assert f.number is not None
        assert (f.number.value, f.number.low) == (0, None)
        assert all(e.value == 0 for e in f.more.values())
        undated = f.sentence.replace(TODAY, "")
        assert not any(word in undated for word in ("8", "100", "%", "score", "passed"))


# --- signatures


def test_words_are_kept(run: Path) -> None:
    folder = run / "audits" / "checklist"
    path = write(folder, action="'Because -- of  No' | Ada | 2026-01-31")
    text = path.read_text(encoding="utf-8").replace("\n", "\r\n").replace("Because", "Weil \u00f6 \U0001f600")
    path.write_bytes(text.encode())
    before = path.read_bytes()
    audit(Arguments(run=run, sign="Ada"))
    assert main(["audit", "checklist", str(run)]) == 0
    assert path.read_bytes() == before
    sentence = named(audit(Arguments(run=run)))["action"].sentence
    assert sentence.endswith("\u201cWeil \u00f6 \U0001f600 -- of No\u201d Ada, 2026-01-31.")


def test_unsigned(run: Path) -> None:
    folder = run / "audits" / "checklist"
    write(folder, action="Yes", costs="Us | Ada", direction=f"Both | Ada | {TODAY}", causes=f"No || {TODAY}")
    found = named(audit(Arguments(run=run)))
    for name, why in (
        ("action", "no name; no date"),
        ("costs", "no date"),
        ("direction", "not bound yet: run it with --sign 'Ada'"),
        ("causes", "no name"),
    ):
        assert found[name].verdict == "withheld"
        assert f"Not signed ({why})" in found[name].sentence
    assert {key: e.value for key, e in found["open"].more.items()} == {
        "unanswered": 4, "unsigned": 4, "stale": 0,
    }  # fmt: skip
    with pytest.raises(DataError, match="'costs' has no date"):
        audit(Arguments(run=run, sign="Ada"))
    write(folder, action="Yes", direction=f"Both | Ada | {TODAY}", others=f"No | Bo | {TODAY}")
    # a name is signed by whoever has it, and nobody else
    found = named(audit(Arguments(run=run, sign="Ada")))
    assert [found[name].verdict for name in ("action", "direction", "others")] == [
        "withheld", "stated", "withheld",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("Both", "both"), "the answer, its name, its date or what it rests on has changed"),
        (("signed: Ada", "signed: Bo"), "its name"),
        ((f"date: {TODAY}", "date: 2020-01-01"), "its date"),
        (("[fallacy/reversed, ../notes.txt]", "[fallacy/reversed]"), "what it rests on has changed"),
    ],
)
def test_changed_words_are_stale(run: Path, change: tuple[str, str], why: str) -> None:
    (run / "audits").mkdir(exist_ok=True)
    (run / "audits" / "notes.txt").write_text("Notes.")
    folder = signed(run, direction=f"Both | Ada | {TODAY} | fallacy/reversed, ../notes.txt")
    assert named(audit(Arguments(run=run)))["direction"].verdict == "stated"
    path = folder / "answers.yaml"
    assert change[0] in path.read_text()
    path.write_text(path.read_text().replace(*change))
    f = named(audit(Arguments(run=run)))["direction"]
    assert f.verdict == "withheld"
    assert "Signature out of date" in f.sentence
    assert why in f.sentence


def test_other_weights_data_and_evidence_are_stale(run: Path) -> None:
    (run / "audits" / "notes.txt").write_text("Notes.")
    folder = signed(run, direction=f"Both | Ada | {TODAY} | fallacy/reversed, ../notes.txt")
    weights, config = run / "model.safetensors", run / "config.yaml"
    findings = run / "audits" / "fallacy" / "findings.json"
    for path, change, why in (
        (weights, lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]), "the weights have changed"),
        (config, lambda raw: raw.replace(b"source: digits", b"source: faces"), "the data have changed"),
        (findings, lambda raw: raw.replace(b"9 have A", b"8 have A"), "fallacy/reversed has changed"),
        (run / "audits" / "notes.txt", lambda raw: raw + b"x", "../notes.txt has changed"),
        (run / "audits" / "notes.txt", None, "../notes.txt is gone"),
        (findings, None, "fallacy/reversed is gone"),
    ):
        before = path.read_bytes()
        if change is None:
            path.unlink()
        else:
            assert change(before) != before
            path.write_bytes(change(before))
        found = named(audit(Arguments(run=run)))
        assert found["direction"].verdict == "withheld"
        assert f"({why})" in found["direction"].sentence
        assert found["open"].more["stale"].value == 1
        path.write_bytes(before)
    assert named(audit(Arguments(run=run)))["direction"].verdict == "stated"
    # how it was trained is no part of it
    config.write_text(config.read_text().replace("batch_size: ", "batch_size: 1"))
    assert named(audit(Arguments(run=run)))["direction"].verdict == "stated"
    assert (folder / "signatures.json").is_file()


def test_nobody_signs_again_without_looking(run: Path) -> None:
    folder = signed(run, direction="Both | Ada | 2026-01-31")
    signatures = (folder / "signatures.json").read_bytes()
    audit(Arguments(run=run, sign="Ada"))
    assert (folder / "signatures.json").read_bytes() == signatures
    weights = run / "model.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    with pytest.raises(DataError, match="signed on 2026-01-31 for something else; read it again, and write"):
        audit(Arguments(run=run, sign="Ada"))
    path = folder / "answers.yaml"
    path.write_text(path.read_text().replace("2026-01-31", TODAY, 2))
    assert named(audit(Arguments(run=run, sign="Ada")))["direction"].verdict == "stated"


def test_evidence_is_linked(run: Path) -> None:
    signed(run, direction=f"Both | Ada | {TODAY} | fallacy/reversed")
    assert main(["audit", "checklist", str(run)]) == 0
    folder = run / "audits"
    sentence = json.loads((folder / "fallacy" / "findings.json").read_text())["sections"][0]["findings"][0]
    page = (folder / "checklist" / "audit.html").read_text(encoding="utf-8")
    assert '<a href="../fallacy/audit.html#reversed">fallacy/reversed</a>: ' + sentence["sentence"] in page
    document = json.loads((folder / "checklist" / "findings.json").read_text())
    (f,) = [f for s in document["sections"] for f in s["findings"] if f["name"] == "direction"]
    assert f["rests_on"] == [
        {
            "name": "fallacy/reversed",
            "sentence": sentence["sentence"],
            "href": "../fallacy/audit.html#reversed",
        }
    ]
    assert f["number"] == 1
    card = (run / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Is the direction of every conditional stated? \u201cBoth\u201d Ada, " in card


def test_gates(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    signed(run, direction=f"Both | Ada | {TODAY}")
    for gate, code in (
        ("direction", 0), ("direction<1", 1), ("action", 1), ("open", 1), ("open>6", 1), ("open>7", 0),
        ("open:stale>0", 0),
    ):  # fmt: skip
        assert main(["audit", "checklist", str(run), "--fail-on", gate]) == code, gate
    # the name of a person who is called No is no boolean, and years are no dates
    write(run / "audits" / "checklist", **dict.fromkeys(NAMES, f"yes | No | {TODAY}"))
    assert main(["audit", "checklist", str(run), "--sign", "No", "--fail-on", "open"]) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("amplifed:\n  answer: No", "line 1: unknown key 'amplifed', did you mean 'amplified'?"),
        ("action:\n  answr: No", "line 2: action: unknown key 'answr', did you mean 'answer'?"),
        ("action: {answer: a}\naction: {answer: b}", "line 2: 'action' occurs twice"),
        ("action: No", "line 1: action: must look like action: {answer:"),
        ("- action", "line 1: must look like action: {answer:"),
        ("action:\n  answer: [a, b]", "line 2: action.answer: must be text"),
        ("action:\n  answer: {a: b}", "action.answer: must be text"),
        ("action:\n  answer: so: it is", "line 2: is not YAML"),
        ("action:\n  answer:\n  signed: Ada", "line 1: action: signed by Ada, but has no answer"),
        ("action:\n  answer: a\n  date: 2999-01-01", "2999-01-01 is in the future"),
        ("action:\n  answer: a\n  date: 31.1.2026", "'31.1.2026' is not a date; write it as"),
        ("action:\n  answer: a\n  date: 2026-02-30", "'2026-02-30' is not a date"),
        ("action:\n  answer: a\n  rests_on: [no.txt]", "'no.txt' is not there; name a finding as KIND/NAME"),
        ("action:\n  answer: a\n  rests_on: [a.b, a.b]", "names something twice"),
        ("action:\n  answer: a\n  rests_on: decide/cost", "run 'simulacra audit decide' first"),
        ("action:\n  answer: a\n  rests_on: fallacy/reverse", "did you mean 'reversed'?"),
        ("action:\n  answer: a\n  rests_on: checklist/wronged.race", "no such finding; give --wronged"),
    ],
)
def test_bad_answers(text: str, said: str, run: Path) -> None:
    folder = run / "audits" / "checklist"
    folder.mkdir(parents=True)
    (folder / "answers.yaml").write_text(text)
    with pytest.raises(DataError) as raised:
        audit(Arguments(run=run))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert (folder / "answers.yaml").read_text() == text


def test_other_faults(run: Path, tmp_path: Path) -> None:
    folder = run / "audits" / "checklist"
    with pytest.raises(ConfigError, match="no answer has a name yet"):
        audit(Arguments(run=run, sign="Ada"))
    assert not folder.exists()
    write(folder, action=f"Yes | Ada | {TODAY}")
    with pytest.raises(ConfigError, match="did you mean 'Ada'"):
        audit(Arguments(run=run, sign="Adda"))
    for raw in (b"\xff\xfe", b"action:\n  answer: \x00"):
        (folder / "answers.yaml").write_bytes(raw)
        with pytest.raises(DataError, match=r"answers\.yaml"):
            audit(Arguments(run=run))
    write(folder)
    for broken in ("{", "[]", '{"action": 3}', '{"action": {"words": "x"}}'):
        (folder / "signatures.json").write_text(broken)
        with pytest.raises(DataError, match="have the answers signed again"):
            audit(Arguments(run=run))
    (run / "model.safetensors").unlink()
    with pytest.raises(RunError, match="no weights yet"):
        audit(Arguments(run=run))
    with pytest.raises(ConfigError, match="belong to the table"):
        audit(Arguments(out=tmp_path, encounters=3))
    with pytest.raises(ConfigError, match="encounters: must be 1"):
        audit(Arguments(out=tmp_path, encounters=0))


def test_a_later_version_may_ask_more(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = signed(run, direction=f"Both | Ada | {TODAY}")
    # questions that the file lacks are unanswered, and those that read otherwise have to be signed again
    text = (folder / "answers.yaml").read_text()
    cut = text[text.index("\ndirection:") : text.index("\naction:")]
    (folder / "answers.yaml").write_text(cut)
    found = named(audit(Arguments(run=run)))
    assert found["direction"].verdict == "stated"
    assert "Unanswered" in found["action"].sentence
    signatures = json.loads((folder / "signatures.json").read_text())
    signatures["direction"]["question"] = "0" * 64
    (folder / "signatures.json").write_text(json.dumps(signatures))
    assert "the question has changed" in named(audit(Arguments(run=run)))["direction"].sentence


def test_the_run_is_the_same(run: Path) -> None:
    """Where a run is stored is no part of what was signed."""
    signed(run, direction=f"Both | Ada | {TODAY} | fallacy/reversed")
    moved = run.rename(run.parent / "moved")
    assert named(audit(Arguments(run=moved)))["direction"].verdict == "stated"
    assert set(kept.subject(moved)) == {"weights", "data"}
