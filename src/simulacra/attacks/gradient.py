"""Attacks on classifiers by gradients of their input: images that are misclassified.

Every attack takes a model that predicts classes of images in [0, 1], and runs it in evaluation mode. With a
`target` it searches for images that are classified as that class, without one for images that are classified
as any class but their own.

    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.models.classifier.model import Classifier
    >>> from simulacra.models.classifier.card import ClassifierConfig
    >>> model = Classifier(DataSpec("image", (1, 8, 8), ("cat", "bus")), ClassifierConfig())
    >>> x, y = torch.rand(5, 1, 8, 8), torch.zeros(5, dtype=torch.int64)
    >>> found = pgd(model, x, y, epsilon=0.3, noise=Noise(0))
    >>> found.x.shape, bool((found.linf <= 0.3001).all())
    (torch.Size([5, 1, 8, 8]), True)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Categorical

from simulacra.attacks.balls import Norm, length, project, projected_ascent, steepest, uniform
from simulacra.core.capabilities import Predicts
from simulacra.core.inference import eval_mode
from simulacra.core.model import Model, frozen
from simulacra.core.noise import Noise
from simulacra.errors import ConfigError, RunError

# probability of the class from which an image made from noise fools (99.99% in Nguyen et al. 2015)
CONFIDENT = 0.99


@dataclass(frozen=True)
class AdversarialExamples:
    """Adversarial images and how a classifier classifies them.

    Attributes:
        x: adversarial images `(B, C, H, W)` in [0, 1].
        start: the images that they were made from.
        fooled: whether each is classified as the attack intends, `(B,)`.
        probabilities: p(class | x), `(B, K)`.
        l2: Euclidean length of each change, `(B,)`.
        linf: largest change of a pixel of each, `(B,)`.
    """

    x: Tensor
    start: Tensor
    fooled: Tensor
    probabilities: Tensor
    l2: Tensor = field(init=False)
    linf: Tensor = field(init=False)

    def __post_init__(self) -> None:
        delta = self.x - self.start
        object.__setattr__(self, "l2", length(delta, "l2"))
        object.__setattr__(self, "linf", length(delta, "linf"))


def concatenate(parts: Sequence[AdversarialExamples]) -> AdversarialExamples:
    """Several batches as one, in order."""
    names = ("x", "start", "fooled", "probabilities")
    return AdversarialExamples(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


class Goal:
    """The objective of an attack.

    Args:
        model: the classifier.
        labels: classes `(B,)`.
        targeted: whether images should be classified as these classes, or as any others.
    """

    def __init__(self, model: Model, labels: Tensor, targeted: bool) -> None:
        self.model: Any = model
        self.labels, self.targeted = labels, targeted

    def logits(self, x: Tensor) -> Tensor:
        """log p(class | x) `(B, K)`.

        Raises:
            RunError: the model does not predict classes.
        """
        p = self.model.predict(x)
        if not isinstance(p, Categorical) or p.logits.ndim != 2:
            raise RunError("an attack needs a model that predicts classes; train a classifier")
        return p.logits

    def score(self, logits: Tensor) -> Tensor:
        """What the attack maximises, `(B,)`: -log p(y | x), or log p(target | x)."""
        log_p = logits.gather(1, self.labels[:, None])[:, 0]
        return log_p if self.targeted else -log_p

    def loss(self, x: Tensor) -> Tensor:
        """The `score` of images `(B, C, H, W)`."""
        return self.score(self.logits(x))

    def achieved(self, logits: Tensor) -> Tensor:
        """Whether each image is classified as intended, `(B,)`."""
        predicted = logits.argmax(dim=1)
        return predicted == self.labels if self.targeted else predicted != self.labels

    @torch.no_grad()
    def result(self, x: Tensor, start: Tensor) -> AdversarialExamples:
        """Adversarial images x, made from `start`, with the model's predictions."""
        logits = self.logits(x)
        return AdversarialExamples(x.detach(), start, self.achieved(logits), logits.softmax(dim=1))


