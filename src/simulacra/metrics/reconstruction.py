"""How close a reconstruction is to the original, for images in [0, 1]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from simulacra.core.batch import Batch
from simulacra.core.capabilities import Reconstructs
from simulacra.metrics.perceptual import perceptual_distance
from simulacra.metrics.registry import Metric, PerExample, register

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation


def l1(x: Tensor, y: Tensor) -> Tensor:
    """Mean absolute difference of each example, `(B,)`."""
    return (x - y).abs().flatten(1).mean(dim=1)


def mse(x: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of each example, `(B,)`."""
    return (x - y).square().flatten(1).mean(dim=1)


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """Peak signal-to-noise ratio 10 log10(1 / MSE) of each image in [0, 1], in dB; at most 100."""
    return -10 * mse(x, y).clamp(min=1e-10).log10()


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Structural similarity of each pair of images `(B, C, H, W)` in [0, 1], at most 1; `(B,)`.

    Wang et al. 2004, eq. 13, with the paper's constants and Gaussian window (11 x 11, sigma 1.5; the
    largest odd window that fits where an image is smaller), averaged over pixels and channels.

    >>> x = torch.rand(2, 1, 16, 16)
    >>> bool(torch.allclose(ssim(x, x), torch.ones(2)))
    True
    """
    # the largest odd side that fits
    radius = min(11, *(s - (s + 1) % 2 for s in x.shape[2:])) // 2

    def blur(image: Tensor) -> Tensor:
        return smoothed(image, 1.5, radius)

    c1, c2 = 0.01**2, 0.03**2
    mu_x, mu_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mu_x**2, blur(y * y) - mu_y**2
    cov = blur(x * y) - mu_x * mu_y
    similarity = (2 * mu_x * mu_y + c1) * (2 * cov + c2) / ((mu_x**2 + mu_y**2 + c1) * (var_x + var_y + c2))
    return similarity.flatten(1).mean(dim=1)


def smoothed(x: Tensor, sigma: float, radius: int) -> Tensor:
    """Images `(B, C, H, W)` under a Gaussian window where it lies inside: `(B, C, H - 2 r, W - 2 r)`.

    >>> smoothed(torch.ones(1, 1, 5, 5), sigma=1.0, radius=2).shape
    torch.Size([1, 1, 1, 1])
    """
    t = torch.arange(-radius, radius + 1, device=x.device)
    g = torch.exp(-(t**2) / (2 * sigma**2))
    g = g / g.sum()
    flat = x.flatten(0, 1)[:, None]
    out = F.conv2d(F.conv2d(flat, g[None, None, :, None]), g[None, None, None, :])
    return out.view(*x.shape[:2], *out.shape[2:])


def sharpness(x: Tensor, y: Tensor) -> Tensor:
    """How sharp each image y is beside x: the ratio of their squared differences between pixels, `(B,)`.

    1 is as sharp as x (neighbours along both axes); an average of several images has less, noise more.

    >>> x = torch.rand(2, 1, 16, 16)
    >>> bool(torch.allclose(sharpness(x, 0.5 * x), torch.full((2,), 0.25)))
    True
    """

    def energy(image: Tensor) -> Tensor:
        return sum((image.diff(dim=axis).square().flatten(1).sum(dim=1) for axis in (2, 3)), torch.zeros(()))

    # an image of one colour has no edges to keep
    return energy(y) / energy(x).clamp(min=1e-6)


def _reconstruction(evaluation: Evaluation, batch: Batch, x: Tensor) -> dict[str, Tensor]:
    y = evaluation.model.reconstruct(batch.x)
    values = {"mse": mse(*(evaluation.raw.features(numbers) for numbers in (batch.x, y)))}
    if evaluation.model.spec.kind == "image":
        y = y.clamp(0, 1)
        values |= {"psnr": psnr(batch.x, y), "ssim": ssim(batch.x, y), "sharpness": sharpness(batch.x, y)}
    return values


PSNR = Metric("psnr", "PSNR", "dB", "peak signal-to-noise ratio of reconstructions or translations", "higher")
SSIM = Metric("ssim", "SSIM",
    meaning="structural similarity of reconstructions or translations, 1 for equal images",
    better="higher")  # fmt: skip
RECONSTRUCTION = register(PerExample(
    name="reconstruction", needs=(Reconstructs,),
    metrics=(
        Metric("mse", "mean squared error",
            meaning="of reconstructions, averaged over the numbers of an example; columns of vectors are"
            " standardised",
            better="lower"),
        PSNR,
        SSIM,
        Metric("sharpness", "sharpness",
            meaning="squared differences of neighbouring pixels of reconstructions, a share of those of the"
            " originals: below 1 they are smoother"),
    ),
    values=_reconstruction, order=20,
))  # fmt: skip


def _perceptual(evaluation: Evaluation, batch: Batch, x: Tensor) -> dict[str, Tensor]:
    y = evaluation.model.reconstruct(batch.x)
    distances = perceptual_distance(batch.x, y, evaluation.extractor, evaluation.batch_size)
    return {"reconstruction_perceptual": torch.from_numpy(distances)}


def _extractor(evaluation: Evaluation) -> dict[str, str]:
    one = evaluation.extractor
    return {"extractor": one.name, "weights": one.weights, "resize": one.resize}


PERCEPTUAL = register(PerExample(
    name="perceptual", needs=(Reconstructs,),
    metrics=(
        Metric("reconstruction_perceptual", "perceptual distance",
            meaning="of reconstructions from the originals, in the extractor's feature maps", better="lower"),
    ),
    settings=("extractor", "weights", "resize"), values=_perceptual, compute=_extractor, features=True,
    order=25,
))  # fmt: skip
