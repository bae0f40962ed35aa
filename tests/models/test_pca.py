"""PCA against scikit-learn's, and the exactness of what it claims."""

import numpy as np
import pytest
import sklearn.decomposition
import torch
from sklearn.datasets import load_digits
from torch.distributions import MultivariateNormal

from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.data.tables.schema import Column, Schema
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


def test_elbo_under_the_exact_posterior_is_the_likelihood(
    fitted: tuple[PCA, sklearn.decomposition.PCA], digits: np.ndarray
) -> None:
    mine, _ = fitted
    x = torch.from_numpy(digits[:3] / 255).reshape(-1, 1, 8, 8)
    torch.testing.assert_close(mine.elbo(x).value, mine.log_likelihood(x))


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


def test_vectors_are_standardised_and_the_density_is_in_their_units() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(400, 3)) @ [[1, 900, 0.1], [0, 500, 0.2], [0, 0, 0.1]] + [5, 0, 9]).astype(
        np.float32
    )
    spec = DataSpec("vector", (3,))
    model = PCA(spec, PCAConfig()).double()
    model.prepare(Dataset(spec, x))
    # all but one component: the normal with the data's covariance
    expected = MultivariateNormal(torch.from_numpy(x.mean(axis=0)).double(), torch.from_numpy(np.cov(x.T)))
    log_p = model.log_likelihood(torch.from_numpy(x).double())
    torch.testing.assert_close(log_p, expected.log_prob(torch.from_numpy(x).double()), rtol=1e-3, atol=0.01)
    z = model.encode(torch.from_numpy(x).double()).mean
    assert (model.decode(z).mean - torch.from_numpy(x)).abs().mean(dim=0)[1] < 300
    assert model.sample(5000, seed=0).std(dim=0)[1].item() == pytest.approx(x[:, 1].std(), rel=0.05)


# x: gain, gain is value, gain is 0, sex is f, sex is m, age
TABLE = Schema(
    (
        Column("gain", "number", special=("0",)),
        Column("sex", "category", ("f", "m")),
        Column("age", "number"),
    )
)


def of_table(latent_dim: int = 2) -> tuple[PCA, torch.Tensor]:
    rng = np.random.default_rng(0)
    own, m = rng.random((2, 2000)) < [[0.3], [0.6]]
    age = 40 + 10 * rng.normal(size=2000) + 8 * m
    gain = np.where(own, 100 + 3 * age + 20 * rng.normal(size=2000), 0)
    x = np.column_stack([gain, own, ~own, ~m, m, age]).astype(np.float32)
    spec = DataSpec("vector", (6,), schema=TABLE)
    model = PCA(spec, PCAConfig(latent_dim=latent_dim)).double()
    model.prepare(Dataset(spec, x))
    return model, torch.from_numpy(x).double()


def test_categories_are_bounded_by_dequantisation() -> None:
    model, x = of_table()
    assert not model.exact
    row = x[x[:, 1] == 1][:1]
    n = 200_000
    u = torch.zeros(n, 6, dtype=torch.float64)
    u[:, 1:5] = Noise(0).uniform(n, 4).double() - 0.5
    C = model.W @ model.W.T + model.sigma**2 * torch.eye(6)
    scaled = model.standardise(row) + u  # type: ignore[misc]  # vectors have one
    draws = MultivariateNormal(model.m, C).log_prob(scaled) - model.standardise.std.log().sum()  # type: ignore[union-attr]  # the same
    assert (model.log_likelihood(row) - draws.mean()).abs() < 4 * draws.std() / n**0.5
    # the posterior given e is not that given e + u: the bound from the latents is lower
    bound = model.elbo(row).value
    M = model.W.T @ model.W + model.sigma**2 * torch.eye(2)
    gap = (model.W[1:5] @ torch.linalg.inv(M) @ model.W[1:5].T).trace() / model.sigma**2 / 24
    torch.testing.assert_close(model.log_likelihood(row) - gap, bound)


def test_what_a_table_can_hold_has_no_more_than_probability_1() -> None:
    model, _ = of_table()
    age, gain = torch.meshgrid(torch.linspace(-60, 140, 401), torch.linspace(-600, 1100, 401), indexing="ij")
    total = 0.0
    for sex in ((1, 0), (0, 1)):
        for own in ((1, 0), (0, 1)):
            code = torch.tensor([*own, *sex]).expand(*age.shape, 4)
            x = torch.cat([gain[..., None], code, age[..., None]], dim=-1).double()
            p = model.log_likelihood(x.flatten(0, 1)).exp().unflatten(0, age.shape)
            over_age = torch.trapezoid(p, age.double(), dim=0)
            # without a gain of its own a row has a density of its age alone
            total += float(torch.trapezoid(over_age, gain[0].double()) if own == (1, 0) else over_age[0])
    assert 0.1 < total <= 1


def test_numbers_in_a_special_state_are_not_observed() -> None:
    model, x = of_table()
    none = x[x[:, 2] == 1][:5]
    other = none.clone()
    other[:, 0] = 1e4
    torch.testing.assert_close(model.log_likelihood(none), model.log_likelihood(other))
    torch.testing.assert_close(model.encode(none).mean, model.encode(other).mean)
    samples = model.sample(1000, seed=0)
    assert (samples[:, 1:3].sum(dim=1) == 1).all()
    assert (samples[samples[:, 2] == 1, 0] == 0).all()


def test_errors() -> None:
    spec = DataSpec("vector", (4,))
    with pytest.raises(ConfigError, match="from 1 to 3"):
        PCA(spec, PCAConfig(latent_dim=4))
    with pytest.raises(ConfigError, match="at least 2 columns"):
        PCA(DataSpec("vector", (1,)), PCAConfig())
    with pytest.raises(DataError, match="more than 2 examples"):
        PCA(spec, PCAConfig(latent_dim=2)).prepare(Dataset(spec, np.zeros((1, 4), np.float32)))
