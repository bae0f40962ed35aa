"""The classical VAE (784-400-20, batch 128, Adam 1e-3) on MNIST: this library and its peers.

    pip install pythae==0.1.2
    git clone https://github.com/pytorch/examples            # or any copy of it
    SIMULACRA_DATA=... python benchmarks/peers.py --examples examples/vae/main.py [--epochs 5]

Every epoch is trained by pytorch/examples, pythae, the engine (fp32) and the engine (bf16) in turn,
in one process. Prints median images/s, the ratios, the test ELBO each has reached after the same
epochs, and the time per image of an importance-sampled NLL (k = 5000) on equal nets.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import runpy
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from simulacra import data as sources
from simulacra.config import Training
from simulacra.core.noise import Noise
from simulacra.data import Data, Options
from simulacra.engine.loop import train
from simulacra.models.vae.card import VAEConfig
from simulacra.models.vae.model import VAE
from simulacra.run import Run, RunConfig

BATCH = 128
CONFIG = VAEConfig(latent_dim=20, net="mlp", hidden=(400,), likelihood="bernoulli")


class Peer:
    """Something that trains one more epoch, and encodes and decodes.

    Args:
        epoch: train one epoch; returns the images per second of its training loop.
        parts: the encoder, x `(B, 784)` -> mu and sigma, and the decoder, z -> logits `(B, 784)`.
    """

    def __init__(
        self,
        epoch: Callable[[int], float],
        parts: Callable[[], tuple[Callable[[Tensor], tuple[Tensor, Tensor]], Callable[[Tensor], Tensor]]],
    ) -> None:
        self.epoch, self.parts = epoch, parts

    @torch.no_grad()
    def elbo(self, x: Tensor) -> float:
        """Test ELBO with one sample, by the same code for all."""
        encode, decode = self.parts()
        mu, sigma = encode(x)
        z = mu + sigma * Noise(0).normal(*mu.shape)
        reconstruction = -F.binary_cross_entropy_with_logits(decode(z), x, reduction="none").sum(dim=1)
        kl = (0.5 * (mu**2 + sigma**2 - 1) - sigma.log()).sum(dim=1)
        return float((reconstruction - kl).mean())


def ours(data: Data, folder: Path, precision: Any) -> Peer:
    run = Run(folder / f"simulacra-{precision}")
    per_epoch = len(data.train) // BATCH
    models: list[VAE] = []

    def epoch(number: int) -> float:
        steps = (number + 1) * per_epoch
        training = Training(steps=steps, batch_size=BATCH, precision=precision, log_every=per_epoch)
        with contextlib.redirect_stderr(io.StringIO()):
            model = train(run, RunConfig("vae", CONFIG, data.name, Options(), data.spec, training), data)
        assert isinstance(model, VAE)
        models.append(model)
        return float(run.events("train")[-1]["images_per_second"])

    def parts() -> Any:
        model = models[-1]
        return model._posterior, lambda z: model.decoder(z).flatten(1)

    return Peer(epoch, parts)


def examples(script: Path, data: Data) -> Peer:
    """pytorch/examples' own script: its loader, its loss, its loop."""
    try:
        import torchvision  # noqa: F401  # only whether it can be
    except (ImportError, RuntimeError):
        print("torchvision cannot be imported: a stand-in loads the data, faster than the real one")
        for name in ("torchvision", "torchvision.utils"):
            sys.modules[name] = _torchvision(data)
    # it keeps its data beside its own folder
    os.chdir(script.parent)
    sys.argv = [str(script), "--no-accel", "--batch-size", str(BATCH), "--log-interval", "1000000"]
    with contextlib.redirect_stdout(io.StringIO()):
        program = runpy.run_path(str(script), run_name="peer")
    model = program["model"]

    def epoch(number: int) -> float:
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            program["train"](number + 1)
        return len(program["train_loader"].dataset) / (time.perf_counter() - began)

    def encode(x: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = model.encode(x)
        return mu, (0.5 * logvar).exp()

    return Peer(epoch, lambda: (encode, lambda z: torch.logit(model.decode(z), eps=1e-7)))


def _torchvision(data: Data) -> Any:
    """What the script asks of torchvision, for machines without it."""

    class MNIST(torch.utils.data.Dataset[Any]):
        def __init__(self, root: str, train: bool, transform: Any, download: bool = False) -> None:
            part = data.train if train else data.test
            self.data, self.targets, self.transform = torch.from_numpy(part.x[:, 0]), part.y, transform

        def __len__(self) -> int:
            return len(self.data)

        def __getitem__(self, index: int) -> tuple[Tensor, int]:
            return self.transform(Image.fromarray(self.data[index].numpy())), int(self.targets[index])

    def to_tensor(picture: Image.Image) -> Tensor:
        array = np.array(picture, np.uint8, copy=True)
        image = torch.from_numpy(array).view(picture.size[1], picture.size[0], 1)
        return image.permute(2, 0, 1).contiguous().to(torch.float32).div(255)

    module: Any = types.ModuleType("torchvision")
    module.datasets = types.SimpleNamespace(MNIST=MNIST)
    module.transforms = types.SimpleNamespace(ToTensor=lambda: to_tensor)
    module.save_image = None
    return module


def pythae(data: Data, folder: Path) -> tuple[Peer, Any]:
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE as PythaeVAE
    from pythae.models import VAEConfig as PythaeConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    class Encoder(BaseEncoder):  # type: ignore[misc]  # untyped package
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.mu, self.log_var = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)

        def forward(self, x: Tensor) -> Any:
            h = F.relu(self.hidden(x.flatten(1)))
            return ModelOutput(embedding=self.mu(h), log_covariance=self.log_var(h))

    class Decoder(BaseDecoder):  # type: ignore[misc]  # untyped package
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.out = nn.Linear(20, 400), nn.Linear(400, 784)

        def forward(self, z: Tensor) -> Any:
            logits = self.out(F.relu(self.hidden(z)))
            return ModelOutput(reconstruction=logits.sigmoid().reshape(-1, 1, 28, 28), logits=logits)

    config = PythaeConfig(input_dim=(1, 28, 28), latent_dim=20, reconstruction_loss="bce")
    model = PythaeVAE(config, encoder=Encoder(), decoder=Decoder())
    settings = BaseTrainerConfig(
        output_dir=str(folder / "pythae"), learning_rate=1e-3, num_epochs=1000, no_cuda=True,
        per_device_train_batch_size=BATCH, per_device_eval_batch_size=BATCH,
    )  # fmt: skip
    table = torch.from_numpy(data.train.x).float() / 255
    dataset = BaseDataset(table, torch.zeros(len(table)))
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        trainer = BaseTrainer(model, train_dataset=dataset, training_config=settings)
        trainer.prepare_training()
    # no progress bars in the time
    trainer.callback_handler.callbacks = []

    def epoch(number: int) -> float:
        began = time.perf_counter()
        trainer.train_step(number + 1)
        return len(table) / (time.perf_counter() - began)

    def encode(x: Tensor) -> tuple[Tensor, Tensor]:
        out = model.encoder(x)
        return out.embedding, (0.5 * out.log_covariance).exp()

    return Peer(epoch, lambda: (encode, lambda z: model.decoder(z)["logits"])), model


