"""Pages, read back: they parse, and stand alone."""

import re
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

from PIL import Image

VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """A page taken apart; closing a tag that is not open fails."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.images: list[dict[str, str]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if "id" in values:
            assert values["id"] not in self.ids
            self.ids.add(values["id"])
        if tag == "img":
            self.images.append(values)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words += data


def standing_alone(text: str) -> Page:
    """The page, if nothing in it is fetched and every picture shows something."""
    assert "<script" not in text
    # nothing is fetched: no address, and every source is data
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[^\"]*", "", text))
    page = Page(text)
    for image in page.images:
        kind, _, data = image["src"].partition(",")
        assert kind == "data:image/png;base64"
        picture = Image.open(BytesIO(b64decode(data)))
        assert picture.format == "PNG"
        # more than one colour
        bands: Any = picture.convert("RGBA").getextrema()
        assert any(low < high for low, high in bands), image["alt"]
        assert image["alt"]
        # charts have two pixels for each of the page's
        assert picture.width in (int(image["width"]), 2 * int(image["width"]))
    return page
