"""Weights from elsewhere: a checkpoint of rosinality/stylegan2-pytorch becomes a run.

That layout is also what the exporters of other StyleGAN2 codebases write: `g_ema`, the generator;
`latent_avg`, the mean of w; and often `d`, the discriminator. Its nets are those of `stylegan` under other
names, with weights that are drawn and scaled alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import log2
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from simulacra import data as sources
from simulacra import limits, tensors
from simulacra.core.noise import Noise, derive_seed
from simulacra.data.spec import ARRAYS, DataSpec, Options
from simulacra.errors import LimitError, RunError, printable, shorten
from simulacra.files import check_unused
from simulacra.models.registry import build, model_card
from simulacra.run import Run, RunConfig

MODEL = "stylegan"
# draws of z whose mean w stands in for a mean that a checkpoint does not have
DRAWS = 10_000
# weight of R1 that these nets are trained with (Karras et al. 2020): r1 / 2 |gradient|^2
R1 = 10.0


def convert(file: Path, out: Path, source: str | None = None) -> Run:
    """Write a run with the weights of a checkpoint, ready to sample from.

    Args:
        file: the checkpoint.
        out: the run folder, which must not exist or be empty.
        source: the data that the weights were trained on, for reports; unknown for None.

    Raises:
        RunError: the file holds anything but tensors, or not these nets; or the folder is not empty.
        DataError: the source is not there, or its images are of another size.
    """
    check_unused(out)
    state = read(file)
    found = _part(state, "g_ema", file)
    config, spec = settings(found, file)
    options = Options(image_size=spec.shape[1], channels=spec.shape[0])
    if source is not None:
        source = sources.full_name(source)
        spec = sources.load(source, options).spec
    with torch.random.fork_rng(devices=[]):
        # of what the file does not have
        torch.manual_seed(derive_seed(0))
        model: Any = build(MODEL, spec, config, each=8)
    weights = _generator(found, model, file)
    if "d" in state:
        weights |= _discriminator(_part(state, "d", file), model, file)
    _load(model, weights, file)
    if "latent_avg" in state:
        mean = state["latent_avg"]
        if not isinstance(mean, Tensor) or mean.numel() != config.latent_dim:
            raise RunError(f"{file}: 'latent_avg' is not a vector of {config.latent_dim} numbers")
        model.mapping.w_avg.copy_(mean.flatten())
    else:
        with torch.no_grad():
            z = model.input_space.sample(DRAWS, Noise(0))
            model.mapping.w_avg.copy_(model.mapping(z).mean(dim=0))
    run = Run(out)
    settled = RunConfig(
        MODEL, config, source or f"{ARRAYS}:{file.name}", options, spec, model_card(MODEL).training
    )
    with run.opened(settled):
        kept = {name: value for name, value in model.state_dict().items() if name not in model.training_only}
        tensors.write(run.weights, kept)
    return run


def read(file: Path) -> Mapping[str, Any]:
    """The tensors of a checkpoint; nothing else in it is read.

    Raises:
        RunError: it cannot be read, or holds Python objects.
    """
    try:
        limits.open_regular(file, limits.ARRAY_BYTES).close()
        state = torch.load(file, map_location="cpu", weights_only=True)
    except LimitError as error:
        raise RunError(f"{file}: {error}") from None
    except OSError as error:
        raise RunError(f"{file}: cannot be read ({error.strerror or 'it is no checkpoint'})") from None
    except UnpicklingError as error:
        raise RunError(f"{file}: {_refused(str(error))}") from None
    # a file of another kind
    except Exception as error:
        reason = shorten((str(error).splitlines() or [""])[0], 200)
        raise RunError(f"{file}: is not a checkpoint of tensors ({printable(reason)})") from None
    if not isinstance(state, Mapping):
        raise RunError(f"{file}: holds no tensors by name")
    return state


def _refused(message: str) -> str:
    """Why a pickle is not read; a sentence."""
    what = re.search(r"GLOBAL ([\w.]+)", message)
    objects = f"Python objects ({what[1]})" if what else "a pickled program"
    return (
        f"holds {objects}, and reading them would run code from the file; where you trust it, load it with"
        " its own program and save the tensors alone: torch.save({'g_ema': generator.state_dict()}, 'g.pt')"
    )


def _part(state: Mapping[str, Any], name: str, file: Path) -> dict[str, Tensor]:
    part = state.get(name)
    if not isinstance(part, Mapping) or not all(isinstance(value, Tensor) for value in part.values()):
        names = shorten(", ".join(map(str, state)) or "nothing", 200)
        raise RunError(
            f"{file}: has no '{name}' of tensors (it has: {printable(names)}); a checkpoint of"
            " rosinality/stylegan2-pytorch has one"
        )
    return dict(part)


def settings(found: Mapping[str, Tensor], file: Path) -> tuple[Any, DataSpec]:
    """Config and data of the nets that a generator's tensors have, by their shapes.

    Raises:
        RunError: they are of other nets.
    """
    levels = sum(1 for name in found if re.fullmatch(r"convs\.\d+\.conv\.weight", name)) // 2
    depth = sum(1 for name in found if re.fullmatch(r"style\.\d+\.weight", name))
    side = 4 * 2**levels
    try:
        w = found["style.1.weight"].shape[1]
        widths = [found["input.input"].shape[1]]
        widths += [found[f"convs.{2 * k + 1}.conv.weight"].shape[1] for k in range(levels)]
        channels = found["to_rgb1.bias"].numel()
    except (KeyError, IndexError) as error:
        raise RunError(
            f"{file}: 'g_ema' is not a generator of rosinality/stylegan2-pytorch ({error})"
        ) from None
    expected = [min(widths[-1] * 2 ** (levels - k), max(widths)) for k in range(levels + 1)]
    if widths != expected:
        raise RunError(f"{file}: channels {widths} from 4 to {side} pixels are not doubled at every halving")
    spec = DataSpec("image", (channels, side, side))
    card = model_card(MODEL)
    card.check(spec)
    config = card.Config(
        latent_dim=w, mapping_depth=depth, width=widths[-1], widest=max(widths), lazy=16, r1=R1
    )
    return config, spec


def _generator(found: dict[str, Tensor], model: Any, file: Path) -> dict[str, Tensor]:
    """Its tensors by the names of the model."""
    layers, shown = len(model.generator.layers), len(model.generator.images)
    theirs = ["conv1", *(f"convs.{i}" for i in range(layers - 1))]
    images = ["to_rgb1", *(f"to_rgbs.{i}" for i in range(shown - 1))]
    names = {"input.input": "generator.constant"}
    for i in range(model.config.mapping_depth):
        for one in ("weight", "bias"):
            names[f"style.{i + 1}.{one}"] = f"mapping.layers.{i}.{one}"
    for i, name in enumerate([*theirs, *images]):
        ours = f"layers.{i}" if i < layers else f"images.{i - layers}"
        names[f"{name}.conv.weight"] = f"generator.{ours}.conv.weight"
        names[f"{name}.activate.bias" if i < layers else f"{name}.bias"] = f"generator.{ours}.bias"
        for one in ("weight", "bias"):
            names[f"{name}.conv.modulation.{one}"] = f"generator.affines.{i}.{one}"
    for i, name in enumerate(theirs):
        names[f"{name}.noise.weight"] = f"generator.layers.{i}.noise_strength"
        names[f"noises.noise_{i}"] = f"noise_{i}"
    return _renamed(found, names, "g_ema", file)


def _discriminator(found: dict[str, Tensor], model: Any, file: Path) -> dict[str, Tensor]:
    names = {"convs.0.0.weight": "first.weight", "convs.0.1.bias": "first.bias"}
    for k in range(int(log2(model.spec.shape[1])) - 2):
        block = f"convs.{k + 1}"
        names |= {
            f"{block}.conv1.0.weight": f"blocks.{k}.first.weight",
            f"{block}.conv1.1.bias": f"blocks.{k}.first.bias",
            f"{block}.conv2.1.weight": f"blocks.{k}.second.weight",
            f"{block}.conv2.2.bias": f"blocks.{k}.second.bias",
            f"{block}.skip.1.weight": f"blocks.{k}.shortcut.weight",
        }
    names |= {"final_conv.0.weight": "conv.weight", "final_conv.1.bias": "conv.bias"}
    for i, ours in enumerate(("linear", "head")):
        names |= {f"final_linear.{i}.{one}": f"{ours}.{one}" for one in ("weight", "bias")}
    return _renamed(found, {name: f"discriminator.{ours}" for name, ours in names.items()}, "d", file)


def _renamed(found: dict[str, Tensor], names: Mapping[str, str], part: str, file: Path) -> dict[str, Tensor]:
    """Tensors by our names.

    Raises:
        RunError: some are missing, there are others, or a low-pass filter is another one.
    """
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    for name, kernel in list(found.items()):
        if name.endswith(".kernel"):
            del found[name]
            if kernel.shape != (4, 4) or not torch.allclose(kernel / kernel[0, 0], taps[:, None] * taps):
                raise RunError(f"{file}: '{part}' resamples with another filter than [1, 3, 3, 1] ({name})")
    for wrong, what in ((names.keys() - found, "has no"), (found.keys() - names.keys(), "also has")):
        if wrong:
            raise RunError(
                f"{file}: '{part}' {what} {printable(shorten(', '.join(sorted(wrong)), 200))}, so it is not"
                " of rosinality/stylegan2-pytorch"
            )
    return {names[name]: value.float() for name, value in found.items()}


def _load(model: Any, weights: dict[str, Tensor], file: Path) -> None:
    """Put weights into the model; those of one element more or less at the front have its shapes.

    Raises:
        RunError: their shapes are others.
    """
    state = model.state_dict() | {f"noise_{i}": noise for i, noise in enumerate(model.fixed_noise)}
    for name, value in weights.items():
        ours = state[name]
        # a leading 1 of weights, and biases and strengths of one dimension more
        if [n for n in value.shape if n > 1] != [n for n in ours.shape if n > 1]:
            raise RunError(f"{file}: {name} has shape {tuple(value.shape)}, not {tuple(ours.shape)}")
        state[name] = value.reshape(ours.shape)
    model.load_state_dict(state)
