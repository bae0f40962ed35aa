"""PCA against scikit-learn's, and the exactness of what it claims."""

import numpy as np
import pytest
import sklearn.decomposition
import torch
from sklearn.datasets import load_digits
from torch.distributions import MultivariateNormal

from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError, DataError
from simulacra.models.pca.card import PCAConfig
from simulacra.models.pca.model import PCA

K = 5


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return (load_digits().data * (255 / 16)).round().astype(np.uint8)


@pytest.fixture(scope="module")
def fitted(digits: np.ndarray) -> tuple[PCA, sklearn.decomposition.PCA]:
    spec = DataSpec("image", (1, 8, 8))
    mine = PCA(spec, PCAConfig(latent_dim=K)).double()
    mine.prepare(Dataset(spec, digits.reshape(-1, 1, 8, 8)))
    return mine, sklearn.decomposition.PCA(K, svd_solver="full").fit(digits / 255)


def test_components_equal_sklearns(fitted: tuple[PCA, sklearn.decomposition.PCA]) -> None:
    mine, theirs = fitted
    scale = np.sqrt(theirs.explained_variance_ - theirs.noise_variance_)
    W = mine.W.numpy() / scale
    np.testing.assert_allclose(np.abs(W.T @ theirs.components_.T), np.eye(K), atol=1e-5)
    np.testing.assert_allclose(mine.m.numpy(), theirs.mean_, atol=1e-6)
    assert mine.sigma.item() ** 2 == pytest.approx(theirs.noise_variance_, rel=1e-5)


def test_log_likelihood_equals_sklearns(
    fitted: tuple[PCA, sklearn.decomposition.PCA], digits: np.ndarray
) -> None:
    mine, theirs = fitted
    x = digits[:50] / 255
    log_p = mine.log_likelihood(torch.from_numpy(x).reshape(-1, 1, 8, 8), Noise(0), 1)
    np.testing.assert_allclose(log_p.numpy(), theirs.score_samples(x), rtol=1e-5)


def test_posterior_mean_is_the_projection_shrunk(
    fitted: tuple[PCA, sklearn.decomposition.PCA], digits: np.ndarray
) -> None:
    mine, theirs = fitted
    x = torch.from_numpy(digits[:20] / 255).reshape(-1, 1, 8, 8)
    # E[z | x] = (L - sigma^2)^(1/2) / L * U^T (x - m)
    L = theirs.explained_variance_
    expected = theirs.transform(digits[:20] / 255) * np.sqrt(L - theirs.noise_variance_) / L
    np.testing.assert_allclose(np.abs(mine.encode(x).mean.numpy()), np.abs(expected), atol=1e-4)


def test_elbo_under_the_exact_posterior_is_the_likelihood_on_average(
    fitted: tuple[PCA, sklearn.decomposition.PCA], digits: np.ndarray
) -> None:
    mine, _ = fitted
    x = torch.from_numpy(digits[:3] / 255).reshape(-1, 1, 8, 8)
    n = 4000
    draws = mine.elbo(x.repeat_interleave(n, dim=0), Noise(0)).value.unflatten(0, (3, n))
    log_p = mine.log_likelihood(x, Noise(0), 1)
    assert ((draws.mean(dim=1) - log_p).abs() < 4 * draws.std(dim=1) / n**0.5).all()


def test_samples_have_the_models_covariance(fitted: tuple[PCA, sklearn.decomposition.PCA]) -> None:
    mine, _ = fitted
    x = mine.sample(20_000, Noise(0)).flatten(1)
    WWT = mine.W @ mine.W.T
    assert (torch.cov(x.T) - WWT).abs().max() < 0.05 * WWT.abs().max()


def test_likelihood_by_the_full_covariance(fitted: tuple[PCA, sklearn.decomposition.PCA]) -> None:
    mine, _ = fitted
    x = torch.rand(4, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    C = mine.W @ mine.W.T + mine.sigma**2 * torch.eye(64)
    log_p = MultivariateNormal(mine.m, C).log_prob(x.flatten(1))
    torch.testing.assert_close(mine.log_likelihood(x, Noise(0), 1), log_p)


def test_data_in_a_subspace_stay_finite() -> None:
    spec = DataSpec("vector", (4,))
    x = np.random.default_rng(0).normal(size=(20, 1)).astype(np.float32) * np.ones((1, 4), np.float32)
    model = PCA(spec, PCAConfig(latent_dim=2))
    model.prepare(Dataset(spec, x))
    assert model.log_likelihood(torch.from_numpy(x), Noise(0), 1).isfinite().all()
    assert model.encode(torch.from_numpy(x)).mean.isfinite().all()


def test_images_with_more_numbers_than_examples() -> None:
    # 64 px colour: the covariance would have 12,288 x 12,288 entries
    spec = DataSpec("image", (3, 64, 64))
    x = np.random.default_rng(0).integers(0, 256, (60, 3, 64, 64), dtype=np.uint8)
    model = PCA(spec, PCAConfig(latent_dim=4))
    model.prepare(Dataset(spec, x))
    theirs = sklearn.decomposition.PCA(4, svd_solver="full").fit(x.reshape(60, -1) / 255)
    assert model.sigma.item() ** 2 == pytest.approx(theirs.noise_variance_, rel=1e-3)


def test_errors() -> None:
    spec = DataSpec("vector", (4,))
    with pytest.raises(ConfigError, match="from 1 to 3"):
        PCA(spec, PCAConfig(latent_dim=4))
    with pytest.raises(DataError, match="more than 2 examples"):
        PCA(spec, PCAConfig(latent_dim=2)).prepare(Dataset(spec, np.zeros((1, 4), np.float32)))
