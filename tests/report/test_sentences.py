"""The cards of models that write sentences."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

import simulacra as sim
from simulacra.cli.main import main
from simulacra.report import sentences
from simulacra.report.material import gather
from simulacra.report.page import write_report
from simulacra.report.report_card import ReportCard
from simulacra.run import Run
from tests.pages import standing_alone

FEW = {"steps": 3, "width": 16, "embedding": 16}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("sentences") / "run"
    sim.train("sentence_autoencoder", "sentences:400", folder, latent_dim=3, **FEW)
    assert main(["direction", str(folder), "--attribute", "plural"]) == 0
    return Run(folder)


def cells(card: ReportCard | None) -> list[str]:
    assert card is not None
    return [unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", card.body)]


def test_each_sentence_beside_its_reconstruction(run: Run) -> None:
    m = gather(run)
    assert m.held is not None
    texts = m.model.texts(m.model.reconstruct(sim.load(run.path).spec.vocabulary.decode(m.held.x[:10])))
    found = cells(sentences.reconstructed_sentences(m))
    assert found[1::2] == texts
    assert found[0::2] == m.config.spec.vocabulary.decode(m.held.x[:10])


def test_walks_begin_and_end_at_the_reconstructions(run: Run) -> None:
    m = gather(run)
    assert m.held is not None
    found = cells(sentences.walks(m))
    again = cells(sentences.reconstructed_sentences(m))[1::2]
    assert len(found) == sentences.WALKS * sentences.STEPS
    assert [found[0], found[sentences.STEPS - 1]] == again[:2]


def test_edits_at_strength_0_are_the_reconstructions(run: Run) -> None:
    m = gather(run)
    card = sentences.edited_sentences(m)
    assert card is not None
    assert "plural: accuracy" in card.body
    found = cells(card)
    assert found[::3] == ["-2", "-1", "0", "+1", "+2"]
    assert found[7:9] == cells(sentences.reconstructed_sentences(m))[1:4:2]


def test_samples_and_the_grammar(tmp_path: Path) -> None:
    model = sim.train("language_model", "sentences:400", tmp_path / "run", **FEW)
    m = gather(Run(tmp_path / "run"))
    card = sentences.sampled_sentences(m)
    found = cells(card)
    assert found[::3] == model.texts(model.sample(sentences.SAMPLES))
    assert set(found[1::3]) <= set(model.spec.vocabulary.decode(m.data.train.x))
    assert all(0 < int(cell.rstrip("%")) <= 100 for cell in found[2::3])
    assert "16 draws from p(x); the grammar of sentences:400 derives 0 of them" in card.caption
    page = standing_alone(write_report(Run(tmp_path / "run")).read_text(encoding="utf-8"))
    assert "sentences of at most" in page.words
    assert "unknown tokens" in page.words
