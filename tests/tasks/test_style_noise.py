"""The deviation over draws of noise: known strengths, layers alone, and no noise at all."""

from __future__ import annotations

import pytest
import torch

from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError
from simulacra.models.registry import MODELS, build
from simulacra.tasks.style_noise import deviation, figure
from tests.tasks.rows import Config, Rows

SPEC = DataSpec("image", (1, 8, 8))


def test_the_deviation_is_the_strength_of_the_noise() -> None:
    sigma = deviation(Rows(SPEC, Config()), [1, 2], draws=2000)
    assert sigma.shape == (2, 8, 8)
    # the standard error is B / sqrt(2 draws) of each pixel
    expected = torch.tensor([0.0, 0.01, 0.02, 0.0]).repeat_interleave(2)[:, None].expand(2, 8, 8)
    torch.testing.assert_close(sigma, expected, atol=0.0014, rtol=0)
    assert (sigma[:, :2] == 0).all()
    assert (sigma[:, 6:] == 0).all()


@pytest.mark.parametrize(("layers", "rows"), [("middle", [2, 3]), ("fine", [4, 5]), ("1-2", [2, 3, 4, 5])])
def test_only_the_noise_of_the_layers_varies(layers: str, rows: list[int]) -> None:
    model = Rows(SPEC, Config())
    sigma, every = deviation(model, [1], layers, draws=20), deviation(model, [1], draws=20)
    assert (sigma[0] > 0).any(dim=1).nonzero().flatten().tolist() == rows
    # the draws are the same whichever layers vary
    torch.testing.assert_close(sigma[0, rows], every[0, rows])


def test_parts_of_any_size_give_one_deviation(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Rows(SPEC, Config())
    monkeypatch.setattr("simulacra.tasks.style_noise.CHUNK", 7)
    few = deviation(model, [3], draws=500)
    monkeypatch.setattr("simulacra.tasks.style_noise.CHUNK", 500)
    torch.testing.assert_close(few, deviation(model, [3], draws=500), atol=0.003, rtol=0)


def test_noise_of_strength_0_changes_nothing() -> None:
    model = build("stylegan", SPEC, MODELS["stylegan"].Config(latent_dim=4, width=4)).eval()
    assert (deviation(model, [1, 2], draws=5) == 0).all()  # type: ignore[arg-type]  # it has styles
    with torch.no_grad():
        model.generator.layers[-1].noise_strength.fill_(0.1)  # type: ignore[union-attr,index]
    assert (deviation(model, [1, 2], "coarse", draws=5) == 0).all()  # type: ignore[arg-type]
    assert deviation(model, [1, 2], "middle", draws=5).mean() > 0.001  # type: ignore[arg-type]


def test_the_figure_has_samples_close_ups_and_noise_left_out() -> None:
    model = Rows(SPEC, Config())
    picture, sigma = figure(model, [1, 2], draws=10)
    side = 128
    assert picture.shape == (16 + 2 * (side + 2) + 2, 8 * (side + 2) + 2, 3)
    cells = [
        [picture[18 + r * 130 :, 2 + c * 130 :][:side:16, :side:16, 0] for c in range(8)] for r in range(2)
    ]
    x = (model.sample(1, 1)[0, 0] * 255).round()
    shifts = torch.tensor([0.0, 0.03, 0.06, 0.0]).repeat_interleave(2)[:, None]
    assert (torch.from_numpy(cells[0][0].copy()) == x).all()
    # without noise
    bare = (model.sample(1, 1)[0, 0] - shifts).mul(255).round()
    assert (torch.from_numpy(cells[0][5].copy()) == bare).all()
    # coarse noise has strength 0; fine is that of layer 2
    assert (cells[0][6] == cells[0][5]).all()
    assert (cells[0][7][4:6] == cells[0][0][4:6]).all()
    assert (cells[0][7][2:4] == cells[0][5][2:4]).all()
    # white is the largest deviation of all
    assert max(cells[0][4].max(), cells[1][4].max()) == 255
    assert sigma.shape == (2, 8, 8)


def test_wrong_settings_are_answered() -> None:
    model = Rows(SPEC, Config())
    with pytest.raises(ConfigError, match="draws: must be a whole number, at least 2, not 1"):
        deviation(model, [1], draws=1)
    with pytest.raises(ConfigError, match=r"layers: 3 has no noise; choose layers from 0 to 2"):
        deviation(model, [1], "3")
