"""Errors of reconstruction against independent implementations."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter

import simulacra as sim
from simulacra.metrics.reconstruction import mse, psnr, sharpness, ssim


def pair(size: int = 32, channels: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, channels, size, size, generator=generator)
    return x, (x + 0.2 * torch.randn(x.shape, generator=generator)).clamp(0, 1)


def ssim_by_scipy(x: np.ndarray, y: np.ndarray) -> float:
    """Wang et al. 2004 with SciPy's Gaussian filter of radius 5, where the window lies inside."""

    def blur(a: np.ndarray) -> np.ndarray:
        return gaussian_filter(a, 1.5, radius=5)[5:-5, 5:-5]

    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return float(np.mean((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))))


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_equals_an_independent_one(channels: int) -> None:
    x, y = pair(channels=channels)
    for i in range(2):
        planes = zip(x[i].double().numpy(), y[i].double().numpy(), strict=True)
        expected = np.mean([ssim_by_scipy(a, b) for a, b in planes])
        assert ssim(x, y)[i].item() == pytest.approx(expected, abs=1e-5)


def test_ssim_of_tiny_images() -> None:
    x, y = pair(size=8)
    assert (ssim(x, y) < 1).all()
    torch.testing.assert_close(ssim(x, x), torch.ones(2))


def test_mse_and_psnr_by_hand() -> None:
    x, y = torch.zeros(1, 1, 2, 2), torch.tensor([[[[0.1, 0.1], [0.1, 0.1]]]])
    assert mse(x, y).item() == pytest.approx(0.01)
    assert psnr(x, y).item() == pytest.approx(20.0, abs=1e-4)
    assert psnr(x, x).item() == pytest.approx(100.0)


def test_sharpness_is_the_energy_of_differences() -> None:
    x, _ = pair(channels=3)
    a = x.numpy()
    blurred = gaussian_filter(a, (0, 0, 1, 1))
    energy = [sum(np.square(np.diff(i, axis=k)).sum(axis=(1, 2, 3)) for k in (2, 3)) for i in (blurred, a)]
    np.testing.assert_allclose(sharpness(x, torch.from_numpy(blurred)), energy[0] / energy[1], rtol=1e-4)
    assert bool((sharpness(x, torch.from_numpy(blurred)) < 0.2).all())
    # of images of one colour it is a number
    assert bool(sharpness(torch.ones(2, 1, 4, 4), torch.ones(2, 1, 4, 4)).isfinite().all())


def test_perceptual_distance_of_reconstructions(tmp_path: Path) -> None:
    data = sim.load_data("digits")
    model = sim.train("pca", data, tmp_path / "run", latent_dim=4)
    numbers = sim.evaluate(model, data, metrics=["perceptual"], examples=20)
    x = torch.from_numpy(np.array(data.test.x[:20])).float() / 255
    y = (255 * model.reconstruct(x).clamp(0, 1)).round() / 255
    # the only map of raw pixels is the image
    u, v = (F.normalize(images.flatten(1), dim=1) for images in (x, y))
    expected = (u - v).square().sum(dim=1).mean().item()
    assert numbers["reconstruction_perceptual"] == pytest.approx(expected, rel=1e-5)
    assert numbers["extractor"] == "raw"
