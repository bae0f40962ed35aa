"""Capabilities: what a trained model can do, as classes that models inherit, with the code that they share.

Tools are written against these classes, never against a model's own class. A capability also carries what
tools need to know about it: its report cards, the lines of Python and of the shell that use it, the images
of its training previews, and the message to a user whose model lacks it.
"""

from __future__ import annotations

import shlex
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from inspect import isfunction
from typing import Any, ClassVar, TypeVar, cast

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution

from simulacra.core.batch import Batch, in_order, max_batch, random_subset, tensor
from simulacra.core.calls import checked, whole_number
from simulacra.core.decoding import Decoding
from simulacra.core.model import LatentModel, Model
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec, is_arrays
from simulacra.errors import ConfigError, RunError, nearest, nearest_class

# Samples drawn and decoded at a time. Always as many, so that n samples of a seed are the first n of more.
BLOCK = {"image": 64, "vector": 1024, "text": 256}
# samples in a training preview, reconstructions, translations
PREVIEWED, RECONSTRUCTED, TRANSLATED = 64, 32, 16
# vectors that show the density of an untrained net
UNTRAINED_POINTS = 100_000
# of a conditional model: samples of each class, classes
PER_CLASS, CLASSES = 8, 10


@dataclass(frozen=True)
class Preview:
    """Images `(N, C, H, W)` in [0, 1] that show how a training goes, `columns` of them in a row."""

    images: Tensor
    columns: int | None = None


# name of a call -> the capability that has it
_CAPABILITY_OF: dict[str, type[Capability]] = {}


class MissingCapabilityError(RunError, AttributeError):
    """A call that a model has no capability for."""


class Capability(Model, ABC):
    """Something a trained model can do.

    Attributes:
        missing: why a tool cannot use a model without it, and what to do; a sentence that follows "a NAME".
        verb: the command that needs it; empty where it is only one option of a command.
        cards: module with its report cards, in a `CARDS`; empty for none.
        takes_x: whether `usage` starts from examples x.
        calls: its methods whose arguments are checked (`simulacra.core.calls`).
        any_size: whether images x may have any height and width.
    """

    missing: ClassVar[str]
    verb: ClassVar[str] = ""
    cards: ClassVar[str] = ""
    takes_x: ClassVar[bool] = False
    calls: ClassVar[tuple[str, ...]] = ()
    any_size: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "calls" in vars(cls):
            _CAPABILITY_OF.update(dict.fromkeys(cls.calls, cls))
        for name in _CAPABILITY_OF.keys() & vars(cls).keys():
            call = vars(cls)[name]
            if isfunction(call) and not getattr(call, "__isabstractmethod__", False):
                setattr(cls, name, checked(call))

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError as error:
            if name in _CAPABILITY_OF:
                raise MissingCapabilityError(
                    f"this {type(self).__name__} {_CAPABILITY_OF[name].missing}"
                ) from None
            close = () if name.startswith("_") else get_close_matches(name, self._calls(), n=1)
            if not close:
                raise
            raise AttributeError(f"{error}; did you mean '{close[0]}'?") from None

    def forward(self, *_: Any, **__: Any) -> Any:
        """Raises ConfigError: a model is used through its capabilities."""
        raise ConfigError(
            f"a {type(self).__name__} is not called itself; call its {', '.join(self._calls())}"
        )

    def __repr__(self) -> str:
        """Name, data, size and calls in a line; its nets print as in torch."""
        return f"{super().__repr__()[:-1]}: {', '.join(self._calls())})"

    def _calls(self) -> list[str]:
        return [name for name, kind in _CAPABILITY_OF.items() if isinstance(self, kind)]

    def usage(self) -> list[str]:
        """Lines of Python that use it, for the model card."""
        return []

    def commands(self, run: str, source: str, seed: int) -> list[list[str]]:
        """Commands that use it on a run trained on `source`, for the report."""
        return []

    def preview(self, examples: Dataset, seed: int) -> Preview | None:
        """Images for the sample grids of a training, always from the same latents or examples."""
        return None


