"""The Gaussian mixture model: a density in the units of the data, and draws from it."""

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture

from simulacra.core.noise import Noise
from simulacra.data.sources.toys import TOYS
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError, DataError, LimitError
from simulacra.metrics.samples import mode_coverage
from simulacra.models.gmm.card import GMMConfig
from simulacra.models.gmm.model import GMM
from simulacra.models.registry import build

SPEC = DataSpec("vector", (2,))


def fitted(x: np.ndarray, **settings: object) -> GMM:
    torch.manual_seed(0)
    model = GMM(DataSpec("vector", x.shape[1:]), GMMConfig(**settings))  # type: ignore[arg-type]
    model.prepare(Dataset(model.spec, x.astype(np.float32)))
    return model.eval()


@pytest.fixture(scope="module")
def moons() -> GMM:
    # units of their own, so that a forgotten Jacobian would show
    return fitted(TOYS["moons"].sample(2000) * [3.0, 0.1] + [5.0, 0.0], components=6)


def test_density_integrates_to_one(moons: GMM) -> None:
    x, y = torch.meshgrid(torch.linspace(-3, 18, 400), torch.linspace(-0.15, 0.2, 400), indexing="ij")
    log_p = moons.log_likelihood(torch.stack([x, y], dim=-1).flatten(0, 1))
    cell = (21 / 399) * (0.35 / 399)
    assert log_p.double().exp().sum().item() * cell == pytest.approx(1, abs=1e-3)


def test_likelihood_is_that_of_the_distribution_and_of_scikit_learn(moons: GMM) -> None:
    x = torch.from_numpy(TOYS["moons"].sample(100, seed=1)) * torch.tensor([3.0, 0.1]) + torch.tensor(
        [5.0, 0]
    )
    p = moons.distribution()
    torch.testing.assert_close(p.log_prob(x), moons.log_likelihood(x), atol=1e-4, rtol=1e-4)
    theirs = GaussianMixture(6)
    theirs.weights_ = p.mixture_distribution.probs.numpy()
    theirs.means_ = p.component_distribution.mean.numpy()
    theirs.precisions_cholesky_ = torch.linalg.inv(p.component_distribution.scale_tril).mT.numpy()
    np.testing.assert_allclose(moons.log_likelihood(x), theirs.score_samples(x.numpy()), atol=1e-3)


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_draws_have_the_moments_of_the_mixture(covariance: str) -> None:
    x = np.random.default_rng(0).normal(size=(500, 3)) @ np.array([[1, 0, 0], [2, 1, 0], [0, 0, 9.0]]) + 7
    model = fitted(x, components=3, covariance=covariance)
    p, drawn = model.distribution(), model.sample(200_000, seed=1)
    torch.testing.assert_close(drawn.mean(dim=0), p.mean, atol=0.1, rtol=0)
    torch.testing.assert_close(drawn.std(dim=0), p.stddev, rtol=0.01, atol=0)
    if covariance == "full":
        # of the mixture, and so of the data whose moments EM keeps
        torch.testing.assert_close(
            torch.cov(drawn.T).double(), torch.tensor(np.cov(x.T)), rtol=0.05, atol=0.3
        )


def test_truncation_moves_towards_the_mean_and_without_draw_there_are_centres(moons: GMM) -> None:
    whole, half = (moons.sample(50, seed=2, truncation=psi) for psi in (1.0, 0.5))
    torch.testing.assert_close(half, torch.lerp(moons.distribution().mean, whole, 0.5))
    centres = moons.distribution().component_distribution.mean
    found = moons.sample(50, seed=2, draw=False)
    assert torch.cdist(found, centres).amin(dim=1).max() < 1e-4


def test_one_component_is_the_normal_of_the_data() -> None:
    x = np.random.default_rng(1).normal(size=(400, 4)).astype(np.float32) * [1, 2, 3, 4]
    p = fitted(x, components=1).distribution().component_distribution
    np.testing.assert_allclose(p.mean[0], x.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(p.covariance_matrix[0], np.cov(x.T, bias=True), rtol=1e-4, atol=1e-4)


def test_a_loaded_model_has_as_many_components() -> None:
    model = fitted(np.random.default_rng(0).normal(size=(300, 2)) + np.repeat([[0], [20], [40]], 100, axis=0))
    other = build("gmm", SPEC, GMMConfig())
    assert isinstance(other, GMM)
    other.load_state_dict(model.state_dict())
    assert other.components == model.components == 3
    assert torch.equal(other.sample(5, Noise(1)), model.sample(5, Noise(1)))


def test_25_modes_are_covered() -> None:
    toy = TOYS["gaussians-25"]
    model = fitted(toy.sample(4000), components=25)
    modes, sigma = toy.truth().modes, toy.truth().sigma
    assert modes is not None
    found = mode_coverage(model.sample(5000, seed=0).numpy(), modes, sigma)
    assert found.covered == 25
    assert found.near > 0.99
    held = toy.sample(1000, seed=1)
    assert model.log_likelihood(torch.from_numpy(held)).mean() == pytest.approx(
        toy.log_density(held).mean(), abs=0.05
    )


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(DataError, match="gmm with 9 components needs at least 9 examples, there are 5"):
        fitted(np.zeros((5, 2)), components=9)
    with pytest.raises(ConfigError, match="components: must be at least 1"):
        GMMConfig(components=0)
    with pytest.raises(ConfigError, match="takes vectors and rows of tables, and the data are images"):
        GMM(DataSpec("image", (1, 8, 8)), GMMConfig())
    with pytest.raises(LimitError, match="choose --covariance diagonal"):
        GMM(DataSpec("vector", (20_000,)), GMMConfig(components=1000))