def make_goal(model: Model, y: Tensor, target: int | None) -> Goal:
    """The goal of having images of classes y classified as the target, or, without one, as any other class.

    Raises:
        RunError: the model does not predict classes of images.
        ConfigError: the model has no such class.
    """
    check(model, target)
    return Goal(model, y if target is None else torch.full_like(y, target), target is not None)


def check(model: Model, target: int | None = None) -> None:
    """Raises RunError if the model does not predict classes of images, ConfigError for an unknown target."""
    if not isinstance(model, Predicts) or model.spec.kind != "image" or not model.spec.classes:
        raise RunError(
            "an attack needs a model that predicts classes of images; train a classifier on images"
        )
    if target is not None and not 0 <= target < len(model.spec.classes):
        raise ConfigError(f"target: there are classes 0 to {len(model.spec.classes) - 1}, not {target}")


@contextmanager
def attacked(model: Model) -> Iterator[None]:
    """Evaluation mode and no gradients of the parameters inside the block."""
    with eval_mode(model), frozen(model):
        yield


def fgsm(
    model: Model, x: Tensor, y: Tensor, epsilon: float, norm: Norm = "linf", target: int | None = None
) -> AdversarialExamples:
    """Fast gradient sign method: x + epsilon sign(grad L(x, y)) (Goodfellow et al. 2015, section 4).

    Args:
        model: the classifier.
        x: images `(B, C, H, W)` in [0, 1].
        y: their classes `(B,)`.
        epsilon: the size of the change.
        norm: of the change; `l2` follows the gradient itself.
        target: class that images should be classified as; None: any but their own.
    """
    goal = make_goal(model, y, target)
    with attacked(model):
        start = x.detach().requires_grad_()
        with torch.enable_grad():
            (g,) = torch.autograd.grad(goal.loss(start).sum(), start)
        return goal.result((x + epsilon * steepest(g, norm)).clamp(0, 1), x)


def pgd(
    model: Model,
    x: Tensor,
    y: Tensor,
    epsilon: float,
    noise: Noise,
    norm: Norm = "linf",
    steps: int = 40,
    restarts: int = 1,
    target: int | None = None,
) -> AdversarialExamples:
    """Projected gradient ascent from random points of the ball of radius epsilon (Madry et al. 2018).

    Args:
        model: the classifier.
        x: images `(B, C, H, W)` in [0, 1].
        y: their classes `(B,)`.
        epsilon: radius of the ball.
        noise: of the starting points.
        norm: of the ball.
        steps: gradient steps, as `balls.projected_ascent` makes them.
        restarts: random starts; the best is kept for each image.
        target: class that images should be classified as; None: any but their own.

    Raises:
        ConfigError: steps or restarts below 1.
    """
    if steps < 1 or restarts < 1:
        raise ConfigError("steps and restarts: must be at least 1")
    goal = make_goal(model, y, target)
    best, highest = x, torch.full_like(y, -torch.inf, dtype=x.dtype)
    with attacked(model):
        for _ in range(restarts):
            start = (x + uniform(x, epsilon, norm, noise)).clamp(0, 1)
            found = projected_ascent(goal.loss, x, start, epsilon, norm, steps)
            with torch.no_grad():
                logits = goal.logits(found)
            # a success is better than any failure
            score = goal.score(logits).where(~goal.achieved(logits), torch.inf)
            best = torch.where((score > highest)[:, None, None, None], found, best)
            highest = torch.maximum(highest, score)
        return goal.result(best, x)