C = TypeVar("C", bound=Capability)


def capabilities(model: Model) -> list[type[Capability]]:
    """The most specific capabilities of a model, in its order of inheritance."""
    found = [cls for cls in type(model).__mro__ if issubclass(cls, Capability) and "missing" in vars(cls)]
    return [cls for i, cls in enumerate(found) if not any(issubclass(other, cls) for other in found[:i])]


def usage(model: Model) -> list[str]:
    """Lines of Python that use a model, starting from examples x where it takes some."""
    kinds, one = capabilities(model), cast(Any, model)
    lines = [line for kind in kinds for line in kind.usage(one)]
    if not kinds[0].takes_x:
        return lines
    spec = model.spec
    if spec.kind == "text":
        return ['x = ["A first sentence.", "A second one."]', *lines]
    values = " in [0, 1]" if spec.kind == "image" else ""
    return [f"x = ...  # float32, (N, {', '.join(map(str, spec.shape))}){values}", *lines]


def commands(model: Model, run: str, source: str, seed: int) -> list[list[str]]:
    """Words of the commands that use a run of the model, after `simulacra`."""
    kinds = capabilities(model)
    source = "SOURCE" if is_arrays(source) else source
    return [words for kind in kinds for words in kind.commands(cast(Any, model), run, source, seed)]


def preview(model: Model, examples: Dataset, seed: int) -> Preview | None:
    """Images for the sample grids of a training: of the first capability that has some."""
    for kind in capabilities(model):
        if (found := kind.preview(cast(Any, model), examples, seed)) is not None:
            return found
    return None


def require(model: Model, capability: type[C], run: object, name: str, source: str) -> C:
    """The model, which has to have a capability.

    Args:
        model: a trained model.
        capability: the class that it must inherit.
        run: its run folder, for the message.
        name: the model's name, for the message.
        source: the data that it was trained on, for the message.

    Raises:
        RunError: it does not; the message says what to do.
    """
    if not isinstance(model, capability):
        others = commands(model, str(run), source, 0) if capability.verb else []
        use = f", or use: simulacra {shlex.join(others[0])}" if others else ""
        raise RunError(f"{run}: this {name} {capability.missing}{use}")
    return model


class Encodes(Capability, LatentModel):
    """Encodes examples as latents."""

    missing = "has no encoder; train an autoencoder, a vae or a pca, or a gan_encoder for a generator"
    calls: ClassVar[tuple[str, ...]] = ("encode",)
    cards = "simulacra.report.latents"
    takes_x = True

    @abstractmethod
    def encode(self, x: Tensor, space: str | None = None) -> Distribution:
        """q(z | x), a distribution with a mean `(B, *shape of the space)`.

        Args:
            x: images `(B, C, H, W)` in [0, 1], or vectors `(B, D)`.
            space: name of the latent space; the default one for None.
        """

    def usage(self) -> list[str]:
        return ["z = model.encode(x).mean"]

    def collapse_remedies(self) -> list[str]:
        return ["a smaller --lr", "more --steps"]


class Decodes(Capability, LatentModel):
    """Decodes latents to examples."""

    missing = "has no decoder; train a vae, a gan or a pca"
    calls: ClassVar[tuple[str, ...]] = ("decode",)
    cards = "simulacra.report.latents"

    @abstractmethod
    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        """p(x | z), a distribution with a mean `(B, C, H, W)` in [0, 1] or `(B, D)`.

        Args:
            z: latents `(B, *shape of the space)`.
            space: name of the latent space; the default one for None.
        """


