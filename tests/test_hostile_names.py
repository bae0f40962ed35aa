"""Hostile names of columns, words, classes, files and runs: tags, formulas, escapes, endless, right to left.

Whatever is written is parsed back, and whatever is printed can be shown.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulacra.cli.main import main
from tests.audit.conftest import COSTS
from tests.pages import standing_alone

NAMES = (
    "<script>alert(1)<\\script>",
    '"><img src=x onerror=alert(1)>',
    "=HYPERLINK(1)",
    "\x1b[31mred\x1b[0m",
    "\u202egnp.exe",
    "\u05e2\u05d1\u05e8\u05d9\u05ea",
    "a|b`c*d[e](f)",
    "{{ 7 * 7 }}${7*7}",
    "```",
    "$x_{$",
)
LONG = "y" * 10_000
# letters of a line of a table, and of a sentence, on a terminal
TABLE, SENTENCE = 300, 1500


def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0, widest: int = SENTENCE) -> str:
    """What a command prints, all of which a terminal can show."""
    assert main(list(words)) == code, words
    out, err = capsys.readouterr()
    for line in (out + err).splitlines():
        # U+200D joins the parts of an emoji
        assert line.replace("\u200d", "").isprintable(), (words, line[:300])
        assert "--json" in words or len(line) <= widest, (words, len(line), line[:300])
    return out + (err if code else "")


def rows(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def escaped(name: str) -> str:
    """As a CSV has it: no spreadsheet takes it for a formula."""
    return f"'{name}" if name[0] in "=+-@" else name


def check_run(folder: Path, names: Sequence[str]) -> None:
    """The page stands alone, the card has no tags and whole tables, and both have the names."""
    page = standing_alone((folder / "report.html").read_text(encoding="utf-8"))
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "\x1b" not in card
    assert "\u202e" not in card
    # code is closed, and outside of it there are no tags
    inside, prose = "", []
    for line in card.splitlines():
        fence = re.match("`{3,}", line)
        if fence and not inside:
            inside = fence[0]
        elif line == inside:
            inside = ""
        elif not inside:
            prose.append(re.sub(r"(?<!\\)(`+).*?(?<!`)\1(?!`)", "", line))
    assert not [line for line in prose if re.search("<[a-z]", line)]
    assert [line[3:] for line in prose if line.startswith("## ")] == [
        "What it was trained on", "How it was trained", "Metrics", "Limits", "Audit findings",
        "How to load it",
    ]  # fmt: skip
    # every row of a table has as many cells as the one before
    tables = re.findall(r"(?:^\|.*\n?)+", card, re.MULTILINE)
    assert tables
    for block in tables:
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1, block
    for name in names:
        if name.isprintable() and name.isalnum():
            assert name in page.words
            assert name in card


def check_audit(folder: Path, names: Sequence[str]) -> None:
    """The page stands alone and has the names; its findings are of this kind."""
    page = standing_alone((folder / "audit.html").read_text(encoding="utf-8"))
    document = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    assert page.images
    assert document["sections"]
    assert [name for name in names if name not in page.words] == []


def test_columns_words_and_a_run_of_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    columns = [*NAMES[:6], LONG]
    words = [*NAMES, LONG]
    with Path("t.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*columns, "word", "class"])
        for i in range(400):
            numbers = rng.normal(size=len(columns)).round(2).tolist()
            writer.writerow([*numbers, words[rng.integers(len(words))], words[i % len(words)]])
    run(capsys, "data", "check", "csv:t.csv", "--target", "class", widest=TABLE)
    few = ["--steps", "5", "--hidden", "8"]
    models = {"vae": [*few, "--latent-dim", "2"], "classifier": [*few, "--target", "class"]}
    for k, (model, settings) in enumerate(models.items()):
        folder = f"runs/{NAMES[k]}"
        run(capsys, "train", model, "--data", "csv:t.csv", *settings, "--out", folder)
        run(capsys, "evaluate", folder, widest=TABLE)
        json.loads(run(capsys, "evaluate", folder, "--json"))
        run(capsys, "report", folder)
        check_run(Path(folder), columns if model == "vae" else words)
    run(capsys, "sample", f"runs/{NAMES[0]}", "-n", "50", "--out", "s.csv")
    head, *body = rows(Path("s.csv"))
    assert head == [*map(escaped, columns), "word", "class"]
    assert {row[-1] for row in body} <= {*map(escaped, words)}
    run(capsys, "predict", f"runs/{NAMES[1]}", "--data", "csv:t.csv", "--out", "p.csv")
    head, *body = rows(Path("p.csv"))
    assert len(body) == 400
    assert {len(row) for row in body} == {len(head)}
    assert {row[head.index("class_true")] for row in body} == {*map(escaped, words)}
    both = [f"runs/{NAMES[0]}", f"runs/{NAMES[3]}{'r' * 150}"]
    run(capsys, "train", "pca", "--data", "csv:t.csv", "--latent-dim", "2", "--out", both[1])
    few = ["--metrics", "reconstruction", "--examples", "8"]
    assert "..." in run(capsys, "compare", *both, *few, widest=TABLE)
    assert set(json.loads(run(capsys, "compare", *both, *few, "--json"))["models"]) == set(both)
    # the path of a run is whole, to be copied
    assert f"{'r' * 150}  finished" in run(capsys, "runs", widest=TABLE)
    assert {one["path"] for one in json.loads(run(capsys, "runs", "--json"))["runs"]} >= set(both)
    run(capsys, "runs", "check", both[0])


def test_sentences_and_a_run_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    emoji = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    words = [*NAMES, LONG]
    lines = [f"{NAMES[5]} {words[i % len(words)]} is {i % 7} {emoji} {NAMES[0]}" for i in range(400)]
    Path("t.txt").write_text("\n".join(lines), encoding="utf-8")
    run(capsys, "data", "check", "text:t.txt", widest=TABLE)
    few = ["--steps", "5", "--width", "8", "--latent-dim", "2"]
    folder = f"runs/{NAMES[0]}"
    run(capsys, "train", "sentence_vae", "--data", "text:t.txt", *few, "--out", folder)
    run(capsys, "direction", folder, "--unlabelled", "pca", "--components", "1", "--name", NAMES[6])
    run(capsys, "report", folder)
    check_run(Path(folder), ())
    page = standing_alone((Path(folder) / "report.html").read_text(encoding="utf-8"))
    # held-out sentences are shown as they are, but for what no page shows
    assert NAMES[5] in page.words
    assert emoji in page.words
    assert NAMES[0].replace("\\", "") in page.words.replace("\\", "")
    assert "\x1b" not in page.words
    assert "\u202e" not in page.words
    for verb in ("reconstruct", "edit"):
        one = ["--direction", f"{NAMES[6]}-1"] if verb == "edit" else []
        run(capsys, verb, folder, "--texts", *NAMES, *one)
        run(capsys, verb, folder, "--texts", *NAMES, *one, "--out", f"{verb}.txt")
    assert NAMES[3] in Path("edit.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [NAMES[0], f"{NAMES[3]}{NAMES[4]}", LONG, "z " * 5000])
def test_names_in_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with Path("t.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["a", name, "y"], *([i, "word", i % 2] for i in range(40))])
    Path("costs.yaml").write_text(json.dumps({"actions": {name: {"a": 0}}}), encoding="utf-8")
    wrong = {
        2: [
            [name], [f"--{name}"], ["train", name, "--data", "digits"], ["train", "vae", f"--{name}", "1"],
            ["train", "vae", "--data", "digits", "--latent-dim", name], ["recipe", name], ["data", name],
            ["audit", name], ["audit", "fallacy", "--p-given", name], ["audit", "feedback", "--preset", name],
            ["audit", "feedback", "--preset", "urn", "--fail-on", name],
        ],
        1: [
            ["train", "vae", "--data", name], ["train", "vae", "--data", f"csv:{name}"],
            ["train", "classifier", "--data", "csv:t.csv", "--target", f"{name}x", "--steps", "1"],
            ["train", "regressor", "--data", "csv:t.csv", "--target", name, "--steps", "1"],
            ["train", "vae", "--data", "csv:t.csv", "--drop", f"{name}x"],
            ["audit", "fallacy", "t.csv", "--a", name, "--b", "y"], ["evaluate", name], ["runs", name],
            ["runs", "check", name], ["compare", name, f"{name}x"],
            ["audit", "generator", name, "--attribute", name], ["audit", "correlations", name],
            ["audit", "predictions", "t.csv", "--y", "y", "--pred", f"{name}x", "--group", "a"],
            ["audit", "decide", "t.csv", "--score", name, "--costs", "costs.yaml"],
        ],
    }  # fmt: skip
    for code, words in [(code, words) for code, commands in wrong.items() for words in commands]:
        assert main(list(words)) == code, words
        out, err = capsys.readouterr()
        assert out == ""
        assert 1 <= err.count("\n") <= 3, (words, err[:500])
        for line in err.splitlines():
            assert line.isprintable(), (words, line[:300])
            assert len(line) <= SENTENCE, (words, len(line))


@pytest.mark.skipif(sys.platform == "win32", reason="no such names of files")
def test_files_classes_and_runs_of_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    names = [*NAMES, "z" * 200]
    for name in names:
        Path("pictures", name).mkdir(parents=True)
        for file in (*names[:6], "one", "two"):
            picture = rng.integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(picture).save(Path("pictures", name, f"{file}.png"))
    source = "folder:pictures"
    run(capsys, "data", "check", source)
    run(capsys, "data", "preview", source, "--out", f"{NAMES[3]}.png")
    for model, settings in {"classifier": [], "conditional_gan": ["--net", "mlp"]}.items():
        folder = f"runs/{model}{NAMES[3]}{NAMES[0]}{NAMES[8]}"
        run(capsys, "train", model, "--data", source, "--steps", "3", *settings, "--out", folder)
        run(capsys, "evaluate", folder)
        run(capsys, "report", folder)
        check_run(Path(folder), names)
        if model == "classifier":
            run(capsys, "predict", folder, "pictures", "--out", "p.csv")
            head, *body = rows(Path("p.csv"))
            assert len(body) == 8 * len(names)
            assert {len(row) for row in body} == {len(head)}
            run(
                capsys,
                "attack",
                folder,
                "--method",
                "fgsm",
                "-n",
                "4",
                "--target",
                NAMES[3],
                "--out",
                "a.png",
            )
        else:
            words = [
                "audit",
                "generator",
                folder,
                "--attribute",
                "class",
                "--samples",
                "100",
                "--minimum-n",
                "2",
            ]
            run(capsys, *words)
            check_audit(Path(folder, "audits", "generator"), names)
            run(capsys, "sample", folder, "--class", NAMES[3], "-n", "4", "--out", "s")
            run(capsys, "sample", folder, "--class", f"{NAMES[3]}x", "--out", "t", code=2)
            words = ["project", folder, str(Path("pictures", NAMES[3])), "--class", NAMES[3]]
            run(capsys, *words, "--steps", "1", "--out", f"p{NAMES[3]}")
            run(
                capsys, "interpolate", folder, "--projected", f"p{NAMES[3]}", "--steps", "2", "--out", "i.png"
            )
    Path("pictures", f"{NAMES[3]}.png").write_bytes(b"no picture")
    run(capsys, "data", "check", source, code=1)


def test_groups_and_columns_of_audits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    groups = [*NAMES, LONG]
    score, group, flag = NAMES[0], NAMES[3], NAMES[4]
    with Path("t.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([group, flag, "y", score])
        for i in range(1200):
            writer.writerow([groups[i % len(groups)], i % 2, (i * 7) % 5 // 3, i % 40 / 40])
    Path("costs.yaml").write_text(COSTS, encoding="utf-8")
    with Path("rates.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([[group, "people"], *([name, 10] for name in groups)])
    with Path("wronged.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([[group, "wronged", "n"], *([name, 20, 100] for name in groups)])
    Path("graph.yaml").write_text(json.dumps({"arrows": {group: ["y"], flag: ["y"]}}), encoding="utf-8")
    commands = {
        "predictions": ["t.csv", "--y", "y", "--pred", flag, "--group", group],
        "sampling": ["t.csv", "--reference-rates", "rates.csv", "--selected", flag, "--y", "y"],
        "amplify": ["t.csv", "t.csv", "--object", flag, "--group", group, "--rba", "rba.csv"],
        "decide": ["t.csv", "--score", score, "--costs", "costs.yaml", "--y", "y", "--group", group],
        "correlations": ["t.csv"],
        "causes": ["graph.yaml", "t.csv", "--do", f"{flag}=1"],
        "checklist": ["--wronged", "wronged.csv", "--encounters", "10"],
        "feedback": ["--preset", "urn", "--seeds", "20", "--steps", "20"],
    }
    # those that list every group
    listing = ("predictions", "sampling", "decide", "checklist")
    for kind, words in commands.items():
        assert run(capsys, "audit", kind, *words)
        check_audit(Path("audits", kind), groups if kind in listing else [])
    for k, name in enumerate(groups):
        words = ["fallacy", "t.csv", "--a", flag, "--b", f"{group}={name}", "--out", f"fallacy/{k}"]
        run(capsys, "audit", *words)
        check_audit(Path("fallacy", str(k)), [name])
    few = ["--p-given", "0.09", "--base", "0.13", "--other", "0.08"]
    run(capsys, "audit", "fallacy", *few, "--a", NAMES[3], "--b", NAMES[4], "--out", f"{NAMES[3]}{NAMES[0]}")
    run(
        capsys, "audit", "feedback", "--preset", "poverty", "--seeds", "20", "--steps", "2", "--out", NAMES[4]
    )
    head, *body = rows(Path("rba.csv"))
    assert head == [group, flag, "y", escaped(score)]
    assert {row[0] for row in body} <= {*map(escaped, groups)}
