"""Examples made from image files: of one image each, or of two that are a pair."""

from __future__ import annotations

from collections.abc import Mapping

from PIL import Image

from simulacra.data.images.decode import SMALLEST, BadImage, Header, header, open_image
from simulacra.data.images.files import ImageFiles
from simulacra.errors import printable


class Examples:
    """Every file is an example of one image.

    Attributes:
        each: images in an example.
        names: of the examples, in order.
    """

    each = 1

    def __init__(self, files: ImageFiles) -> None:
        self.files = files
        self.names = files.names

    def open(self, name: str) -> tuple[Image.Image, ...]:
        """The images of an example, decoded, all of one size.

        Raises:
            BadImage: the example cannot be used.
        """
        return (open_image(self.files.read(name)),)

    def header(self, name: str) -> Header:
        """Size and colour of its images without decoding the pixels.

        Raises:
            BadImage: the example cannot be used.
        """
        return header(self.files.read(name))

    def fingerprint(self, name: str) -> bytes:
        """Changes when the content of one of its files does."""
        return self.files.fingerprint(name)


class SideBySide(Examples):
    """Every file is a pair: its left half and its right half."""

    each = 2

    def open(self, name: str) -> tuple[Image.Image, ...]:
        (image,) = super().open(name)
        half = _half(*image.size)
        return image.crop((0, 0, half, image.height)), image.crop((half, 0, image.width, image.height))

    def header(self, name: str) -> Header:
        whole = super().header(name)
        return Header(_half(whole.width, whole.height), whole.height, whole.grey)


class Partners(Examples):
    """A pair is two files.

    Args:
        files: of the source.
        members: the two files of every pair; a file without a partner alone.
    """

    each = 2

    def __init__(self, files: ImageFiles, members: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__(files)
        self.names = list(members)
        self._members = members

    def open(self, name: str) -> tuple[Image.Image, ...]:
        other = self._partner(name)
        (image,) = super().open(name)
        try:
            (partner,) = super().open(other)
        except BadImage as error:
            raise type(error)(f"its partner {printable(other)}: {error}") from error
        if image.size != partner.size:
            sizes = "{}x{} pixels, but {}x{}".format(*image.size, *partner.size)
            raise BadImage(f"{sizes} its partner {printable(other)}")
        return image, partner

    def header(self, name: str) -> Header:
        a, b = super().header(name), super().header(self._partner(name))
        # as stored, one of them may lie on its side
        if {a.width, a.height} != {b.width, b.height}:
            raise BadImage("partners of different size")
        return Header(a.width, a.height, a.grey and b.grey)

    def fingerprint(self, name: str) -> bytes:
        return b" ".join(map(self.files.fingerprint, self._members[name]))

    def _partner(self, name: str) -> str:
        if len(self._members[name]) < 2:
            raise BadImage("no partner of this name in the other folder")
        return self._members[name][1]


def _half(width: int, height: int) -> int:
    """The width of either half."""
    if width % 2:
        raise BadImage(f"{width}x{height} pixels; an odd width cannot be cut into two equal halves")
    if width // 2 < SMALLEST:
        raise BadImage(f"halves of {width // 2}x{height} pixels, too small")
    return width // 2