class Reconstructs(Encodes, Decodes):
    """Encodes examples and decodes the latents again."""

    verb = "reconstruct"
    missing = (
        "cannot reconstruct, since it has no encoder; train an autoencoder, a vae or a pca, or a gan_encoder"
        " for a generator"
    )
    calls: ClassVar[tuple[str, ...]] = ("reconstruct",)
    cards = "simulacra.report.latents"

    def reconstruct(self, x: Tensor) -> Tensor:
        """The mean of p(x | z) at the mean z of q(z | x), like x."""
        mean: Tensor = self.decode(self.encode(x).mean).mean
        return mean

    def usage(self) -> list[str]:
        return [*Encodes.usage(self), "y = model.decode(z).mean"]

    def commands(self, run: str, source: str, seed: int) -> list[list[str]]:
        # it samples once a density is fitted
        density = [["density", run, "--kind", "gmm"]] if self.latent.prior is None else []
        if self.spec.kind == "vector":
            return density
        out = "pairs.png" if self.spec.kind == "image" else "pairs.txt"
        return [*density, ["reconstruct", run, "--data", source, "--out", out]]

    def preview(self, examples: Dataset, seed: int) -> Preview | None:
        if not len(examples):
            return None
        x = tensor(examples.x[:RECONSTRUCTED], self.device)
        return Preview(torch.stack([x, self.reconstruct(x)], dim=1).flatten(0, 1))


