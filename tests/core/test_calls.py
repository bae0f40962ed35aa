"""Calls of a model take arrays and tensors, explain mistakes, and cost a training step nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import simulacra as sim
from simulacra.core import calls
from simulacra.core.calls import trusted
from simulacra.core.capabilities import capabilities
from simulacra.errors import ConfigError, DataError, SimulacraError
from simulacra.models.registry import MODELS, build, model_card, model_class
from tests.models.generator_run import generator_run
from tests.models.test_contract import SPECS

IMAGES = sim.DataSpec("image", (3, 8, 8), ("cat", "dog"))
GREY = sim.DataSpec("image", (1, 8, 8), ("cat", "dog"))
VECTORS = sim.DataSpec("vector", (3,), target=sim.DataSpec("vector", (1,)))
FLOW = str(Path(__file__).parents[2] / "examples" / "flow.py") + ":Flow"


def made(name: str, spec: sim.DataSpec, **settings: Any) -> Any:
    return build(name, spec, model_card(name).Config(**settings)).eval()


def bytes_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


CALLS: list[tuple[str, Callable[[Any, Any], Tensor]]] = [
    ("vae", lambda m, x: m.encode(x).mean),
    ("vae", lambda m, x: m.reconstruct(x)),
    ("vae", lambda m, x: m.elbo(x).value),
    ("vae", lambda m, x: m.log_likelihood(x, samples=3)),
    ("pca", lambda m, x: m.encode(x).mean),
    ("classifier", lambda m, x: m.predict(x).probs),
    ("gan", lambda m, x: m.discriminate(x)),
    ("conditional_gan", lambda m, x: m.discriminate(x, np.array([1, 0]))),
    ("cyclegan", lambda m, x: m.translate(x)),
    (FLOW, lambda m, x: m.log_likelihood(x)),
]


@pytest.mark.parametrize(("name", "call"), CALLS)
def test_images_in_every_form_give_the_same(name: str, call: Callable[[Any, Any], Tensor]) -> None:
    size = (32, 32) if name == "cyclegan" else (8, 8)
    model = made(name, sim.DataSpec("image", (3, *size), ("cat", "dog")))
    x = bytes_of(2, 3, *size)
    with torch.no_grad():
        expected = call(model, torch.from_numpy(x).float() / 255)
        for form in (
            x,
            torch.from_numpy(x),
            x / 255,
            x.transpose(0, 2, 3, 1),
            (x / 255).astype(">f4")[..., ::1],
        ):
            torch.testing.assert_close(call(model, form), expected)
        for wrong in (x * 255.0, x / 127.5 - 1, x.astype(float) * np.nan, x[:, :2], x[0], x[:0], "x"):
            with pytest.raises(DataError, match=r"^[a-z_]+: x "):
                call(model, wrong)


def test_grey_images_may_lack_channels_and_tensors_that_fit_are_left_alone() -> None:
    model = made("vae", GREY)
    x = torch.rand(4, 1, 8, 8)
    assert torch.equal(model.encode(x[:, 0].numpy()).mean, model.encode(x).mean)
    # the means of a normal likelihood, and draws of it, may lie outside [0, 1]
    model.encode(x * 1.4 - 0.2)
    # what is differentiated may go anywhere, and gets its gradient
    free = (5 * x).requires_grad_()
    model.reconstruct(free).sum().backward()
    assert free.grad is not None


def test_vectors_and_targets_of_any_scale() -> None:
    model = made("regressor", VECTORS)
    x = np.array([[1e6, -3, 0], [1, 2, 3]])
    expected = model.predict(torch.tensor(x, dtype=torch.float32)).mean
    assert torch.equal(model.predict(x).mean, expected)
    assert torch.equal(model.predict(x.astype(int)).mean, expected)
    assert torch.equal(model.predict(x.tolist()).mean, expected)
    for wrong, message in (
        (x[0], r"shape \(3,\), but this model takes \(N, 3\): x.reshape\(1, 3\)"),
        (x[:, :2], r"shape \(2, 2\), but this model takes \(N, 3\)$"),
        (x * np.nan, "NaN or infinite"),
        (x * 1e200, "NaN or infinite"),
        (x.astype(complex), "array of complex128"),
        (torch.zeros(2, 3, dtype=torch.complex64), "real numbers"),
        (torch.zeros(2, 3, device="meta"), "is on meta, the model on cpu"),
        ([[1, 2, 3], [4]], "not a list"),
    ):
        with pytest.raises(DataError, match=message):
            model.predict(wrong)


def test_latents_of_the_right_shape() -> None:
    model = made("gan", GREY)
    z = torch.randn(2, model.latent.size)
    assert torch.equal(model.decode(z.double().numpy()).mean, model.decode(z).mean)
    with pytest.raises(DataError, match=r"z has shape \(2, 3\), but the latent space 'z' has \(N, 64\)"):
        model.decode(z[:, :3])
    with pytest.raises(ConfigError, match="unknown 'w'"):
        model.decode(z, space="w")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": -1}, "n must be a whole number, at least 1, not -1"),
        ({"n": 2.5}, r"not 2\.5"),
        ({"n": True}, "not True"),
        ({"n": 2, "seed": "a"}, "seed must be a whole number, 0 or more, not 'a'"),
        ({"n": 2, "seed": -1}, "not -1"),
        ({"n": 2, "truncation": "half"}, "truncation must be a number"),
    ],
)
def test_numbers_that_cannot_be(arguments: dict[str, Any], message: str) -> None:
    for name in ("vae", "conditional_gan"):
        with pytest.raises(ConfigError, match=f"^sample: .*{message}"):
            made(name, GREY).sample(**arguments)
    assert len(made("gan", GREY).sample(np.int64(3), np.int32(1))) == 3


def test_labels_are_whole_numbers_of_the_classes() -> None:
    model, x = made("conditional_gan", GREY), torch.rand(3, 1, 8, 8)
    for y, message in (
        ([0, 1], r"shape \(2,\)"),
        ([0.5, 0, 1], "whole number"),
        ([0, 1, 2], "choose 0 to 1"),
    ):
        with pytest.raises(DataError, match=message):
            model.discriminate(x, np.array(y))
    for k in (2, 1.5, None, True):
        with pytest.raises(ConfigError, match="choose a name, or 0 to 1"):
            model.for_class(k)


@pytest.mark.parametrize("name", [*MODELS, FLOW])
def test_what_a_model_lacks_is_said(name: str, tmp_path: Path) -> None:
    sizes = {"cyclegan": (32, 32), "pix2pix": (32, 32)}.get(name, (8, 8))
    target = sim.DataSpec("image", (1, *sizes)) if name == "pix2pix" else None
    target = VECTORS.target if name in ("mdn", "regressor") else target
    settings = {}
    if base := model_card(name).base:
        generator_run(tmp_path / "run", GREY)
        settings[base] = str(tmp_path / "run")
    spec = sim.DataSpec("image", (1, *sizes), ("cat", "dog"), target=target)
    if model_card(name).lacks(spec):
        text = "text" in model_card(name).kinds
        spec = SPECS["text"] if text else sim.DataSpec("vector", (3,), ("cat", "dog"))
    model = made(name, spec, **settings)
    every = {call for cls in model_class("vae").__mro__ for call in getattr(cls, "calls", ())}
    every |= {"predict", "translate", "discriminate", "for_class"}
    have = {
        call for kind in capabilities(model) for cls in kind.__mro__ for call in vars(cls).get("calls", ())
    }
    for call in every | have:
        assert hasattr(model, call) == (call in have)
        if call not in have:
            with pytest.raises(SimulacraError, match=f"this {type(model).__name__} .*"):
                getattr(model, call)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = model.nonsense
    with pytest.raises(ConfigError, match="is not called itself"):
        model(torch.rand(1))


def test_a_slip_of_the_pen_names_the_call() -> None:
    with pytest.raises(AttributeError, match="did you mean 'sample'"):
        _ = made("vae", GREY).smaple
    with pytest.raises(TypeError, match="unexpected keyword argument 'sed'"):
        made("vae", GREY).sample(3, sed=1)


def test_a_training_step_checks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = []
    monkeypatch.setattr(calls, "_limits", lambda x: values.append(len(x)))
    run: dict[str, Any] = {"steps": 3, "validate_every": 10, "sample_every": 10, "batch_size": 7}
    # both call themselves in `play`
    sim.train("classifier", "digits", tmp_path / "a", **run)
    sim.train(FLOW, "moons:200", tmp_path / "b", **run)
    assert 7 not in values
    made("vae", GREY).encode(torch.rand(7, 1, 8, 8))
    assert 7 in values


def test_only_the_users_own_call_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(calls, "_limits", lambda x: seen.append(tuple(x.shape)))
    model = made("vae", GREY)
    model.reconstruct(torch.rand(2, 1, 8, 8))
    assert seen == [(2, 1, 8, 8)]
    with trusted():
        model.reconstruct(torch.rand(2, 1, 8, 8))
    model.encode(torch.rand(2, 1, 8, 8))
    assert len(seen) == 2


class Decoder(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor) -> Tensor:
        mean: Tensor = self.model.decode(z).mean
        return mean


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch about itself
def test_calls_compile_export_and_transform() -> None:
    model = made("vae", GREY).requires_grad_(False)
    z = torch.randn(3, 16)
    x = model.decode(z).mean
    compiled = torch.compile(Decoder(model), fullgraph=True, backend="eager")
    assert torch.equal(compiled(z), x)
    rows = ({0: torch.export.Dim("n")},)
    exported = torch.export.export(Decoder(model), (z[:2],), dynamic_shapes=rows).module()
    torch.testing.assert_close(exported(z), x)
    torch.testing.assert_close(torch.vmap(lambda one: model.decode(one[None]).mean[0])(z), x)
    jacobian = torch.func.jacfwd(lambda z: model.decode(z).mean)(z[:1])
    torch.testing.assert_close(jacobian, torch.func.jacrev(lambda z: model.decode(z).mean)(z[:1]))
