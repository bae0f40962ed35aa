"""A ladder of latent groups: against a linear-Gaussian one with its exact posterior, and its parts."""

from dataclasses import replace
from math import log, pi

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from simulacra.core.batch import Batch
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError
from simulacra.models.vae.card import VAEConfig
from simulacra.models.vae.model import VAE
from simulacra.nets.top_down import Bottleneck, scale

D, GROUPS, SIGMA = 5, 3, 0.5
IMAGE, IMAGES_OF_8 = DataSpec("image", (1, 28, 28)), DataSpec("image", (1, 8, 8))
MAPS = VAEConfig(latent_dim=3, latent_channels=2, groups=4, net="resnet", width=8, depth=1, hidden=(16,))


def linear_ladder() -> VAE:
    """Linear nets, groups of one number and constant sigmas: the exact posterior is one that q can be.

    z_l = mu_p(z_<l) + sigma_p eps_l and x = W z + m + N(0, sigma^2 I).
    """
    torch.manual_seed(1)
    config = VAEConfig(latent_dim=1, groups=GROUPS, net="mlp", hidden=(), likelihood="normal", sigma=SIGMA)
    vae = VAE(DataSpec("vector", (D,)), config).double()
    with torch.no_grad():
        for net in vae.decoder.groups:
            # s_p and d_s do not depend on the groups above
            net.layers[0].weight[[1, 3]] = 0
            net.layers[0].bias[[0, 2]] += torch.tensor([0.4, 0.0])
    return vae


def of_eps(vae: VAE) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """T and t of z = T eps + t, M and m of the mean of x = M eps + m."""
    T, t = torch.zeros(GROUPS, GROUPS).double(), torch.zeros(GROUPS).double()
    T[0, 0] = 1
    for i, net in enumerate(vae.decoder.groups, start=1):
        (a, s), (b, bias) = net.layers[0].weight[:2], net.layers[0].bias[:2]
        assert not s.any()
        T[i] = a @ T[:i]
        t[i] = a @ t[:i] + b
        T[i, i] = scale(bias)
    W, m = vae.decoder.output.layers[0].weight, vae.decoder.output.layers[0].bias
    return T, t, W @ T, W @ t + m


def give_exact_posterior(vae: VAE) -> None:
    """Set the encoder, and what the decoder adds, to p(eps_l | eps_<l, x)."""
    T, t, M, m = of_eps(vae)
    # p(eps | x) has the precision P and the mean P^-1 M^T (x - m) / sigma^2
    P = torch.eye(GROUPS).double() + M.T @ M / SIGMA**2
    C = torch.linalg.inv(P)
    A = C @ M.T / SIGMA**2
    encoder = vae.encoder.layers[0]
    encoder.weight.zero_()
    encoder.bias.zero_()
    for i in range(GROUPS):
        # eps_l given those above has the mean mu_l + G (eps_<l - mu_<l) and the variance 1 / (P_ll after
        # marginalising those below)
        G = torch.linalg.solve(C[:i, :i], C[:i, i]) if i else torch.zeros(0).double()
        variance = C[i, i] - G @ C[:i, i]
        s = _inverse_scale(variance.sqrt())
        encoder.weight[i] = A[i] - G @ A[:i]
        encoder.bias[i] = -encoder.weight[i] @ m
        encoder.bias[GROUPS + i] = s
        if i:
            # in terms of z: eps_<l = T^-1 (z_<l - t)
            net = vae.decoder.groups[i - 1].layers[0]
            net.weight[2] = G @ torch.linalg.inv(T[:i, :i])
            net.bias[2] = -net.weight[2] @ t[:i]
            encoder.bias[GROUPS + i] -= net.bias[3]


def _inverse_scale(sigma: Tensor) -> Tensor:
    """s with softplus(ln 2 s) / ln 2 = sigma."""
    return (sigma * log(2)).expm1().log() / log(2)


