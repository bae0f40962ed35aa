"""The calls most programs need: `load_data`, `train` a model on data, `load` a run."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from simulacra import data as sources
from simulacra.config import Training, configure
from simulacra.data import Data, Options
from simulacra.data.arrays import Trainable, fingerprint, read_arrays
from simulacra.data.leaks import leak
from simulacra.data.spec import is_arrays
from simulacra.engine.distributed import find_device, is_first_process
from simulacra.errors import ConfigError, DataError
from simulacra.models.registry import model_card, short_name
from simulacra.run import Run, RunConfig

if TYPE_CHECKING:
    from simulacra.models.autoencoder.model import Autoencoder
    from simulacra.models.autoencoder_kl.model import AutoencoderKL
    from simulacra.models.classifier.model import Classifier
    from simulacra.models.conditional_flow_matching.model import ConditionalFlowMatching
    from simulacra.models.conditional_gan.model import ConditionalGAN
    from simulacra.models.conditional_stylegan.model import ConditionalStyleGAN
    from simulacra.models.cyclegan.model import CycleGAN
    from simulacra.models.dfc_vae.model import DFCVAE
    from simulacra.models.flow.model import Flow
    from simulacra.models.flow_matching.model import FlowMatching
    from simulacra.models.gan.model import GAN
    from simulacra.models.gan_encoder.model import GANEncoder
    from simulacra.models.generator.model import Generator
    from simulacra.models.gmm.model import GMM
    from simulacra.models.language_model.model import LanguageModel
    from simulacra.models.mdn.model import MDN
    from simulacra.models.naive.model import Naive
    from simulacra.models.pca.model import PCA
    from simulacra.models.pix2pix.model import Pix2Pix
    from simulacra.models.regressor.model import Regressor
    from simulacra.models.sentence_autoencoder.model import SentenceAutoencoder
    from simulacra.models.sentence_vae.model import SentenceVAE
    from simulacra.models.stylegan.model import StyleGAN
    from simulacra.models.vae.model import VAE


# a type for each registered model
@overload
def train(
    model: Literal["autoencoder"], data: Trainable, out: str | Path | None = None, **settings: Any
) -> Autoencoder: ...
@overload
def train(
    model: Literal["autoencoder_kl"], data: Trainable, out: str | Path | None = None, **settings: Any
) -> AutoencoderKL: ...
@overload
def train(
    model: Literal["classifier"], data: Trainable, out: str | Path | None = None, **settings: Any
) -> Classifier: ...
@overload
def train(
    model: Literal["conditional_flow_matching"],
    data: Trainable,
    out: str | Path | None = None,
    **settings: Any,
) -> ConditionalFlowMatching: ...
@overload
def train(
    model: Literal["conditional_gan"], data: Trainable, out: str | Path | None = None, **settings: Any
) -> ConditionalGAN: ...
@overload
def train(
    model: Literal["conditional_stylegan"], data: Trainable, out: str | Path | None = None, **settings: Any
) -> ConditionalStyleGAN: ...
@overload
def train(
    model: Literal["cyclegan"], data: Trainable, out: str | Path | None = None, **settings: Any
) -> CycleGAN: ...
@overload
def train(
    model: Literal["dfc_vae"], data: Trainable, out: str | Path | None = None, **settings: Any
) -> DFCVAE: ...
@overload
def train(
    model: Literal["flow"], data: Trainable, out: str | Path | None = None, **settings: Any
) -> Flow: ...
@overload
def train(
    model: Literal["flow_matching"], data: Trainable, out: str | Path | None = None, **settings: Any
) -> FlowMatching: ...
@overload
def train(model: Literal["gan"], data: Trainable, out: str | Path | None = None, **settings: Any) -> GAN: ...
@overload
def train(
    model: Literal["gan_encoder"],
    data: Trainable | None = None,
    out: str | Path | None = None,
    **settings: Any,
) -> GANEncoder: ...
@overload
def train(
    model: Literal["generator"], data: Trainable, out: str | Path | None = None, **settings: Any
) -> Generator: ...
@overload
def train(model: Literal["gmm"], data: Trainable, out: str | Path | None = None, **settings: Any) -> GMM: ...
@overload
def train(model: Literal["mdn"], data: Trainable, out: str | Path | None = None, **settings: Any) -> MDN: ...
@overload
def train(
    model: Literal["naive"], data: Trainable, out: str | Path | None = None, **settings: Any
) -> Naive: ...
@overload
def train(model: Literal["pca"], data: Trainable, out: str | Path | None = None, **settings: Any) -> PCA: ...
@overload
def train(
    model: Literal["pix2pix"], data: Trainable, out: str | Path | None = None, **settings: Any
) -> Pix2Pix: ...
@overload
def train(
    model: Literal["regressor"], data: Trainable, out: str | Path | None = None, **settings: Any
) -> Regressor: ...
@overload
def train(
    model: Literal["stylegan"], data: Trainable, out: str | Path | None = None, **settings: Any
) -> StyleGAN: ...
@overload
def train(
    model: Literal["language_model"], data: Trainable, out: str | Path | None = None, **settings: Any
) -> LanguageModel: ...


@overload
def train(
    model: Literal["sentence_autoencoder"], data: Trainable, out: str | Path | None = None, **settings: Any
) -> SentenceAutoencoder: ...


@overload
def train(
    model: Literal["sentence_vae"], data: Trainable, out: str | Path | None = None, **settings: Any
) -> SentenceVAE: ...


@overload
def train(model: Literal["vae"], data: Trainable, out: str | Path | None = None, **settings: Any) -> VAE: ...
@overload
def train(model: str, data: Trainable, out: str | Path | None = None, **settings: Any) -> Any: ...


def train(model: str, data: Any = None, out: str | Path | None = None, **settings: Any) -> Any:
    """Train a model on data in a run folder; the same call again resumes or returns it.

    Args:
        model: a name in `sim.MODELS`, or `path/to/file.py:Class`.
        data: a source, e.g. `digits` or `folder:holiday.zip`; arrays X or (X, y), as `load_data` takes them;
            or loaded data. A run does not store arrays. None: a `gan_encoder` takes the generator's.
        out: the run folder; `runs/SOURCE-MODEL` when not given.
        settings: any field of the model's Config, of `Training`, or of `Options`.

    Returns:
        The trained model: of the class that `model` names, e.g. `sim.VAE`.

    Raises:
        SimulacraError: the subclass says what is at fault: settings, data or run folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = train("vae", "digits", f"{folder}/run", latent_dim=2, steps=3)
    >>> model.config.latent_dim
    2
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = train("pca", X, f"{folder}/run", latent_dim=2)
    >>> model.log_likelihood(X).shape
    torch.Size([200])
    >>> sentences = [f"{who} {what}." for who in ("A cat", "The dog") for what in ("sat", "ran")] * 10
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = train("sentence_vae", sentences, f"{folder}/run", steps=3, width=8, split="blocks")
    >>> len(model.texts(model.sample(5, seed=0)))
    5
    """
    one = model_card(model)
    config, training, options = configure((one.Config(), one.training, Options()), settings)
    data, options = data_for(model, config, data, options)
    return start(model, data, out, config, training, options)


def data_for(model: str, config: Any, data: Any, options: Options) -> tuple[Any, Options]:
    """The data of a training, and how they are read.

    A model that is trained for that of another run gets the data of that run where none are named, and
    images of a source in the size of those.

    Raises:
        ConfigError: the other run is not named.
        RunError: there is no such run, or it is not trained.
    """
    base = model_card(model).base
    if not base:
        return data, options
    if not getattr(config, base):
        raise ConfigError(f"{base}: name the run folder of a trained {base}, e.g. --{base} runs/gan")
    run = Run(getattr(config, base))
    run.check_trained()
    given = {key: value for key, value in vars(options).items() if value != getattr(Options(), key)}
    if data is None:
        return run.config.source, replace(run.config.options, **given)
    spec = run.config.spec
    if isinstance(data, str | Path) and spec.kind == "image" and spec.shape[1] == spec.shape[2]:
        options = replace(options, **{"channels": spec.shape[0], "image_size": spec.shape[1], **given})
    return data, options


def start(
    model: str, data: Any, out: str | Path | None, config: Any, training: Training, options: Options
) -> Any:
    """`train` with its settings already in their dataclasses."""
    ready = prepare(model, data, out, config, training, options)
    # It imports lightning-fabric, which takes seconds.
    from simulacra.engine.loop import train as play

    return play(*ready)


def prepare(
    model: str, data: Any, out: str | Path | None, config: Any, training: Training, options: Options
) -> tuple[Run, RunConfig, Data]:
    """The run folder, the config and the loaded data of a training that can be started; writes nothing.

    Raises:
        SimulacraError: the subclass says what is at fault: settings, data or run folder.
    """
    loaded = None if isinstance(data, str | Path) else read_arrays(data, options)
    source = sources.full_name(str(data)) if loaded is None else fingerprint(loaded)
    if loaded is None and source != str(data) and is_first_process():
        print(f"simulacra: {data} is read as {source}", file=sys.stderr)
    run = Run(out or default_run(model, source))
    check(run, model, source, config, training, options)
    if loaded is None:
        loaded = sources.load(source, options)
    model_card(model).check(loaded.spec)
    if is_first_process() and not run.started and (found := leak(loaded, options)) is not None:
        print(f"simulacra: {loaded.name}: {found}", file=sys.stderr)
    return run, RunConfig(model, config, source, options, loaded.spec, training), loaded


def check(run: Run, model: str, source: str, config: Any, training: Training, options: Options) -> None:
    """Refuse in a moment what can be refused before the data are read.

    Raises:
        SimulacraError: the subclass says what is at fault: settings, data or run folder.
    """
    if options.split == "none":
        raise DataError("split: none leaves nothing to train on; choose hash, time, blocks or column:NAME")
    if not is_arrays(source):
        if (split := sources.parse(source)[2]) is not None:
            raise DataError(f"data '{source}': a training uses every split; leave '@{split}' out")
        spec = sources.peek(source, options)
        if spec is not None:
            model_card(model).check(spec)
    if is_first_process():
        run.check_free()
        if run.started:
            run.check_settings(RunConfig(model, config, source, options, run.config.spec, training))
    # last: it imports torch
    find_device(training)


def default_run(model: str, source: str) -> Path:
    """`runs/SOURCE-MODEL`.

    >>> default_run("vae", "folder:pictures/holiday.zip").as_posix()
    'runs/holiday-vae'
    >>> default_run("vae", "arrays:5f3c91ab02d4e6f8").as_posix()
    'runs/arrays-5f3c91ab02d4e6f8-vae'
    """
    if is_arrays(source):
        return Path("runs") / f"{source.replace(':', '-')}-{short_name(model)}"
    name, argument, _ = sources.parse(source)
    from_path = argument and sources.SOURCES[name].usage.endswith(":PATH")
    return Path("runs") / f"{Path(argument).stem if from_path else name}-{short_name(model)}"


def load_data(data: Trainable, options: Options | None = None, **settings: Any) -> Data:
    """Load data with their three splits: train, validation and test.

    Args:
        data: a source; `Data`; a `Dataset`, which is split; or arrays or tensors X or (X, y): X images
            `(N, H, W)`, `(N, C, H, W)` or `(N, H, W, C)`, uint8 or floats in [0, 1], or vectors `(N, D)`; y
            classes `(N,)`, whole numbers or strings, or targets: floats `(N,)`, `(N, T)`, or images. Whole
            numbers that belong to vectors are both. X may be sentences, a list or an array of `str`.
        options: how they are read.
        settings: fields of `Options` to change, e.g. `image_size=32` or `target="price"`.

    Raises:
        DataError: there is no such source, or the data cannot be used.
        ConfigError: an unknown setting.

    >>> load_data("digits", image_size=16).spec.shape
    (1, 16, 16)
    """
    if not isinstance(options, Options | None):
        raise ConfigError(f"options must be Options, not {options!r}; write settings by name: image_size=32")
    (options,) = configure((options or Options(),), settings)
    if isinstance(data, str | Path):
        return sources.load(str(data), options)
    return read_arrays(data, options)


def load(path: str | Path, prior: str | None = None) -> Any:
    """The trained model of a run folder, on the CPU and in evaluation mode, with its capabilities.

    Args:
        path: the run folder.
        prior: name of a density that was fitted to its latents (`simulacra density`); when not given, the
            prior of the model itself, and where it has none, the density that was fitted last.

    Raises:
        RunError: there is no run, it has no weights yet, or there is no such prior.
    """
    return Run(path).load(prior)
