"""The VAE against a linear-Gaussian world, where everything has a closed form."""

from math import log, pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal, kl_divergence

import simulacra as sim
from simulacra.core.batch import Batch
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.data.tables.schema import Column, Schema
from simulacra.errors import ConfigError
from simulacra.models.vae.card import VAEConfig
from simulacra.models.vae.model import VAE
from simulacra.probability.distributions import kl_to_standard_normal
from simulacra.tasks.evaluate import evaluate

SIGMA = 0.5
D, Z = 6, 2


def linear_vae(exact_posterior: bool) -> VAE:
    """Linear nets and a fixed sigma: p(x | z) = N(W z + m, sigma^2 I), orthogonal columns of W."""
    torch.manual_seed(1)
    config = VAEConfig(latent_dim=Z, net="mlp", hidden=(), likelihood="normal", sigma=SIGMA)
    vae = VAE(DataSpec("vector", (D,)), config).double()
    U = torch.linalg.qr(torch.randn(D, Z, dtype=torch.float64))[0]
    W = U * torch.tensor([1.5, 0.7])
    decoder, encoder = vae.decoder.layers[0], vae.encoder.layers[0]
    with torch.no_grad():
        decoder.weight.copy_(W)
        if exact_posterior:
            # M is diagonal: the posterior's covariance sigma^2 M^-1 is one that q can have
            M = W.T @ W + SIGMA**2 * torch.eye(Z)
            A = torch.linalg.solve(M, W.T)
            s = (SIGMA**2 / M.diagonal()).sqrt() - 1e-6
            encoder.weight.copy_(torch.cat([A, torch.zeros(Z, D)]))
            encoder.bias.copy_(torch.cat([-A @ decoder.bias, s.expm1().log()]))
    return vae


def exact(vae: VAE, x: Tensor) -> tuple[Tensor, MultivariateNormal]:
    """ln p(x) and p(z | x) of the linear-Gaussian model (Tipping and Bishop 1999, eqs. 4 and 6)."""
    W, m = vae.decoder.layers[0].weight, vae.decoder.layers[0].bias
    log_p = MultivariateNormal(m, W @ W.T + SIGMA**2 * torch.eye(D)).log_prob(x)
    M = W.T @ W + SIGMA**2 * torch.eye(Z)
    mean = torch.linalg.solve(M, W.T @ (x - m).T).T
    return log_p, MultivariateNormal(mean, SIGMA**2 * torch.linalg.inv(M))