def data(n: int = 4) -> Tensor:
    return torch.randn(n, D, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


@torch.no_grad()
def test_the_bound_of_a_linear_gaussian_ladder_is_its_exact_likelihood() -> None:
    vae, x = linear_ladder(), data()
    _, _, M, m = of_eps(vae)
    log_p = MultivariateNormal(m, M @ M.T + SIGMA**2 * torch.eye(D)).log_prob(x)
    loose = vae.log_weights(x, 0, 50)
    assert (loose.mean(dim=1) < log_p - 0.1).all()
    give_exact_posterior(vae)
    torch.testing.assert_close(vae.log_weights(x, 0, 7), log_p[:, None].expand(-1, 7), rtol=1e-9, atol=1e-9)
    n = 40_000
    draws = vae.elbo(x.repeat_interleave(n, dim=0), Noise(0)).value.unflatten(0, (4, n))
    error = draws.std(dim=1) / n**0.5
    assert error.max() < 0.02
    assert ((draws.mean(dim=1) - log_p).abs() < 4 * error).all()


@torch.no_grad()
def test_the_loose_bound_plus_the_divergence_is_the_exact_likelihood() -> None:
    vae, x = linear_ladder(), data(2)
    _, _, M, m = of_eps(vae)
    log_p = MultivariateNormal(m, M @ M.T + SIGMA**2 * torch.eye(D)).log_prob(x)
    C = torch.linalg.inv(torch.eye(GROUPS).double() + M.T @ M / SIGMA**2)
    posterior = MultivariateNormal((x - m) @ M @ C / SIGMA**2, C)
    q, n = vae.encode(x), 40_000
    torch.manual_seed(0)
    z = q.sample((n,))
    gap = q.log_prob(z) - posterior.log_prob(z)  # its mean is KL(q || p(z | x))
    elbo = vae.log_weights(x, 0, n)
    error = (gap.std(dim=0).square() + elbo.std(dim=1).square()).sqrt() / n**0.5
    assert ((elbo.mean(dim=1) + gap.mean(dim=0) - log_p).abs() < 4 * error).all()
    assert (gap.mean(dim=0) > 20 * error).all()


@pytest.mark.parametrize("config", [MAPS, VAEConfig(latent_dim=3, groups=3, net="mlp", hidden=(16,))])
@torch.no_grad()
def test_the_density_of_the_posterior_is_that_of_its_draws(config: VAEConfig) -> None:
    torch.manual_seed(0)
    vae = VAE(IMAGE, config).double()
    x = torch.rand(3, 1, 28, 28).double()
    xi = torch.randn(3, 2, *vae.latent.shape).double()
    z, _, sigma, *_ = vae._draw(vae.encoder(x), xi)
    q = vae.encode(x)
    log_q = (-0.5 * xi**2 - sigma.log() - 0.5 * log(2 * pi)).sum(dim=2)
    torch.testing.assert_close(q.log_prob(z.transpose(0, 1)).T, log_q)
    # the weights are those of the densities
    log_w = vae._log_weights(x, vae.encoder(x), Noise(3), 1, beta=1.0)
    xi = Noise(3).normal(3, 1, *vae.latent.shape).double()
    z = vae._draw(vae.encoder(x), xi).z.squeeze(1)
    exact = vae.decode(z).log_prob(x) + vae.prior.log_prob(z) - q.log_prob(z)
    torch.testing.assert_close(log_w.squeeze(1), exact)


@torch.no_grad()
def test_the_mean_is_the_draw_without_noise_and_draws_spread_around_it() -> None:
    torch.manual_seed(0)
    vae = VAE(IMAGE, MAPS)
    q = vae.encode(torch.rand(2, 1, 28, 28))
    z = vae._draw(q.bottom_up, torch.zeros(2, 1, *vae.latent.shape)).z.squeeze(1)
    torch.testing.assert_close(q.mean, z)
    draws = q.sample((500,))
    assert draws.shape == (500, 2, *vae.latent.shape)
    top = draws[..., :3]  # nothing is above the first group
    torch.testing.assert_close(top.mean(dim=0), q.mean[:, :3], rtol=0, atol=0.2)
    torch.testing.assert_close(top.std(dim=0), q.stddev[:, :3], rtol=0.15, atol=0)


def test_free_bits_are_a_floor_for_every_group() -> None:
    torch.manual_seed(0)
    vae, x = VAE(IMAGES_OF_8, replace(MAPS, groups=3)), torch.rand(5, 1, 8, 8)
    (plain,) = vae.play(Batch(x, None, Noise(3)))
    assert plain.terms["kl"] < 100
    vae.config = replace(vae.config, free_bits=100.0)
    (floored,) = vae.play(Batch(x, None, Noise(3)))
    torch.testing.assert_close(floored.loss, 300 - plain.terms["reconstruction"])


def test_groups_are_a_vector_and_maps_that_a_quarter_of_the_image_holds() -> None:
    assert VAE(IMAGE, MAPS).group_shapes == [(3,), (2, 4, 4), (2, 7, 7), (2, 7, 7)]
    large = DataSpec("image", (3, 64, 48))
    assert VAE(large, MAPS).group_shapes == [(3,), (2, 4, 3), (2, 8, 6), (2, 16, 12)]
    table = VAEConfig(latent_dim=3, groups=4)
    assert VAE(DataSpec("vector", (7,)), table).group_shapes == [(3,)] * 4


@torch.no_grad()
def test_depth_does_not_change_the_scale_of_the_output() -> None:
    def added(depth: int) -> float:
        torch.manual_seed(0)
        net, x = nn.Sequential(*(Bottleneck(32, depth) for _ in range(depth))), torch.randn(4, 32, 7, 7)
        for p in net.parameters():
            # sqrt(6) times what torch draws is He et al. 2015, which keeps the variance inside a block
            p *= 6**0.5 if p.ndim > 1 else 0
        return (net(x) - x).std().item()

    assert added(32) == pytest.approx(added(2), rel=0.5)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"groups": 0}, "groups: must be at least 1"),
        ({"latent_channels": 0}, "latent_channels: must be at least 1"),
        ({"groups": 2, "net": "conv"}, "groups: several need net resnet or mlp, not conv"),
        ({"groups": 2, "net": "upsample"}, "groups: several need net resnet or mlp"),
    ],
)
def test_impossible_settings_are_named(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        VAE(IMAGE, VAEConfig(**settings))  # type: ignore[arg-type]  # any field