def same_nets(theirs: Any, data: Data) -> VAE:
    """Our VAE with pythae's weights: mu equal, sigma = exp(log_var / 2) equal up to its activation."""
    model = VAE(data.spec, CONFIG)
    encoder, decoder = model.encoder.layers, model.decoder.layers
    with torch.no_grad():
        for mine, other in (
            (encoder[0], theirs.encoder.hidden),
            (decoder[0], theirs.decoder.hidden),
            (decoder[2], theirs.decoder.out),
        ):
            mine.weight.copy_(other.weight)
            mine.bias.copy_(other.bias)
        encoder[2].weight.copy_(torch.cat([theirs.encoder.mu.weight, theirs.encoder.log_var.weight]))
        encoder[2].bias.copy_(torch.cat([theirs.encoder.mu.bias, theirs.encoder.log_var.bias]))
    return model


@torch.no_grad()
def nll(theirs: Any, data: Data, rounds: int = 3, images: int = 4) -> None:
    model = same_nets(theirs, data)
    x = torch.from_numpy(data.test.x[:images]).float() / 255
    seconds: dict[str, list[float]] = {"pythae get_nll": [], "simulacra": []}
    for _ in range(rounds):
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            theirs.get_nll(x, n_samples=5000, batch_size=100)
        seconds["pythae get_nll"].append((time.perf_counter() - began) / images)
        began = time.perf_counter()
        model.log_likelihood(x, Noise(0), 5000)
        seconds["simulacra"].append((time.perf_counter() - began) / images)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in medians.items():
        print(f"NLL, k = 5000: {name:16} {value * 1000:8.1f} ms an image")
    print(f"NLL ratio: {medians['pythae get_nll'] / medians['simulacra']:.2f}")


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--examples", type=Path, required=True, help="pytorch/examples' vae/main.py")
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    data = sources.load("mnist")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        theirs, their_model = pythae(data, folder)
        peers = {
            "pytorch/examples": examples(arguments.examples.resolve(), data),
            "pythae 0.1.2": theirs,
            "simulacra fp32": ours(data, folder, "32"),
            "simulacra bf16": ours(data, folder, "bf16"),
        }
        speeds: dict[str, list[float]] = {peer: [] for peer in peers}
        for number in range(arguments.epochs):
            for peer, one in peers.items():
                speeds[peer].append(one.epoch(number))
        x = torch.from_numpy(data.test.x).float().flatten(1) / 255
        for peer, one in peers.items():
            speed = statistics.median(speeds[peer])
            print(f"{peer:18} {speed:9,.0f} images/s   test ELBO {one.elbo(x):8.2f}")
        median = {peer: statistics.median(values) for peer, values in speeds.items()}
        for mine in ("simulacra fp32", "simulacra bf16"):
            for other in ("pythae 0.1.2", "pytorch/examples"):
                print(f"{mine} / {other}: {median[mine] / median[other]:.2f} times as fast")
        nll(their_model, data)


if __name__ == "__main__":
    main()