def smallest(
    model: Model,
    x: Tensor,
    y: Tensor,
    noise: Noise,
    steps: int = 40,
    bisections: int = 12,
    target: int | None = None,
) -> AdversarialExamples:
    """Smallest adversarial change in L2 (Szegedy et al. 2014, section 4.1), by bisection of the radius.

    Each bisection is a projected gradient ascent (Madry et al. 2018) in balls of one radius for each image,
    from the best change so far, shrunk to the ball. A radius at which the attack succeeds is an upper bound,
    as is any successful point on the way; one at which it fails is taken as a lower bound. Images that are
    classified as intended from the beginning are not changed. On a convolutional net on MNIST the median is
    5% above that of DDN (Rony et al. 2019), and far below that of Carlini and Wagner's attack (2017) in as
    many steps.

    Args:
        model: the classifier.
        x: images `(B, C, H, W)` in [0, 1].
        y: their classes `(B,)`.
        noise: of the starting points.
        steps: gradient steps in each ball.
        bisections: halvings of the radius, from the diagonal of all images.
        target: class that images should be classified as; None: any but their own.

    Returns:
        The images with the smallest changes found; unchanged images where there are none, and `fooled` false.
    """
    if steps < 1 or bisections < 1:
        raise ConfigError("steps and bisections: must be at least 1")
    goal = make_goal(model, y, target)
    found = _Smallest(goal, x)
    low, high = (torch.full_like(found.distance, end) for end in (0.0, sqrt(x[0].numel())))
    with attacked(model):
        found.update(x)
        for _ in range(bisections):
            high = torch.minimum(high, found.distance)
            radius = (low + high) / 2
            known = found.distance.isfinite()[:, None, None, None]
            begin = torch.where(known, project(found.best - x, radius, "l2"), uniform(x, radius, "l2", noise))
            last = projected_ascent(found.loss, x, (x + begin).clamp(0, 1), radius, "l2", steps)
            found.update(last)
            low = torch.where(found.distance > radius, radius, low)
        return goal.result(found.best, x)


class _Smallest:
    """The nearest successful image so far, for each image of a batch."""

    def __init__(self, goal: Goal, x: Tensor) -> None:
        self.goal, self.x, self.best = goal, x, x
        self.distance = torch.full((len(x),), torch.inf, dtype=x.dtype, device=x.device)

    def loss(self, x: Tensor) -> Tensor:
        logits = self.goal.logits(x)
        self._keep(x.detach(), logits.detach())
        return self.goal.score(logits)

    @torch.no_grad()
    def update(self, x: Tensor) -> None:
        self._keep(x, self.goal.logits(x))

    def _keep(self, x: Tensor, logits: Tensor) -> None:
        distance = length(x - self.x, "l2").where(self.goal.achieved(logits), torch.inf)
        nearer = distance < self.distance
        self.best = torch.where(nearer[:, None, None, None], x, self.best)
        self.distance = torch.minimum(self.distance, distance)


def from_noise(
    model: Model,
    targets: Tensor,
    noise: Noise,
    steps: int = 200,
    step: float = 0.1,
    confident: float = CONFIDENT,
) -> AdversarialExamples:
    """Fooling images: noise changed until the model is confident of a class.

    By gradient ascent on log p(class | x) (Nguyen et al. 2015, section 3.3), from pixels uniform in [0, 1];
    an image is no longer changed once the model is confident.

    Args:
        model: the classifier.
        targets: class for each image, `(B,)`.
        noise: of the starting points.
        steps: gradient steps at most.
        step: Euclidean length of a step.
        confident: probability of the class above which the model counts as fooled.
    """
    check(model)
    goal = Goal(model, targets, targeted=True)
    start = noise.uniform(len(targets), *model.spec.shape)
    x = start
    with attacked(model):
        for _ in range(steps):
            x = x.detach().requires_grad_()
            with torch.enable_grad():
                score = goal.loss(x)
                (g,) = torch.autograd.grad(score.sum(), x)
            unfinished = score.detach().exp() <= confident
            if not bool(unfinished.any()):
                break
            moved = (x.detach() + step * steepest(g, "l2")).clamp(0, 1)
            x = torch.where(unfinished[:, None, None, None], moved, x.detach())
        found = goal.result(x.detach(), start)
    p = found.probabilities.gather(1, targets[:, None])[:, 0]
    return AdversarialExamples(found.x, start, p > confident, found.probabilities)
