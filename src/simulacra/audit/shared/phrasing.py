"""Numbers in plain words: natural frequencies, amounts, intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simulacra.audit.shared.findings import LEVEL, Estimate

# counts of so many are read at a glance
FEW = 5
LARGEST = 1_000_000
# the sentence after a difference whose interval includes 0
NO_DIFFERENCE = "The data are compatible with no difference."


def base(*shares: float) -> int:
    """Out of how many people shares are reported: 100, or a larger power of ten where shares are small.

    >>> base(0.4485, 0.2345), base(0.009, 0.3), base(0.0, 1.0), base(0.9995)
    (100, 1000, 100, 10000)
    """
    of = 100
    while of < LARGEST and not all(
        (share <= 0 or share * of >= FEW) and (share >= 1 or (1 - share) * of >= 1) for share in shares
    ):
        of *= 10
    return of


def frequency(share: float, of: int = 100) -> str:
    """A share as people out of `of`, without the `of`.

    >>> frequency(0.4485), frequency(0.00091, 10_000), frequency(0.999, 1_000_000)
    ('45', '9', '999,000')
    """
    return f"{share * of:,.0f}"


def out_of(share: float) -> str:
    """A share as people out of a number of people.

    >>> out_of(0.4485), out_of(0.0009)
    ('45 of 100', '9 of 10,000')
    """
    of = base(share)
    return f"{frequency(share, of)} of {of:,}"


def amount(value: float) -> str:
    """A number with as many digits as are read.

    >>> [amount(x) for x in (1183, 49, 12.34, 1.9121, 0.21392, -0.05, 0.00042, 0)]
    ['1,183', '49', '12.3', '1.91', '0.214', '-0.05', '0.00042', '0']
    """
    size = abs(value)
    if size >= 99.95:
        return f"{value:,.0f}"
    if 0 < size < 0.001:
        return f"{value:.2g}"
    digits = 1 if size >= 9.995 else 2 if size >= 0.9995 else 3
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def interval(estimate: Estimate, level: float = LEVEL) -> str:
    """The interval alone; empty for an exact number.

    >>> interval(Estimate(1.9121, 1.7212, 2.1241))
    '95% 1.72 to 2.12'
    """
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{100 * level:.3g}% {amount(estimate.low)} to {amount(estimate.high)}"


def format_estimate(estimate: Estimate) -> str:
    """A number with its interval.

    >>> format_estimate(Estimate(1.9121, 1.7212, 2.1241)), format_estimate(Estimate(0.5))
    ('1.91 (95% 1.72 to 2.12)', '0.5')
    """
    ends = interval(estimate)
    return f"{amount(estimate.value)} ({ends})" if ends else amount(estimate.value)


def at_once(count: int, what: str = "groups") -> str:
    """That an interval is one of several that hold together, to go behind it; empty for one alone.

    >>> at_once(3, "pairs")
    ', 95% for all 3 pairs at once'
    """
    return f", {100 * LEVEL:.0f}% for all {count:,} {what} at once" if count > 1 else ""


def shorten(names: Iterable[str], most: int = 10) -> str:
    """The first names of many.

    >>> shorten(["a", "b", "c"]), shorten(["a", "b", "c", "d"], most=2)
    ('a, b, c', 'a, b and 2 more')
    """
    names = list(names)
    left = len(names) - most
    return ", ".join(names) if left <= 0 else f"{', '.join(names[:most])} and {left:,} more"


def join_words(parts: Sequence[str], last: str = "and") -> str:
    """Parts of a sentence.

    >>> join_words(["a", "b", "c"]), join_words(["a"])
    ('a, b and c', 'a')
    """
    return f" {last} ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)
