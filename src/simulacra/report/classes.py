"""Report cards of models that predict classes: images, reliability, the confusion matrix, and each class."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulacra.core.capabilities import Predicts
from simulacra.metrics.confusion import Confusion, Share
from simulacra.report import prediction_figures as figures
from simulacra.report.figures import LONGEST_NAME, shortened
from simulacra.report.inline_images import WIDTH, chart, layout, tiles
from simulacra.report.material import Classified, Material
from simulacra.report.report_card import ReportCard
from simulacra.report.templating import render

# images shown at random, and classified wrongly
SHOWN, WRONG = 12, 6
# classes of a confusion matrix; of more the pairs that are most often confused
MATRIX, PAIRS = 100, 20
# classes in the table, and pairs in a caption
LISTED, NAMED = 40, 3
# letters of a name in the table
LONGEST = 60


def classified_images(m: Material[Predicts]) -> ReportCard | None:
    """Held-out images with their predicted classes, and the mistakes of highest confidence."""
    found = m.classified
    if found is None or m.config.spec.kind != "image":
        return None
    guess, confidence, y = found.predicted, found.confidence, found.y
    random = np.random.default_rng(m.config.training.seed).permutation(len(y))[:SHOWN]
    wrong = np.flatnonzero(guess != y)
    confident = wrong[np.argsort(-confidence[wrong], kind="stable")][:WRONG]
    scale, columns = layout(m.config.spec.shape, target=64, width=WIDTH, most=6)
    x, classes, width = found.examples.x, m.config.spec.classes, scale * m.config.spec.shape[2]

    def cell(i: int) -> dict[str, Any]:
        name, percent, right = shortened(classes[guess[i]]), f"{100 * confidence[i]:.0f}%", guess[i] == y[i]
        image = tiles(x[i : i + 1], 1, scale, f"{name}, {percent}, {'right' if right else 'wrong'}")
        true = "" if right else shortened(classes[y[i]])
        return {"name": name, "percent": percent, "image": image, "true": true}

    rows = [("random examples", [cell(i) for i in random])]
    if len(confident):
        rows.append(("most confident mistakes", [cell(i) for i in confident]))
    caption = (
        f"Images of the {m.split} split, the predicted class of each and its probability. Mistakes are"
        f" framed, with the true class. {len(wrong):,} of {len(y):,} are wrong."
    )
    body = render("labelled.html", rows=rows, columns=columns, width=width)
    return ReportCard("predictions", "Predictions", body, caption)


def reliability(m: Material[Predicts]) -> ReportCard | None:
    """Whether the probabilities of predicted classes agree with their accuracy."""
    found = m.classified
    if found is None:
        return None
    caption = (
        "Left: accuracy by the probability of the predicted class, in ten bins; on the diagonal the model"
        f" is calibrated. Right: how many of the {len(found.y):,} examples of the {m.split} split are in"
        " each bin. Grey: 95% range of a perfectly calibrated model."
    )
    figure = figures.reliability(found.confidence, found.predicted == found.y)
    return ReportCard("calibration", "Calibration", chart(figure, "reliability of classes"), caption)


def confusion(m: Material[Predicts]) -> ReportCard | None:
    """How often each class was predicted for each true class; of very many, the pairs confused most often."""
    found, classes = m.classified, m.config.spec.classes
    if found is None:
        return None
    matrix = _matrix(found)
    right, n = int(matrix.correct.sum()), len(found.y)
    correct = f"{right:,} of {n:,} examples of the {m.split} split are classified correctly."
    if len(classes) > MATRIX:
        rows = [
            (
                shortened(classes[i], LONGEST),
                shortened(classes[j], LONGEST),
                f"{count:,} of {matrix.examples[i]:,}",
            )
            for i, j, count in matrix.most_confused(PAIRS)
        ]
        body = render("table.html", header=("true class", "predicted class", "examples"), rows=rows)
        return ReportCard(
            "confusion", "Most confused classes", body, f"{correct} The {len(rows)} most frequent mistakes."
        )
    pairs = [
        f"{classes[i]} as {classes[j]} ({count:,} of {matrix.examples[i]:,})"
        for i, j, count in matrix.most_confused(NAMED)
    ]
    caption = (
        f"Rows: true classes; columns: predicted classes. Colours show shares of each row: blue is correct,"
        f" orange wrong. {correct}" + (f" Most frequent mistakes: {', '.join(pairs)}." if pairs else "")
    )
    figure = figures.confusion(matrix.counts, classes)
    alt = f"confusion matrix of {len(classes)} classes"
    wide = len(classes) > figures.NARROW
    return ReportCard("confusion", "Confusion matrix", chart(figure, alt), caption, wide)


def by_class(m: Material[Predicts]) -> ReportCard | None:
    """Precision, recall and F1 of every class, with intervals."""
    found, classes = m.classified, m.config.spec.classes
    if found is None:
        return None
    matrix = _matrix(found)
    shares = matrix.precision, matrix.recall, matrix.f1
    shown, which = np.arange(len(classes)), ""
    if len(classes) > LISTED:
        shown = np.sort(np.argsort(shares[2].value, kind="stable")[:LISTED])
        which = f" The {LISTED} of {len(classes)} classes with the lowest F1."
    rows = [
        (shortened(classes[k], LONGEST), f"{matrix.examples[k]:,}", *(_percent(share, k) for share in shares))
        for k in shown.tolist()
    ]
    header = ("class", "examples", "precision", "recall", "F1")
    caption = (
        f"In %, with 95% intervals (Wilson), on {len(found.y):,} examples of the {m.split} split. Precision:"
        " the share of the predictions of a class that are correct. Recall: the share of its examples that"
        f" are predicted correctly. F1: their harmonic mean.{which}"
    )
    wide = len(classes) > figures.NARROW or max(map(len, classes)) > LONGEST_NAME
    body = render("table.html", header=header, rows=rows)
    return ReportCard("by-class", "Each class", body, caption, wide)


def _matrix(found: Classified) -> Confusion:
    return Confusion.of(found.y, found.predicted, found.probs.shape[1])


def _percent(share: Share, k: int) -> str:
    """A share with its interval, e.g. `93.1 (85 to 97)`."""
    if np.isnan(share.value[k]):
        return "none"
    value, low, high = (100 * part[k] for part in (share.value, share.low, share.high))
    return f"{value:.1f} ({low:.0f} to {high:.0f})"