def data(n: int = 4) -> Tensor:
    return torch.randn(n, D, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


@torch.no_grad()
def test_elbo_plus_gap_is_the_exact_likelihood() -> None:
    vae, x = linear_vae(exact_posterior=False), data()
    log_p, posterior = exact(vae, x)
    gap = kl_divergence(
        MultivariateNormal(vae.encode(x).mean, torch.diag_embed(vae.encode(x).variance)), posterior
    )
    n = 40_000
    draws = vae.elbo(x.repeat_interleave(n, dim=0), Noise(0)).value.unflatten(0, (4, n))
    error = draws.std(dim=1) / n**0.5
    # the gap is far larger than what chance could hide
    assert (gap > 20 * error).all()
    assert ((draws.mean(dim=1) + gap - log_p).abs() < 4 * error).all()


@torch.no_grad()
def test_with_the_exact_posterior_every_weight_is_p_of_x() -> None:
    vae, x = linear_vae(exact_posterior=True), data()
    log_p, _ = exact(vae, x)
    log_w = vae._log_weights(x, vae.encoder(x), Noise(0), 7, beta=1.0)
    # the code leaves out no constant
    torch.testing.assert_close(log_w, log_p[:, None].expand(4, 7), rtol=0, atol=1e-4)
    torch.testing.assert_close(vae.log_likelihood(x, Noise(0), 3), log_p, rtol=0, atol=1e-4)


@torch.no_grad()
def test_importance_weighted_bound_rises_with_k_to_the_exact_likelihood() -> None:
    vae, x = linear_vae(exact_posterior=False), data(1)
    log_p, _ = exact(vae, x)
    bounds = []
    for k, repeats in ((1, 4000), (5, 4000), (50, 1000)):
        noise = Noise(k)
        bounds.append(vae.log_likelihood(x.repeat(repeats, 1), noise, k).mean())
    assert bounds[0] < bounds[1] < bounds[2] < log_p + 0.02
    converged = vae.log_likelihood(x, Noise(0), 200_000)
    assert converged.item() == pytest.approx(log_p.item(), abs=0.05)


def test_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    from simulacra.models.vae import variational as module

    vae, x = linear_vae(exact_posterior=False), data(2)
    monkeypatch.setattr(module, "DECODED_AT_ONCE", 3)
    chunked = vae.log_likelihood(x, Noise(0), 5)
    noise, expected = Noise(0), []
    for one in x.split(1):
        q = vae.encoder(one)
        log_w = torch.cat([vae._log_weights(one, q, noise, k, 1.0) for k in (3, 2)], dim=1)
        expected.append(log_w.logsumexp(dim=1) - log(5))
    torch.testing.assert_close(chunked, torch.cat(expected))
    # several examples at a time where k is small
    monkeypatch.setattr(module, "DECODED_AT_ONCE", 100)
    assert vae.log_likelihood(data(7), Noise(0), 40).shape == (7,)


def test_kl_closed_form_equals_torch_and_monte_carlo() -> None:
    mu, sigma = torch.tensor([0.3, -1.2, 0.0]), torch.tensor([0.5, 1.7, 1.0])
    torch.testing.assert_close(
        kl_to_standard_normal(mu, sigma), kl_divergence(Normal(mu, sigma), Normal(0.0, 1.0))
    )
    z = mu + sigma * Noise(0).normal(200_000, 3)
    draws = Normal(mu, sigma).log_prob(z) - Normal(0.0, 1.0).log_prob(z)
    assert (
        (draws.mean(dim=0) - kl_to_standard_normal(mu, sigma)).abs()
        < 4 * draws.std(dim=0) / 200_000**0.5 + 1e-7
    ).all()


def turn_loss(vae: VAE, x: Tensor, step: int = 0, steps: int = 100) -> tuple[Tensor, dict[str, Tensor]]:
    (turn,) = vae.play(Batch(x, None, Noise(3), step, steps))
    return turn.loss, dict(turn.terms)


def vae_with(**settings: object) -> VAE:
    torch.manual_seed(0)
    return VAE(DataSpec("image", (1, 8, 8)), VAEConfig(latent_dim=3, **settings))  # type: ignore[arg-type]  # any field


@pytest.fixture
def x() -> Tensor:
    return torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_beta_and_warm_up_weigh_the_kl(x: Tensor) -> None:
    plain, terms = turn_loss(vae_with(), x)
    torch.testing.assert_close(plain, terms["kl"] - terms["reconstruction"])
    heavy, _ = turn_loss(vae_with(beta=4.0), x)
    torch.testing.assert_close(heavy, 4 * terms["kl"] - terms["reconstruction"])
    for step, weight in ((0, 0.1), (4, 0.5), (9, 1.0), (50, 1.0)):
        warm, _ = turn_loss(vae_with(kl_warmup=10), x, step)
        torch.testing.assert_close(warm, weight * terms["kl"] - terms["reconstruction"])


def test_free_bits_are_a_floor_for_every_dimension(x: Tensor) -> None:
    _, terms = turn_loss(vae_with(), x)
    loss, _ = turn_loss(vae_with(free_bits=100.0), x)
    torch.testing.assert_close(loss, 300 - terms["reconstruction"])


def test_free_bits_end_where_k_samples_begin(x: Tensor) -> None:
    both = vae_with(importance_samples=8, importance_from=0.5, free_bits=100.0)
    floored, terms = turn_loss(both, x, step=49)
    torch.testing.assert_close(floored, 300 - terms["reconstruction"])
    after, _ = turn_loss(both, x, step=50)
    weighted, _ = turn_loss(vae_with(importance_samples=8, importance_from=0.5), x, step=50)
    assert after == weighted


def test_k_samples_only_after_their_share_of_the_training(x: Tensor) -> None:
    plain, _ = turn_loss(vae_with(), x, step=49)
    weighted = vae_with(importance_samples=8, importance_from=0.5)
    before, _ = turn_loss(weighted, x, step=49)
    after, terms = turn_loss(weighted, x, step=50)
    assert before == plain
    assert after < plain
    assert not terms


def test_dynamic_binarisation_is_black_or_white_with_the_right_mean() -> None:
    vae = vae_with(binarise=True)
    grey = torch.full((2000, 1, 8, 8), 0.3)
    seen = vae.observe(grey, Noise(0))
    assert set(seen.unique().tolist()) == {0.0, 1.0}
    assert seen.mean().item() == pytest.approx(0.3, abs=0.01)
    assert torch.equal(vae_with().observe(grey, Noise(0)), grey)


def test_bernoulli_likelihood_of_one_pixel_by_hand() -> None:
    vae = vae_with()
    p = vae.decode(torch.zeros(1, 3))
    probabilities = p.mean.flatten()
    ones = p.log_prob(torch.ones(1, 1, 8, 8))
    torch.testing.assert_close(ones, probabilities.log().sum()[None], rtol=1e-5, atol=1e-4)


def test_normal_likelihood_has_its_constant() -> None:
    vae = linear_vae(exact_posterior=True)
    p = vae.decode(torch.zeros(1, Z, dtype=torch.float64))
    at_mean = p.log_prob(p.mean)
    assert at_mean.item() == pytest.approx(-0.5 * D * log(2 * pi * SIGMA**2), abs=1e-5)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"latent_dim": 0}, "latent_dim"),
        ({"importance_samples": 0}, "importance_samples"),
        ({"importance_samples": 2, "free_bits": 1.0}, "free_bits"),
        ({"beta": -1.0}, "beta"),
        ({"importance_from": 1.0}, "importance_from"),
        ({"binarise": True, "likelihood": "normal"}, "binarise"),
        ({"hidden": (0,)}, "hidden"),
        ({"width": 0}, "width"),
    ],
)
def test_impossible_settings_are_named(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        VAE(DataSpec("image", (1, 8, 8)), VAEConfig(**settings))  # type: ignore[arg-type]  # any field


def test_convolutions_need_images() -> None:
    with pytest.raises(ConfigError, match="needs images"):
        VAE(DataSpec("vector", (5,)), VAEConfig(net="conv"))


def test_columns_of_any_unit_are_learned_as_well_as_by_pca(tmp_path: Path) -> None:
    A = np.array([[8.0, 0, 0], [6, 5, 0], [-9, 4, 12]])
    x = (np.random.default_rng(0).normal(size=(2000, 3)) @ A.T + [170, 70, 40]).astype(np.float32)
    np.savez(tmp_path / "people.npz", x=x)
    data = sim.load_data(f"npz:{tmp_path}/people.npz")
    settings: dict[str, Any] = {"pca": {}, "vae": {"steps": 800}}
    models = {
        name: sim.train(name, f"npz:{tmp_path}/people.npz", tmp_path / name, **settings[name])
        for name in ("pca", "vae")
    }
    nll = {name: evaluate(model, data, metrics=["nll"])["nll"] for name, model in models.items()}
    exact = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * A @ A.T)[1]
    assert nll["vae"] < nll["pca"] + 0.05
    assert nll["vae"] == pytest.approx(exact, abs=0.2)
    samples = models["vae"].sample(5000, seed=0)
    torch.testing.assert_close(samples.mean(dim=0), torch.tensor([170.0, 70, 40]), rtol=0, atol=2)
    torch.testing.assert_close(torch.cov(samples.T), torch.from_numpy(A @ A.T).float(), rtol=0.2, atol=10)


