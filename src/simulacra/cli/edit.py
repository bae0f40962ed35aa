"""`simulacra edit RUN IMAGE... --direction smile --strength -2..2 --out DIR`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from simulacra.cli.decoding import SEARCH, Search, set_decoding
from simulacra.cli.picture_files import (
    count_images,
    describe_differences,
    examples_of,
    refuse_unread,
    report_plan,
)
from simulacra.cli.usage import Overwrite, parse
from simulacra.errors import ConfigError, DataError, RunError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from simulacra.core.capabilities import Decodes
    from simulacra.data.spec import DataSpec
    from simulacra.latent.directions import Direction
    from simulacra.run import Run
    from simulacra.tasks.picture_files import Picture

# examples of a source in one picture or array, unless -n says otherwise
SHOWN = 8


@dataclass(frozen=True)
class Edit:
    """Edit pictures or sentences: move their latents along a direction of the run, and decode them."""

    run: tyro.conf.Positional[Path]
    """run folder"""
    inputs: tyro.conf.Positional[tuple[Path, ...]]
    """image files, .zip files and folders of images; or --data, --texts, --seeds, or --projected"""
    direction: str
    """name of a direction of the run; 'simulacra direction RUN' lists them"""
    out: Path | None = None
    """folder: a file for each image and strength, under the names and at the sizes of the images, existing
    files are kept; strip.png: a row for each image; edits.npz: an array; of vectors edits.csv or .parquet; of
    sentences edits.txt, and without it they are printed"""
    strength: str = "-2..2"
    """range, list or single strength, e.g. -2..2, or -1,0,1, or 1.5; 0 is the reconstruction, 1 the whole
    direction"""
    steps: int = 5
    """strengths in a range, both ends included"""
    overwrite: Overwrite = False
    data: str | None = None
    """data source in place of images, e.g. faces@test; its test split when no split is given"""
    n: Annotated[int | None, tyro.conf.arg(aliases=["-n"])] = None
    """number of examples of --data; by default all for a folder, 8 for a single file"""
    texts: tuple[str, ...] = ()
    """sentences in place of images"""
    seeds: str | None = None
    """seeds in place of images, e.g. 1,2,3: samples of the model, also of one without an encoder"""
    projected: Path | None = None
    """folder of 'simulacra project' in place of images: for models without an encoder, e.g. GANs"""
    class_: Annotated[str | None, tyro.conf.arg(name="class")] = None
    """class of the samples, by name, for conditional models"""
    truncation: float | None = None
    """of the samples: factor on the distance of latents from their mean; below 1: more typical"""
    layers: str | None = None
    """layers of a stylegan that are edited: coarse, middle, fine, or numbers, e.g. 0-3"""
    decoding: tyro.conf.OmitArgPrefixes[Search] = SEARCH


def main(argv: list[str]) -> int:
    arguments = parse(Edit, argv, "simulacra edit")
    from simulacra.run import Run

    run = Run(arguments.run)
    run.check_trained()
    of = (arguments.inputs, arguments.data, arguments.texts, arguments.seeds, arguments.projected)
    if sum(one not in (None, ()) for one in of) != 1:
        raise ConfigError(
            "inputs: name images or folders, or a source with --data, or sentences with --texts, or samples"
            " with --seeds, or a folder of projections with --projected"
        )
    if arguments.n is not None and (arguments.data is None or arguments.n < 1):
        raise ConfigError("n: the number of examples of --data, at least 1")
    for name, value in (("class", arguments.class_), ("truncation", arguments.truncation)):
        if value is not None and arguments.seeds is None:
            raise ConfigError(f"{name}: is that of samples; add --seeds, e.g. --seeds 1,2,3")
    from simulacra.files import check_unused
    from simulacra.latent import directions
    from simulacra.tasks.edit import parse_strengths
    from simulacra.tasks.export_examples import check_output
    from simulacra.tasks.picture_files import check_folder

    out, spec = arguments.out, run.config.spec
    strengths = parse_strengths(arguments.strength, arguments.steps)
    if out is not None and _is_folder(out, spec):
        check_folder(out)
    else:
        check_output(out, spec)
    if out is not None and not _is_folder(out, spec):
        check_unused(out, overwrite=arguments.overwrite)
    direction = directions.load(run, arguments.direction)
    stem = directions.file_of(run, direction.name).stem
    suffixes = [f"-{stem}{s:+g}" for s in strengths] if len(strengths) > 1 else [""]
    if arguments.seeds is not None:
        return _samples(arguments, run, direction, strengths, suffixes)
    if arguments.projected is not None:
        return _projected(arguments, run, direction, strengths, suffixes)
    model = _encoder(run)
    set_decoding(model, arguments.decoding, run)
    direction = _at_layers(arguments, model, direction)
    direction.check(model)
    if out is not None and _is_folder(out, spec):
        return _folder(arguments, run, model, direction, strengths, suffixes)
    return _file(arguments, run, model, direction, strengths)


def _encoder(run: Run) -> Any:
    from simulacra.core.capabilities import Decodes, Encodes, Samples, require
    from simulacra.models.registry import short_name

    model, config = run.load(), run.config
    name = short_name(config.model)
    if isinstance(model, Samples) and not isinstance(model, Encodes):
        raise RunError(
            f"{run}: this {name} has no encoder, so that it edits no given images; find their latents:"
            f" simulacra project {run} IMAGE... --out DIR, and edit them with --projected DIR; or"
            " edit its samples with --seeds 1,2,3"
        )
    require(model, Encodes, run, name, config.source)
    return require(model, Decodes, run, name, config.source)


def _folder(
    arguments: Edit,
    run: Run,
    model: Any,
    direction: Direction,
    strengths: Sequence[float],
    suffixes: Sequence[str],
) -> int:
    """Files of image files, or of the examples of a source."""
    from simulacra.data.images.parallel import progress
    from simulacra.tasks.edit import OTHERS, edit_files
    from simulacra.tasks.picture_files import claim, display, examples, open_pictures, plan

    out, inputs = arguments.out, arguments.inputs
    assert out is not None, "a folder"
    with open_pictures(inputs, out) as pictures:
        if arguments.data is not None:
            pictures = list(examples(arguments.data, *examples_of(run, arguments.data, arguments.n)))
        jobs, bad, there = plan(pictures, out, suffixes, arguments.overwrite)
        if jobs or there:
            claim(out, _settings(arguments, run, strengths), OTHERS, arguments.overwrite)
        report_plan(inputs, out, bad, there, "edits", "edits")
        unread, done = len(bad), []
        results = edit_files(model, jobs, direction, strengths, arguments.overwrite)
        try:
            for one in progress(results, len(jobs), "editing"):
                if one.problem:
                    unread += 1
                    print(f"simulacra: {display(one.path)}: {one.problem}", file=sys.stderr)
                else:
                    done.append(one)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"interrupted: the edits so far are in {out}; run the same command to resume"
            ) from None
    if done or (there and not jobs):
        print(out)
    if done:
        print(f"{count_images(len(done))} edited{_at(strengths)}")
    describe_differences(model.spec, done, "edited")
    refuse_unread(unread, len(done))
    return 0


def _file(arguments: Edit, run: Run, model: Any, direction: Direction, strengths: Sequence[float]) -> int:
    """One picture, archive or table of all edits."""
    from simulacra.core.batch import tensor
    from simulacra.tasks.edit import edit
    from simulacra.tasks.interpolate import read_examples

    unread, spec = 0, run.config.spec
    if arguments.data is not None:
        x, names = examples_of(run, arguments.data, arguments.n or SHOWN)
        if spec.vocabulary is not None:
            names = spec.vocabulary.decode(x)
    elif arguments.texts:
        x, names = read_examples(spec, texts=arguments.texts), list(arguments.texts)
    else:
        x, names, unread = _read(arguments.inputs, run)
    y = edit(model, tensor(x), direction, strengths)
    _export(arguments.out, spec, y, names, strengths, arguments.overwrite)
    refuse_unread(unread, len(x))
    return 0


def _samples(
    arguments: Edit, run: Run, direction: Direction, strengths: Sequence[float], suffixes: Sequence[str]
) -> int:
    """Edits of samples, in any kind of output."""
    from simulacra.core.batch import to_bytes
    from simulacra.core.capabilities import Conditional, Decodes, require
    from simulacra.models.registry import short_name
    from simulacra.tasks.edit import edit_latents
    from simulacra.tasks.interpolate import from_seeds
    from simulacra.tasks.picture_files import examples

    assert arguments.seeds is not None
    try:
        seeds = [int(word) for word in arguments.seeds.split(",")]
    except ValueError:
        raise ConfigError(
            f"seeds: cannot read '{arguments.seeds}'; write whole numbers, e.g. 1,2,3"
        ) from None
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"seeds: '{arguments.seeds}' has a seed twice; leave one out")
    model, config = run.load(), run.config
    if arguments.class_ is not None or isinstance(model, Conditional):
        conditional = require(model, Conditional, run, short_name(config.model), config.source)
        if arguments.class_ is None:
            raise ConfigError(f"class: choose one with --class: {', '.join(config.spec.classes)}")
        model = conditional.for_class(arguments.class_)
    model = require(model, Decodes, run, short_name(config.model), config.source)
    set_decoding(model, arguments.decoding, run)
    direction = _at_layers(arguments, model, direction)
    direction.check(model)
    truncation = 1.0 if arguments.truncation is None else arguments.truncation
    y = edit_latents(model, from_seeds(model, seeds, direction.space, truncation), direction, strengths)
    names, out = [f"seed-{seed}.png" for seed in seeds], arguments.out
    if out is None or not _is_folder(out, config.spec):
        of = "seed " * (config.spec.kind == "text")
        _export(out, config.spec, y, [f"{of}{seed}" for seed in seeds], strengths, arguments.overwrite)
        return 0
    pictures = list(examples("", to_bytes(y[:, 0]), names))
    return _write_edits(arguments, run, y, pictures, strengths, suffixes, "sample")


def _projected(
    arguments: Edit, run: Run, direction: Direction, strengths: Sequence[float], suffixes: Sequence[str]
) -> int:
    """Edits of the images of a folder of projections, in any kind of output."""
    from simulacra.tasks import project
    from simulacra.tasks.edit import edit_latents
    from simulacra.tasks.picture_files import Picture

    folder, out = arguments.projected, arguments.out
    assert folder is not None
    model, images = project.load(folder, run)
    direction = _at_layers(arguments, model, direction)
    z, direction = project.in_one_space(model, images.projection, direction)
    y = edit_latents(model, z, direction, strengths, images.projection.noise)
    if out is None or not _is_folder(out, run.config.spec):
        _export(out, run.config.spec, y, images.names, strengths, arguments.overwrite)
        return 0
    pictures = [Picture(folder / name, PurePosixPath(name)) for name in images.names]
    return _write_edits(arguments, run, y, pictures, strengths, suffixes, "image")


def _write_edits(
    arguments: Edit,
    run: Run,
    y: Tensor,
    pictures: Sequence[Picture],
    strengths: Sequence[float],
    suffixes: Sequence[str],
    what: str,
) -> int:
    """Edits in a folder, and what is said about them."""
    from simulacra.tasks.edit import write_edits

    out, settings = arguments.out, _settings(arguments, run, strengths)
    assert out is not None, "a folder"
    written, there = write_edits(y, pictures, out, suffixes, settings, arguments.overwrite)
    report_plan([], out, {}, there, "edits", "edits")
    print(out)
    if written:
        print(f"{written:,} {what}{'' if written == 1 else 's'} edited{_at(strengths)}")
    return 0


def _at_layers(arguments: Edit, model: Decodes, direction: Direction) -> Direction:
    from simulacra.latent.layers import at_layers

    return direction if arguments.layers is None else at_layers(model, direction, arguments.layers)


def _settings(arguments: Edit, run: Run, strengths: Sequence[float]) -> dict[str, Any]:
    """What edits of one name depend on."""
    from simulacra import tensors
    from simulacra.latent import directions
    from simulacra.tasks.project import LATENTS

    return {
        "direction": arguments.direction,
        "checksum": tensors.checksum(directions.file_of(run, arguments.direction)),
        "strengths": list(strengths),
        "data": arguments.data,
        "class": arguments.class_,
        "projected": arguments.projected and tensors.checksum(arguments.projected / LATENTS),
        **{
            name: value
            for name in ("layers", "truncation")
            if (value := getattr(arguments, name)) is not None
        },
    }


def _read(inputs: Sequence[Path], run: Run) -> tuple[np.ndarray, list[str], int]:
    """Image files as the model takes them, their names, and how many cannot be read."""
    from functools import partial

    import numpy as np

    from simulacra.data.images.parallel import parallel, progress
    from simulacra.data.spec import NOUNS
    from simulacra.tasks.picture_files import display, open_pictures, read_picture

    spec = run.config.spec
    if spec.kind != "image":
        raise DataError(f"{run}: was trained on {NOUNS[spec.kind]}, not on images; name a source with --data")
    images, read, unread = [], [], 0
    with open_pictures(inputs) as pictures:
        results = parallel(partial(read_picture, spec), pictures)
        for image, _, one in progress(results, len(pictures), "reading"):
            if image is None:
                unread += 1
                print(f"simulacra: {display(one.path)}: {one.problem}", file=sys.stderr)
            else:
                images.append(image)
                read.append(one)
    if not images:
        refuse_unread(unread, 0)
    describe_differences(spec, read, "edited")
    return np.stack(images), [str(one.path) for one in read], unread


def _export(
    out: Path | None,
    spec: DataSpec,
    y: Tensor,
    names: Sequence[str],
    strengths: Sequence[float],
    overwrite: bool,
) -> None:
    """Write edits `(N, S, ...)` as one strip, archive or table; or as text, printed without a file."""
    import numpy as np

    from simulacra.core.batch import to_bytes
    from simulacra.data.spec import NOUNS
    from simulacra.files import replacing, write_text
    from simulacra.images import save_png, strip
    from simulacra.tasks.edit import strength_name
    from simulacra.tasks.export_examples import write_examples

    if out is None or out.suffix == ".txt":
        text = _sentences(spec, y, names, strengths)
        if out is None:
            print(text, end="")
            return
        write_text(out, text, overwrite)
    elif out.suffix == ".npz":
        with replacing(out, overwrite) as file, file.open("wb") as stream:
            np.savez_compressed(
                stream, x=y.cpu().numpy(), strengths=np.array(strengths), names=np.array(names)
            )
    elif out.suffix == ".png":
        images = to_bytes(y.flatten(0, 1)).reshape(y.shape)
        save_png(strip(images, [strength_name(s) for s in strengths]), out, overwrite)
    else:
        labels = {
            "row": [name for name in names for _ in strengths],
            "strength": [f"{s:g}" for _ in names for s in strengths],
        }
        columns = {_unused(name, spec): cells for name, cells in labels.items()}
        write_examples(y.flatten(0, 1), spec, out, labels=columns, overwrite=overwrite)
    print(out)
    what = NOUNS[spec.kind].removesuffix("s")
    print(f"{len(y):,} {what}{'' if len(y) == 1 else 's'} edited{_at(strengths)}")


def _sentences(spec: DataSpec, y: Tensor, names: Sequence[str], strengths: Sequence[float]) -> str:
    """Each name above its edits `(N, S, T)`, a line for each strength."""
    from simulacra.tasks.edit import strength_name

    assert spec.vocabulary is not None, "as every spec of sentences has"
    width = max(len(strength_name(s)) for s in strengths)
    blocks = []
    for name, each in zip(names, y.cpu().numpy(), strict=True):
        edits = zip(strengths, spec.vocabulary.decode(each), strict=True)
        blocks.append("\n".join([name, *(f"{strength_name(s):>{width + 2}}  {text}" for s, text in edits)]))
    return "\n\n".join(blocks) + "\n"


def _unused(name: str, spec: DataSpec) -> str:
    """A name for a column that a table does not have."""
    from simulacra.data.tables.rows import schema_of

    known = {column.name for column in schema_of(spec).columns}
    while name in known:
        name += "_"
    return name


def _is_folder(out: Path, spec: DataSpec) -> bool:
    return spec.kind == "image" and out.suffix.lower() not in (".png", ".npz")


def _at(strengths: Sequence[float]) -> str:
    return f" at {len(strengths)} strengths" if len(strengths) > 1 else ""