class Samples(Capability, LatentModel):
    """Draws new examples: z ~ p(z), then x ~ p(x | z), or the mean of p(x | z), as for images."""

    verb = "sample"
    missing = "does not sample; train a vae or a gan"
    calls: ClassVar[tuple[str, ...]] = ("sample",)
    cards = "simulacra.report.samples"

    @abstractmethod
    def sample(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> Tensor:
        """New examples `(n, C, H, W)` in [0, 1], or `(n, D)`; more of the same seed begin with these.

        Args:
            n: number of samples.
            seed: random seed, or a source of noise.
            truncation: factor on the distance of z from the mean of the prior; below 1 samples are more
                typical and less varied.
            draw: whether to draw from p(x | z), or to take its mean; by default vectors are drawn.
        """

    def sample_labelled(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """As `sample`, and the class of each, int64 `(n,)`; None if the model is given no classes."""
        return self.sample(n, seed, truncation=truncation, draw=draw), None

    def usage(self) -> list[str]:
        return ["x = model.sample(16, seed=0)"]

    def commands(self, run: str, source: str, seed: int) -> list[list[str]]:
        n, table = "64", "samples.csv" if self.spec.columns else "samples.npz"
        file = {"image": "samples.png", "text": "samples.txt"}.get(self.spec.kind, table)
        if self.untrained and self.spec.kind == "vector":
            n, file = str(UNTRAINED_POINTS), "samples.png"
        return [["sample", run, "-n", n, "--seed", str(seed), "--out", file]]

    def preview(self, examples: Dataset, seed: int) -> Preview | None:
        return Preview(self.sample(PREVIEWED, seed))


class Generates(Samples, Decodes):
    """Samples by decoding draws from the prior of its default latent space."""

    def sample(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> Tensor:
        """As `Samples.sample`: a draw from p(x | z), or its mean, for z ~ p(z)."""
        noise, size, parts = Noise.of(seed), BLOCK[self.spec.kind], []
        # the mean of a picture is a picture, that of rows is no row
        draw = self.spec.kind == "vector" if draw is None else draw
        for _ in range(0, n, size):
            p = self.decode(self.latent.sample(size, noise, truncation).to(self.device, self.dtype))
            parts.append(noise.draw(p) if draw else p.mean)
        return torch.cat(parts)[:n]


class Styles(Generates):
    """Generates with a style for each layer, and with noise.

    Besides the space `w`, it has `w+`, a latent `(L, W)` with a w for each of L layers, and `s`, the styles
    themselves `(S,)`, one after the other.
    """

    verb = "mix"
    missing = "has no styles for its layers; train a stylegan"
    cards = "simulacra.report.styles"
    calls: ClassVar[tuple[str, ...]] = ("styles", "decode_with_noise")

    @property
    @abstractmethod
    def resolutions(self) -> tuple[int, ...]:
        """Height of the feature maps that each layer of `w+` controls, `(L,)`, from coarse to fine."""

    @property
    @abstractmethod
    def fixed_noise(self) -> list[Tensor]:
        """The noise maps that `decode` uses, `(1, 1, H, W)` for each layer with noise."""

    @property
    @abstractmethod
    def style_slices(self) -> list[slice]:
        """Where in `s` the style of each convolution is, and then that of each output of an image."""

    @property
    @abstractmethod
    def style_layers(self) -> list[int]:
        """The layer of `w+` that gives each style, in the order of `style_slices`."""

    @abstractmethod
    def channel_styles(self, w: Tensor) -> Tensor:
        """Latents of `w+` `(B, L, W)` as latents of `s` `(B, S)`: the affine maps of all layers."""

    @abstractmethod
    def styles(self, z: Tensor, space: str | None = None) -> Tensor:
        """Latents of a space, `z`, `w` or `w+`, as latents of `w+` `(B, L, W)`.

        Raises:
            ConfigError: they are of `s`, which has no w.
        """

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        """p(x | z) with the fixed noise maps, so that it is a function of latents of any space."""
        return self.decode_with_noise(z, self.fixed_noise, space)

    @abstractmethod
    def decode_with_noise(self, z: Tensor, maps: Sequence[Tensor], space: str | None = None) -> Distribution:
        """As `decode`, with noise maps of one's own.

        Args:
            z: latents `(B, *shape of the space)`.
            maps: like `fixed_noise`, each `(1, 1, H, W)` or `(B, 1, H, W)`; zeros switch noise off.
            space: name of the latent space; the default one for None.
        """

    def noise_maps(self, n: int, noise: Noise) -> list[Tensor]:
        """Random noise maps N(0, I), each `(n, 1, H, W)`."""
        return [noise.normal(n, *like.shape[1:]).to(like) for like in self.fixed_noise]

    @property
    def groups(self) -> dict[str, list[int]]:
        """Indices of layers of `w+` by the names of groups, from coarse to fine.

        At 1024 px `coarse` are the layers of maps of 4 and 8 px, `middle` of 16 and 32, `fine` of 64 and more
        (Karras et al. 2019, section 3.1). Smaller images have fewer coarse and middle ones, and those of 8 px
        no fine ones.
        """
        side = max(self.resolutions)
        coarse, middle = max(4, min(8, side // 8)), max(8, min(32, side // 4))
        limits = {"coarse": (0, coarse), "middle": (coarse, middle), "fine": (middle, side)}
        groups = {
            name: [i for i, r in enumerate(self.resolutions) if low < r <= high]
            for name, (low, high) in limits.items()
        }
        return {name: group for name, group in groups.items() if group}

    def layers(self, names: str) -> list[int]:
        """Indices of layers of `w+`, by name or number.

        Args:
            names: some of `groups`, numbers and ranges, e.g. `coarse,5-7`.

        Raises:
            ConfigError: there are no such layers.
        """
        groups, count = self.groups, len(self.resolutions)
        found: set[int] = set()
        for name in (part.strip() for part in names.split(",")):
            first, _, last = name.partition("-")
            numbers = [first, last or first]
            if name in groups:
                found.update(groups[name])
            elif all(n.isdecimal() and int(n) < count for n in numbers) and int(first) <= int(numbers[1]):
                found.update(range(int(first), int(numbers[1]) + 1))
            else:
                raise ConfigError(
                    f"layers: cannot read '{name}'; write {', '.join(groups)}, or numbers from 0 to"
                    f" {count - 1}, e.g. 0-3"
                )
        return sorted(found)

    def usage(self) -> list[str]:
        return [
            "x = model.sample(16, seed=0, truncation=0.7)",
            'y = sim.mix(model, sources=[1, 2], destinations=[3, 4], layers="coarse")',
        ]

    def commands(self, run: str, source: str, seed: int) -> list[list[str]]:
        return [
            *super().commands(run, source, seed),
            ["mix", run, "--sources", "1,2,3", "--destinations", "4,5,6", "--out", "mix.png"],
            ["noise", run, "--seeds", "1,2,3", "--out", "noise.png"],
        ]


class Conditional(Samples):
    """Draws examples of a given class."""

    verb = ""
    missing = (
        "is not conditioned on classes; train a conditional_gan, conditional_stylegan or"
        " conditional_flow_matching, or omit --class"
    )
    calls: ClassVar[tuple[str, ...]] = ("for_class", "decode_weighted")

    @abstractmethod
    def sample_labelled(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """New examples `(n, ...)`, and the class of each, int64 `(n,)`, as frequent as in the data."""

    def sample(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> Tensor:
        """As `Samples.sample`, of classes as frequent as in the data."""
        return self.sample_labelled(n, seed, truncation=truncation, draw=draw)[0]

    @abstractmethod
    def for_class(self, y: int | str) -> Generates:
        """The model of one class.

        Args:
            y: the class, by its name or its index in `spec.classes`.

        Raises:
            ConfigError: there is no such class.
        """

    def decode_weighted(self, z: Tensor, weights: Tensor, space: str | None = None) -> Distribution:
        """p(x | z) under a weighted mean of the conditions of the classes: what lies between classes.

        Args:
            z: latents `(B, *shape of the space)`.
            weights: of the classes `(B, K)`, adding up to 1; a single 1 is the class itself.
            space: name of the latent space; the default one for None.

        Raises:
            MissingCapabilityError: the model has nothing between its classes, as by default.
        """
        raise MissingCapabilityError(
            f"this {type(self).__name__} has nothing between its classes; give it a decode_weighted, or take"
            " one class"
        )

    def class_index(self, y: int | str) -> int:
        """The index of a class in `spec.classes`.

        Raises:
            ConfigError: there is no such class.
        """
        classes = self.spec.classes
        if isinstance(y, str):
            if y not in classes:
                raise ConfigError(f"class: unknown '{y}', {nearest_class(y, classes)}")
            return classes.index(y)
        k = whole_number(y)
        if k is None or not 0 <= k < len(classes):
            raise ConfigError(f"class: {y!r} is not a class; choose a name, or 0 to {len(classes) - 1}")
        return k

    def preview(self, examples: Dataset, seed: int) -> Preview | None:
        rows = [
            self.for_class(y).sample(PER_CLASS, seed) for y in range(min(len(self.spec.classes), CLASSES))
        ]
        return Preview(torch.cat(rows), columns=PER_CLASS)


class Guided(Conditional):
    """Draws examples of a given class with more or less weight on the class (Ho and Salimans 2022).

    Attributes:
        guidance: 1: of the class, as in the data; 0: of any; above 1: more typical of the class, less varied.
    """

    missing = "has no guidance; train a conditional_flow_matching, or omit --guidance"
    guidance: float = 1.0

    def usage(self) -> list[str]:
        return [*super().usage(), "model.guidance = 2.0  # more typical of the class; 1: as in the data"]


class WritesSentences(Capability):
    """Chooses sentences token by token.

    Attributes:
        decoding: how; of all calls that follow.
    """

    verb = ""
    missing = "writes no sentences; omit --beam, --temperature and --top-p, or train a sentence_vae"
    calls: ClassVar[tuple[str, ...]] = ("texts",)
    cards = "simulacra.report.sentences"
    decoding: Decoding

    def texts(self, x: Tensor) -> list[str]:
        """The sentences of numbers of tokens `(N, T)`, as `sample` and `reconstruct` give them."""
        assert self.spec.vocabulary is not None, "as every spec of sentences has"
        return self.spec.vocabulary.decode(x.cpu().numpy())

    def usage(self) -> list[str]:
        return ["sentences = model.texts(x)"]


class Translates(Capability):
    """Translates images of one kind to another."""

    verb = "translate"
    missing = "does not translate; train a pix2pix or a cyclegan"
    calls: ClassVar[tuple[str, ...]] = ("translate",)
    any_size = True
    cards = "simulacra.report.translations"
    takes_x = True

    @abstractmethod
    def translate(self, x: Tensor, seed: int | Noise = 0, to: str | None = None) -> Tensor:
        """Translations `(B, C', H, W)` in [0, 1] of images `(B, C, H, W)` in [0, 1] of any height and width.

        Args:
            x: images.
            seed: random seed, or a source of noise.
            to: name of the target domain, for models with a choice; the last one for None.
        """

    def domain(self, to: str | None) -> str | None:
        """The target domain that a user asks for by its name, or None without a choice.

        Raises:
            RunError: there is no choice.
        """
        if to is not None:
            raise RunError("to: this model translates one way, from inputs to targets; leave --to out")
        return None

    def usage(self) -> list[str]:
        return ["y = model.translate(x, seed=0)"]

    def commands(self, run: str, source: str, seed: int) -> list[list[str]]:
        return [["translate", run, "pictures", "--out", "translated"]]

    def preview(self, examples: Dataset, seed: int) -> Preview | None:
        """Inputs, their translations and their targets."""
        return _rows_of_three(self, examples, seed)

    def triple(self, batch: Batch) -> Sequence[Tensor]:
        """Inputs, translations and targets of a batch, images each."""
        assert batch.target is not None, "a model that translates pairs is trained on targets"
        return batch.x, self.translate(batch.x, batch.noise), batch.target


class Cycles(Translates):
    """Translates between two domains, the classes of its data, in both directions."""

    verb = ""
    missing = "translates in one direction; leave --to out"
    calls: ClassVar[tuple[str, ...]] = ("cycle",)
    class_balanced = True

    @abstractmethod
    def cycle(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Translations of images x with labels y `(B,)`, and their translations back, each like x."""

    def domain(self, to: str | None) -> str | None:
        """The target domain by its name, or as `A` or `B`; the second for None.

        Raises:
            ConfigError: there is no such domain.
        """
        classes = self.spec.classes
        # a domain whose own name is A is found by its name
        names = {"A": classes[0], "B": classes[1], **{name: name for name in classes}}
        to = classes[1] if to is None else to
        if to not in names:
            raise ConfigError(f"to: unknown '{to}', {nearest(to, (*classes, 'A', 'B'))}")
        return names[to]

    def usage(self) -> list[str]:
        return [f"y = model.translate(x, seed=0, to={self.spec.classes[1]!r})"]

    def triple(self, batch: Batch) -> Sequence[Tensor]:
        """Images, their translations and the translations back."""
        return batch.x, *self.cycle(batch.x, batch.y)


def _rows_of_three(model: Translates, examples: Dataset, seed: int) -> Preview | None:
    if not len(examples):
        return None
    few = random_subset(examples, TRANSLATED, seed)
    parts = []
    for batch in in_order(few, max_batch(few, len(few)), model.device, seed):
        # grey images beside colour ones
        triple = [images.expand(-1, 3, -1, -1) for images in model.triple(batch)]
        parts.append(torch.stack(triple, dim=1).flatten(0, 1))
    return Preview(torch.cat(parts), columns=6)


class Predicts(Capability):
    """Predicts a distribution of targets or classes for every input."""

    verb = "predict"
    missing = "does not predict; train a regressor, an mdn or a classifier"
    calls: ClassVar[tuple[str, ...]] = ("predict",)
    cards = "simulacra.report.predictions"
    takes_x = True

    @abstractmethod
    def predict(self, x: Tensor) -> Distribution:
        """p(y | x) for every input, over targets in the units of the data, or over classes."""

    @abstractmethod
    def targets(self, batch: Batch) -> Tensor:
        """The y of a batch that `predict(batch.x).log_prob` takes: its targets or its labels."""

    def usage(self) -> list[str]:
        p = self.predict(torch.zeros(1, *self.spec.shape, device=self.device))
        mean = "y = p.probs  # of the classes" if isinstance(p, Categorical) else "y = p.mean"
        return ["p = model.predict(x)  # p(y | x), a torch distribution", mean]

    def commands(self, run: str, source: str, seed: int) -> list[list[str]]:
        target = self.spec.target
        # images do not fit in a table
        file = "predictions.npz" if target is not None and target.kind == "image" else "predictions.csv"
        return [["predict", run, "--data", source, "--out", file]]


class Discriminates(Capability):
    """Discriminates real examples from samples."""

    missing = "has no discriminator; train a gan"
    calls: ClassVar[tuple[str, ...]] = ("discriminate",)

    @abstractmethod
    def discriminate(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The discriminator's output `(B,)` on examples in the units of the data; larger is more real.

        Args:
            x: images `(B, C, H, W)` in [0, 1], or vectors `(B, D)`.
            y: labels `(B,)`, for a conditional discriminator.
        """


class EstimatesLikelihood(Capability):
    """Computes or estimates the log-likelihood of examples.

    Attributes:
        exact: whether `log_likelihood` is exact and needs no samples.
        draws: whether one that is not exact is estimated with draws of z.
        takes_categories: whether, for rows of a table with one-hot codes, it is the logarithm of a density of
            the numbers times probabilities of the categories. A density of codes as if they were numbers is
            unbounded and not comparable, so a model without this refuses such tables.
    """

    missing = "has no likelihood; train a vae or a pca"
    calls: ClassVar[tuple[str, ...]] = ("log_likelihood",)
    exact: bool = False
    draws: bool = True
    takes_categories: ClassVar[bool] = False

    def __init__(self, spec: DataSpec, config: Any) -> None:
        """Raises ConfigError for data that the model cannot be trained on."""
        super().__init__(spec, config)
        if spec.schema is not None and not spec.schema.continuous and not self.takes_categories:
            raise ConfigError(
                "this model has a density of numbers, and the table has categories or special values; train a"
                " vae, a pca or a gan, or choose other columns"
            )

    @abstractmethod
    def log_likelihood(self, x: Tensor, seed: int | Noise = 0, samples: int = 100) -> Tensor:
        """ln p(x) in nats `(B,)`, exact or estimated with `samples` draws of z for each example."""


class BoundsLikelihood(Capability):
    """Computes an evidence lower bound of the log-likelihood."""

    missing = "has no evidence lower bound; train a vae or a pca"
    calls: ClassVar[tuple[str, ...]] = ("elbo",)
    cards = "simulacra.report.latents"

    @property
    def latent_groups(self) -> Sequence[int]:
        """Dimensions of each group of latents, from the top down; empty for one group."""
        return ()

    @abstractmethod
    def elbo(self, x: Tensor, seed: int | Noise = 0) -> Elbo:
        """Both terms of the bound for every example, with one draw of z each unless exact."""


class ImportanceWeighted(EstimatesLikelihood, BoundsLikelihood):
    """Bounds and estimates the log-likelihood with the same draws of z ~ q(z | x)."""

    @abstractmethod
    def log_weights(self, x: Tensor, seed: int | Noise = 0, samples: int = 100) -> Tensor:
        """ln w = ln p(x, z) - ln q(z | x) for `samples` draws of z ~ q(z | x), `(B, samples)` in nats.

        The mean of ln w over the draws estimates the ELBO, and the logarithm of the mean of w estimates
        ln p(x). The second is never below the first (Burda et al. 2016, arXiv:1509.00519).
        """


@dataclass(frozen=True)
class Elbo:
    """The terms of the evidence lower bound, each `(B,)` in nats.

    Attributes:
        reconstruction: the mean of ln p(x | z) over q(z | x), estimated with one z ~ q(z | x) unless exact.
        kl: KL(q(z | x) || p(z)), in closed form; of a ladder given the groups above that were drawn.
        kl_of_dimensions: the KL of each dimension, `(B, Z)`, where q factorises.
        value: the bound, reconstruction - kl.
    """

    reconstruction: Tensor
    kl: Tensor
    kl_of_dimensions: Tensor | None = None
    value: Tensor = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", self.reconstruction - self.kl)
