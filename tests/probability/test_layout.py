"""Where rows have numbers and codes."""

import numpy as np
import torch

from simulacra.core.noise import Noise
from simulacra.data.tables.schema import Column, Schema
from simulacra.probability.layout import Layout

# x: gain, gain is value, gain is 0, gain is missing, sex is f, sex is m, age
SCHEMA = Schema(
    (
        Column("gain", "number", special=("0", "")),
        Column("sex", "category", ("f", "m")),
        Column("age", "number"),
    )
)
ROWS = torch.tensor(
    [
        [7.0, 1, 0, 0, 1, 0, 30],
        [0.0, 0, 1, 0, 0, 1, 40],
        # a gain that is missing, a sex that no row of the training data had
        [2.5, 0, 0, 1, 0, 0, 50],
    ]
)


def test_what_rows_say() -> None:
    layout = Layout(SCHEMA)
    assert layout.observed(ROWS).tolist() == [
        [1, 1, 1, 1, 1, 1, 1],
        [0, 1, 1, 1, 1, 1, 1],
        [0, 1, 1, 1, 0, 0, 1],
    ]


def test_joined_rows_have_numbers_as_encoded() -> None:
    layout = Layout(SCHEMA)
    layout.fit(ROWS.numpy())
    codes = ROWS[:, layout.codes]
    # a drawn gain applies where it has a value of its own
    x = layout.join(torch.tensor([[7.0, 30], [8.0, 40], [9.0, 50]]), codes)
    assert torch.equal(x, ROWS)


def test_only_numbers() -> None:
    layout = Layout(Schema((Column("a", "number"), Column("b", "date"))))
    layout.fit(np.zeros((3, 2), np.float32))
    x = torch.tensor([[1.0, 2.0]])
    assert torch.equal(layout.observed(x), torch.ones(1, 2))
    assert torch.equal(layout.join(x, torch.zeros(1, 0)), x)
    assert layout.log_softmax(torch.zeros(1, 0)).shape == (1, 0)


def test_drawn_codes_are_hard_and_have_the_gradients_of_a_softmax() -> None:
    layout = Layout(SCHEMA)
    p = torch.tensor([0.2, 0.3, 0.5, 0.9, 0.1])
    logits = p.log().expand(20_000, 5).clone().requires_grad_(True)
    code = layout.straight_through(logits, Noise(0))
    assert set(code.detach().round(decimals=5).unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(code.detach().mean(dim=0), p, rtol=0, atol=0.015)
    code[:, 0].sum().backward()
    assert logits.grad is not None
    assert (logits.grad[:, :3].abs().sum(dim=0) > 0).all()
    assert (logits.grad[:, 3:] == 0).all()
