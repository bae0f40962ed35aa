"""Options that may be None: `--clip FLOAT` in help, `none` on the command line."""

import pytest

from simulacra.cli.main import main
from simulacra.cli.train import parse


def test_help_shows_the_type_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "gan", "--help"])
    out = capsys.readouterr().out
    assert "--clip FLOAT " in out
    assert "--image-size INT " in out
    assert "None" not in out
    for group in ("data", "run", "model", "training"):
        assert f"{group} options" in out


def test_none_is_none() -> None:
    for word in ("none", "None"):
        _, parsed = parse(["gan", "--data", "digits", "--ema", word, "--clip", "2", "--target", "a b"])
        assert parsed.training.ema is None
        assert parsed.training.clip == 2
        assert parsed.data.target == "a b"
