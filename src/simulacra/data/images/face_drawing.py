"""The drawing behind the source `faces`: signed distances, and one function for each part of a face.

A picture spans [-1, 1] across and down, whatever its size in pixels. A shape is a signed distance,
negative inside; half a pixel on either side of its outline it fades, which is what a pixel sees of a
straight edge. Everything is float32 and drawn for n faces at once: factors are `(n, 1, 1)`, colours
`(3, n, 1, 1)`, distances and covers `(n, h, w)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray
Number = np.ndarray | float
SIDES = (-1.0, 1.0)
EYE = 26.0  # longitude of the eyes on the head, in degrees


@dataclass(frozen=True)
class Canvas:
    """A window on n pictures.

    Attributes:
        pixels: the colours painted so far in [0, 1], a view, float32 `(3, n, h, w)`.
        x: the centres of the columns, `(1, 1, w)`.
        y: the centres of the rows, downwards, `(1, h, 1)`.
        pixel: the width of a pixel.
    """

    pixels: Array
    x: Array
    y: Array
    pixel: float

    @staticmethod
    def blank(n: int, size: int) -> Canvas:
        """n black pictures of `size` pixels squared."""
        centres = ((2 * np.arange(size) + 1 - size) / size).astype(np.float32)
        pixels = np.zeros((3, n, size, size), np.float32)
        return Canvas(pixels, centres[None, None, :], centres[None, :, None], 2 / size)

    def around(self, x: Array, y: Number, across: Number, down: Number) -> Canvas:
        """The smallest window that shows `x` +- `across`, `y` +- `down` in all n pictures."""
        left, right = np.min(x - across) - self.pixel, np.max(x + across) + self.pixel
        top, bottom = np.min(y - down) - self.pixel, np.max(y + down) + self.pixel
        columns = slice(*np.searchsorted(self.x[0, 0], [left, right]))
        rows = slice(*np.searchsorted(self.y[0, :, 0], [top, bottom]))
        return Canvas(self.pixels[:, :, rows, columns], self.x[:, :, columns], self.y[:, rows], self.pixel)

    def cover(self, distance: Array, soft: float = 0.0) -> Array:
        """The share of each pixel that is inside; `soft` is the width of a blurred outline."""
        share: Array = np.clip(0.5 - distance * np.float32(1 / max(self.pixel, soft)), 0, 1)
        return share

    def line(self, distance: Array, half: Number) -> Array:
        """The share of each pixel within `half` of a line; exact for lines thinner than a pixel, too."""
        share: Array = self.cover(distance - half) - self.cover(distance + half)
        return share

    def paint(self, cover: Array, colour: Array) -> None:
        """Lay a colour over what is there, as opaque as `cover`."""
        for plane, value in zip(self.pixels, colour, strict=True):
            plane += cover * (value - plane)


# --- shapes: signed distances -------------------------------------------------------------------


def ellipse(x: Array, y: Array, across: Number, down: Number) -> Array:
    """To first order: with f = |(x/a, y/b)| and g = |(x/a^2, y/b^2)|, d = f (f - 1) / g."""
    u, v = x / across, y / down
    # the added bit keeps the centre, where g = 0, inside
    f = np.sqrt(u * u + v * v + np.float32(1e-9))
    u, v = u / across, v / down
    g = np.sqrt(u * u + v * v)
    distance: Array = f * (f - 1) / np.maximum(g, np.float32(1e-5))
    return distance


def bow(x: Array, y: Array, half: Number, sag: Number) -> Array:
    """How far below the parabola through (-half, 0), (0, sag), (half, 0); it has no ends."""
    u = x / half
    slope = u * (sag / half * 2)
    distance: Array = (y - sag * (1 - u * u)) / np.sqrt(1 + slope * slope)
    return distance


def arc(x: Array, y: Array, half: Number, sag: Number) -> Array:
    """Distance to the same parabola, cut at (-half, 0) and (half, 0); never negative."""
    u = np.clip(x / half, -1, 1)
    slope, beyond = u * (sag / half * 2), x - u * half
    below = y - sag * (1 - u * u)
    distance: Array = np.sqrt(beyond * beyond + below * below / (1 + slope * slope))
    return distance


def capsule(x: Array, y: Array, along: Number, down: Number) -> Array:
    """Distance to the segment from (0, 0) to (along, down); never negative."""
    t = np.clip((x * along + y * down) / (along * along + down * down), 0, 1)
    x, y = x - t * along, y - t * down
    distance: Array = np.sqrt(x * x + y * y)
    return distance


def arch(x: Array, y: Array, across: Number, up: Number) -> Array:
    """An ellipse above y = 0, straight sides below it."""
    return ellipse(x, np.minimum(y, 0), across, up)


def meet(a: Array, b: Array, r: float) -> Array:
    """What is inside both shapes, with corners rounded over a length of r: a smooth maximum."""
    h = np.maximum(1 - np.abs(a - b) * np.float32(1 / r), 0)
    distance: Array = np.maximum(a, b) + h * h * np.float32(r / 4)
    return distance


def both(a: Array, b: Array) -> Array:
    """The overlap of two covers whose outlines are nearly parallel; exact for thin slits."""
    overlap: Array = np.maximum(a + b - 1, 0)
    return overlap


# --- the sitter -----------------------------------------------------------------------------------


def rgb(red: int, green: int, blue: int) -> Array:
    """An 8-bit colour for all pictures, `(3, 1, 1, 1)`."""
    return (np.array([red, green, blue], np.float32) / 255).reshape(3, 1, 1, 1)


def ramp(stops: tuple[tuple[int, int, int], ...], t: Array) -> Array:
    """A colour for each `t` in [0, 1], linear between 8-bit `stops`: `(3, *t.shape)`."""
    at, channels = np.linspace(0, 1, len(stops)), zip(*stops, strict=True)
    return np.stack([np.interp(t, at, c) / 255 for c in channels]).astype(np.float32)


def mix(a: Array, b: Array, share: Number) -> Array:
    """`a` with a `share` of `b` in it."""
    mixed: Array = a + (b - a) * np.float32(share)
    return mixed


WHITE, INK, IRIS, FRAME = rgb(255, 255, 255), rgb(26, 16, 22), rgb(104, 64, 40), rgb(36, 36, 54)
SKIN = ((255, 226, 207), (246, 203, 170), (222, 167, 124), (178, 120, 80), (126, 80, 53), (84, 54, 42))
ASH = ((36, 33, 40), (92, 82, 78), (168, 154, 136), (240, 233, 217))
COPPER = ((78, 22, 16), (164, 56, 22), (226, 106, 34), (254, 198, 88))
WALL = ((244, 164, 156), (250, 204, 146), (226, 226, 156), (146, 208, 174), (134, 198, 222), (166, 168, 230))
CLOTHES = ((44, 62, 104), (32, 112, 120), (226, 172, 62), (206, 92, 70), (128, 62, 108))


class Sitter:
    """What the factors mean on the canvas; see `simulacra.data.sources.faces.FACTORS`."""

    def __init__(self, factors: dict[str, Array]) -> None:
        f = {name: values.reshape(-1, 1, 1).astype(np.float32) for name, values in factors.items()}
        self.smile, self.open, self.length = f["smile"], f["eyes_open"], f["hair_length"]
        self.glasses, self.turn = f["glasses"], f["head_turn"]
        self.skin = ramp(SKIN, f["skin_tone"])
        self.shade = self.skin * rgb(208, 184, 178)
        self.hair = mix(ramp(ASH, f["hair_lightness"]), ramp(COPPER, f["hair_lightness"]), f["hair_warmth"])
        self.backdrop, self.clothes = ramp(WALL, f["background"]), ramp(CLOTHES, f["clothes"])
        self.wide = 0.46 + 0.13 * f["face_width"]  # half the width of the head
        self.angle = self.turn * np.float32(np.radians(25))

    def place(self, longitude: float, proud: float = 1.0) -> tuple[Array, Array]:
        """Where a point at `longitude` degrees on the turned head is seen, and how foreshortened.

        x = r sin(longitude + angle), dx'/dx = cos(longitude + angle) / cos(longitude)
        """
        at = np.float32(np.radians(longitude))
        x = self.wide * proud * np.sin(at + self.angle)
        return x, np.cos(at + self.angle) / np.cos(at)


# --- the parts, back to front --------------------------------------------------------------------


def backdrop(c: Canvas, s: Sitter) -> None:
    """A plain colour, lighter behind the head."""
    c.pixels[:] = mix(s.backdrop, rgb(40, 40, 70), 0.10)
    glow = c.cover(ellipse(c.x, c.y + 0.1, 0.75, 0.75), soft=1.2)
    c.paint(glow, mix(s.backdrop, WHITE, 0.35))


def shoulders(c: Canvas, s: Sitter) -> None:
    """A jumper with a round collar."""
    c = c.around(s.turn * 0, 0.85, 1.0, 0.25)
    body = c.cover(ellipse(c.x, c.y - 1.20, 0.88, 0.52))
    c.paint(body, s.clothes)
    collar = ellipse(c.x - 0.02 * s.turn, c.y - 0.74, 0.31, 0.17)
    c.paint(body * c.cover(collar - 0.03, soft=0.10) * 0.4, s.clothes * 0.45)
    c.paint(c.cover(collar), mix(s.clothes, WHITE, 0.22))


def hair_mass(c: Canvas, s: Sitter) -> Array:
    """All the hair and the head under it: an arch, cut level at the length of the hair."""
    thick = 0.02 + 0.115 * np.sqrt(s.length)
    across, up = s.wide + thick, 0.60 + thick
    flare = 1 + 0.12 * s.length * np.maximum(c.y + 0.1, 0)
    x = (c.x + 0.03 * s.turn) / flare
    end = 0.92 * s.length + (0.04 - 0.20 * s.length) * (x / across) ** 2
    return meet(arch(x, c.y + 0.1, across, up), c.y - end, 0.16)


def strands(c: Canvas, s: Sitter) -> Array:
    """Lighter and darker locks along the meridians of the head, in [-1, 1]."""
    v = np.minimum(c.y + 0.1, 0) / 0.74
    meridian = (c.x + 0.03 * s.turn) / s.wide / np.sqrt(np.maximum(1 - v * v, 0.05))
    shade: Array = np.cos(meridian * (8 + 2 * meridian * meridian))
    return shade


def hair_behind(c: Canvas, s: Sitter, mass: Array, locks: Array) -> None:
    """The hair behind the neck, which long hair brings before the shoulders."""
    # set in from the hair in front, lest the outline be painted twice
    c.paint(c.cover(mass + 0.03), s.hair * (0.70 + 0.05 * locks))


def neck(c: Canvas, s: Sitter) -> None:
    """The neck in the shadow of the chin."""
    c = c.around(s.turn * 0.03, 0.65, 0.3, 0.25)
    x = c.x - 0.02 * s.turn
    base = ellipse(x, c.y - 0.73, 0.26, 0.13)
    column = np.maximum(np.abs(x) - 0.185, np.abs(c.y - 0.58) - 0.15)
    skin = c.cover(np.minimum(base, column))
    c.paint(skin, mix(s.skin, s.shade, 0.45))
    shadow = c.cover(ellipse(x - 0.03 * s.turn, c.y - 0.47, 0.30, 0.2), soft=0.12)
    c.paint(skin * shadow, mix(s.shade, rgb(60, 20, 30), 0.15))


def ears(c: Canvas, s: Sitter) -> None:
    """Both ears; the head, drawn next, hides the one that turns away."""
    for side in SIDES:
        x, _ = s.place(98 * side, 1.03)
        w = c.around(x, 0.06, 0.12, 0.16)
        u, v = w.x - x, w.y - 0.06
        w.paint(w.cover(ellipse(u, v, 0.085, 0.13)), mix(s.skin, s.shade, 0.35))
        w.paint(w.cover(ellipse(u, v, 0.045, 0.08), soft=0.05), s.shade)


def head(c: Canvas, s: Sitter) -> Array:
    """The skin of the face, rounded by shade; the cover of its outline."""
    # narrower towards the chin, which leads the turn
    lower = np.maximum(c.y, 0)
    x = (c.x - 0.10 * s.turn * lower) / (1 - 0.16 * lower * lower)
    outline = ellipse(x, c.y + 0.03, s.wide, 0.64)
    cover = c.cover(outline)
    c.paint(cover, mix(s.skin, s.shade, 0.7))
    c.paint(cover * c.cover(outline + 0.12, soft=0.26), s.skin)
    glow = c.cover(ellipse(c.x - s.place(0)[0], c.y + 0.1, 0.24, 0.36), soft=0.5)
    c.paint(cover * glow * 0.2, mix(s.skin, rgb(255, 244, 224), 0.6))
    return cover


def cheeks(c: Canvas, s: Sitter) -> None:
    """A blush, which a smile raises and deepens."""
    broad = np.maximum(s.smile, 0)
    blush = mix(s.skin, rgb(232, 80, 84), 0.38)
    for side in SIDES:
        x, squeeze = s.place(36 * side, 0.95)
        w = c.around(x, 0.2, 0.25, 0.2)
        spot = w.cover(ellipse((w.x - x) / squeeze, w.y - 0.2 + 0.03 * broad, 0.10, 0.075), soft=0.14)
        w.paint(spot * (0.4 + 0.35 * broad), blush)


def nose(c: Canvas, s: Sitter) -> None:
    """The light on its bridge and the shadow under its tip."""
    root, _ = s.place(0, 0.92)
    tip, _ = s.place(0, 1.18)
    w = c.around(tip, 0.05, 0.28, 0.24)
    bridge = capsule(w.x - root, w.y + 0.12, tip - root, 0.24)
    w.paint(w.cover(bridge - 0.035, soft=0.08) * 0.45, mix(s.skin, rgb(255, 244, 226), 0.5))
    w.paint(w.cover(ellipse(w.x - tip, w.y - 0.13, 0.085, 0.06), soft=0.07) * 0.4, s.shade)
    w.paint(w.line(arc(w.x - tip, w.y - 0.15, 0.07, 0.035), 0.016), mix(s.shade, rgb(90, 20, 20), 0.3))


def mouth(c: Canvas, s: Sitter) -> None:
    """Lips bent by the smile, which from 0.1 on opens on teeth and tongue."""
    x, squeeze = s.place(0, 0.90)
    broad = np.maximum(s.smile, 0)
    half = (0.20 + 0.06 * broad) * (0.5 + s.wide)
    bend, gape = 0.11 * s.smile + 0.04 * broad, 0.15 * np.maximum(s.smile - 0.1, 0)
    w = c.around(x, 0.38, 0.32, 0.26)
    u, v = (w.x - x) / squeeze, w.y - 0.36 + bend
    lip, dark = mix(s.skin, rgb(204, 58, 74), 0.58), mix(s.shade, rgb(76, 6, 20), 0.8)
    upper, lower = bow(u, v, half, bend), bow(u, v, half, bend + gape)
    # the lips and the opening between them end in the same two corners
    w.paint(both(w.cover(-bow(u, v, half, bend - 0.045)), w.cover(upper)), mix(lip, s.shade, 0.35))
    w.paint(both(w.cover(-lower), w.cover(bow(u, v, half, bend + gape + 0.06))), lip)
    inside = both(w.cover(-upper), w.cover(lower))
    w.paint(inside, dark)
    tongue = w.cover(ellipse(u, v - bend - gape, half * 0.6, 0.055))
    w.paint(inside * tongue, mix(lip, rgb(232, 96, 108), 0.7))
    w.paint(inside * w.cover(upper - 0.5 * gape), rgb(255, 251, 244))
    w.paint(w.line(arc(u, v, half, bend), 0.017), dark)


def eyes(c: Canvas, s: Sitter) -> None:
    """Eyeballs, and the lids in front of them down to the line of the lashes."""
    half, low, high = 0.28 * s.wide, 0.085, -0.15
    lid, lash = mix(s.skin, s.shade, 0.75), mix(s.shade, INK, 0.85)
    edge = low + (high - low) * s.open
    for side in SIDES:
        x, squeeze = s.place(EYE * side, 0.94)
        w = c.around(x, -0.06, half * 1.3, 0.2)
        u, v = (w.x - x) / squeeze, w.y + 0.04
        below = w.cover(bow(u, v, half, low))
        w.paint(both(below, w.cover(-bow(u, v, half, high))), lid)
        opening = both(below, w.cover(-bow(u, v, half, edge)))
        w.paint(opening, rgb(246, 246, 250))
        for rise, radius, colour in ((0, 0.092, IRIS), (0, 0.052, INK), (0.04, 0.027, WHITE)):
            disc = w.cover(ellipse(u - 0.02 * s.turn, v + 0.008 + rise, radius, radius))
            w.paint(opening * disc, colour)
        w.paint(w.line(arc(u, v, half, edge), 0.018), lash)


def eyebrows(c: Canvas, s: Sitter) -> None:
    """In a darker tone of the hair."""
    half = 0.25 * s.wide
    for side in SIDES:
        x, squeeze = s.place(EYE * side, 0.91)
        w = c.around(x, -0.29, half * 1.3, 0.12)
        u = (w.x - x) / squeeze
        # the outer end lower than the inner one: a calm brow
        brow = arc(u, w.y + 0.285 - 0.16 * side * u, half, -0.04)
        w.paint(w.line(brow, 0.027), mix(s.hair * 0.62, s.shade, 0.2))


def hair_front(c: Canvas, s: Sitter, mass: Array, locks: Array, face: Array) -> None:
    """All the hair but an opening for the face, its shadow on the brow, and a band of gloss."""
    x, _ = s.place(0, 0.4)
    point = -0.10 + 0.30 * s.length
    across = s.wide * (0.89 - 0.05 * s.length)
    u = np.abs(c.x - x) / (1 - 0.12 * np.maximum(c.y - 0.1, 0))
    # point < 0: a heart, > 0: a pointed arch, the parting
    u = (u + point) * across / (across + point)
    opening = arch(u, c.y - 0.05, across, 0.52 - 0.05 * s.length)
    front = meet(mass, -opening, 0.08)
    c.paint(face * c.cover(front - 0.03, soft=0.10) * 0.4, s.shade)
    cover = c.cover(front)
    c.paint(cover, s.hair * (0.94 + 0.06 * locks))
    band = c.cover(np.abs(mass + 0.13) - 0.02, soft=0.12) * c.cover(c.y + 0.3, soft=0.5)
    c.paint(cover * band * (0.32 + 0.08 * locks), mix(s.hair, rgb(255, 236, 214), 0.6))


def glasses_arms(c: Canvas, s: Sitter) -> None:
    """From the rims back to the ears; hair covers their ends."""
    for side in SIDES:
        eye, squeeze = s.place(EYE * side, 0.94)
        hinge = eye + 0.36 * side * s.wide * squeeze
        ear, _ = s.place(90 * side)
        along = side * np.maximum(side * (ear - hinge), 0.01)
        w = c.around(hinge + along / 2, -0.06, 0.3, 0.08)
        arm = capsule(w.x - hinge, w.y + 0.07, along, 0.03)
        w.paint(s.glasses * w.line(arm, 0.02), FRAME)


def glasses(c: Canvas, s: Sitter) -> None:
    """Round rims about the eyes, glare on the lenses, and the bridge."""
    across, down = 0.36 * s.wide, 0.19
    for side in SIDES:
        x, squeeze = s.place(EYE * side, 0.94)
        w = c.around(x, -0.04, 0.27, 0.25)
        u, v = (w.x - x) / squeeze, w.y + 0.04
        rim = ellipse(u, v, across, down)
        lens = s.glasses * w.cover(rim)
        w.paint(lens * 0.14, WHITE)
        w.paint(lens * w.cover(np.abs(v - side * u + 0.08) - 0.04) * 0.22, WHITE)
        w.paint(s.glasses * w.line(np.abs(rim), 0.024), FRAME)
    x, squeeze = s.place(0, 1.0)
    w = c.around(x, -0.08, 0.1, 0.08)
    gap = (0.98 * np.sin(np.float32(np.radians(EYE))) - 0.36) * s.wide
    w.paint(s.glasses * w.line(arc((w.x - x) / squeeze, w.y + 0.06, gap, -0.03), 0.02), FRAME)


def portraits(factors: dict[str, Array], size: int) -> Array:
    """n faces, uint8 `(n, 3, size, size)`.

    Args:
        factors: for every name in `simulacra.data.sources.faces.FACTORS`, its values in range, `(n,)`.
        size: height and width in pixels.
    """
    s = Sitter(factors)
    c = Canvas.blank(len(s.turn), size)
    backdrop(c, s)
    shoulders(c, s)
    mass, locks = hair_mass(c, s), strands(c, s)
    hair_behind(c, s, mass, locks)
    neck(c, s)
    ears(c, s)
    face = head(c, s)
    for part in (cheeks, nose, mouth, eyes, eyebrows, glasses_arms):
        part(c, s)
    hair_front(c, s, mass, locks, face)
    glasses(c, s)
    pictures: Array = np.rint(c.pixels * 255).astype(np.uint8).transpose(1, 0, 2, 3)
    return pictures