def test_the_likelihood_suits_the_columns() -> None:
    schema = Schema((Column("age", "number"), Column("sex", "category", ("f", "m"))))
    table = DataSpec("vector", (3,), schema=schema)
    assert VAE(table, VAEConfig()).likelihood_name == "mixed"
    with pytest.raises(ConfigError, match="normal does not suit the table's categories; use mixed"):
        VAE(table, VAEConfig(likelihood="normal"))
    with pytest.raises(ConfigError, match="mixed needs the columns of a table"):
        VAE(DataSpec("vector", (3,)), VAEConfig(likelihood="mixed"))


def test_each_force_can_be_switched_off() -> None:
    """The loss is beta KL - r E_q ln p(x | z), of draws z or of the mean of q."""
    x = data()

    def loss(**settings: Any) -> Tensor:
        vae = linear_vae(exact_posterior=False)
        batch = Batch(x, None, Noise(3), step=0, steps=1)
        vae.config = VAEConfig(**{**vars(vae.config), **settings})
        return next(iter(vae.play(batch))).loss

    vae = linear_vae(exact_posterior=False)
    q = vae.encode(x)
    kl = kl_to_standard_normal(q.mean, q.stddev).sum(dim=1).mean()
    at_mean = vae.decode(q.mean).log_prob(x).mean()
    drawn = loss()
    assert torch.allclose(loss(sampling=False), kl - at_mean)
    assert torch.allclose(loss(reconstruction=0.0), kl)
    assert torch.allclose(loss(beta=0.0), drawn - kl)
    assert torch.allclose(loss(beta=0.0, sampling=False), -at_mean)
    assert not torch.allclose(drawn, loss(sampling=False))
    with pytest.raises(ConfigError, match="a bound with k samples needs sampling"):
        VAEConfig(importance_samples=2, sampling=False)
