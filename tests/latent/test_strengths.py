import pytest

from simulacra.errors import ConfigError
from simulacra.latent.strengths import parse_strengths


@pytest.mark.parametrize("text", ["", "a", "1..", "..2", "1..2..3", "nan", "1,inf", "1,,2", "-2...2x"])
def test_what_is_no_strength(text: str) -> None:
    with pytest.raises(ConfigError, match=r"write -2\.\.2 or -1,0,2"):
        parse_strengths(text)


def test_ends_are_exact() -> None:
    assert parse_strengths("0.1..0.7", 7)[-1] == 0.7
    assert parse_strengths("2..-2", 3) == [2, 0, -2]
    with pytest.raises(ConfigError, match="steps: must be at least 2"):
        parse_strengths("0..1", 1)
