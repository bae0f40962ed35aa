"""`simulacra VERB`: runs the verb's module and reports errors in a line. Imports nothing slow."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from importlib.metadata import version

from simulacra.errors import ConfigError, SimulacraError, abridge, nearest
from simulacra.limits import out_of_memory
from simulacra.terminal import fill_standard_streams, printable_file, tolerant_stderr

VERBS = {
    "train": "train a model on data, or resume its training",
    "sample": "draw new examples from a trained model",
    "reconstruct": "show examples beside their reconstructions",
    "interpolate": "decode what lies between seeds, images, sentences or classes",
    "direction": "find directions in latent space, e.g. of an attribute",
    "edit": "edit images or sentences along a direction of a latent space",
    "project": "find the latents of given images, for models without an encoder",
    "density": "fit a density to latents: an autoencoder becomes a generator",
    "mix": "mix the styles of samples, layer by layer",
    "noise": "vary only the noise of samples",
    "translate": "translate images from one domain to another",
    "predict": "write a model's predictions for every example",
    "attack": "attack a classifier with adversarial examples",
    "evaluate": "measure a trained model on held-out data",
    "audit": "audit what data or a model do to people before they are used",
    "report": "write the report of a run as one HTML page",
    "runs": "list the runs of a folder",
    "compare": "measure runs side by side",
    "convert": "make a run of StyleGAN2 weights from elsewhere",
    "recipe": "list the recipes, or run one",
    "data": "list, check and preview data sources",
    "doctor": "check the installation and this machine",
}

HELP = """usage: simulacra VERB ...

{verbs}

  simulacra VERB --help    the options of a verb
  --debug                  show the traceback of an error
  --version                print the version

Start with:  simulacra recipe digits-vae
"""


# letters of a line of an error: names from files have any number
LONGEST_LINE = 1000

OUT_OF_MEMORY = (
    "the memory does not suffice; use a smaller batch, model or image size, fewer examples, or a machine with"
    " more memory"
)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code: 0 done, 1 input or run at fault, 2 usage, 130 interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    fill_standard_streams()
    stdout = printable_file(sys.stdout, whole="--json" in arguments)
    with redirect_stdout(stdout), redirect_stderr(printable_file(tolerant_stderr())):
        return _main(arguments)


def _main(arguments: list[str]) -> int:
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(HELP.format(verbs="\n".join(f"  {verb:12} {text}" for verb, text in VERBS.items())), end="")
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(version("simulacra"))
        return 0
    verb, *rest = arguments
    try:
        if verb not in VERBS:
            raise ConfigError(_unknown(verb))
        code: int = import_module(f"simulacra.cli.{verb}").main(rest)
        return code
    except KeyboardInterrupt as error:
        return _fail(str(error) or "interrupted", 130)
    except SimulacraError as error:
        if debug:
            raise
        return _fail(str(error), 2 if isinstance(error, ConfigError) else 1)
    except BrokenPipeError:
        return 1
    except (OSError, MemoryError, RuntimeError) as error:
        if debug:
            raise
        if out_of_memory(error):
            return _fail(OUT_OF_MEMORY, 1)
        if not isinstance(error, OSError):
            raise
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}", 1)


def _unknown(verb: str) -> str:
    from simulacra.models.registry import MODELS

    if verb.startswith("-"):
        return f"unknown option {verb}; write simulacra VERB {verb}, or simulacra --help"
    if verb in MODELS:
        return f"'{verb}' is a model: simulacra train {verb} --data SOURCE"
    return f"unknown verb '{verb}', {nearest(verb, VERBS)}"


def _fail(text: str, code: int) -> int:
    lines = (abridge(line, LONGEST_LINE) for line in f"simulacra: {text}".splitlines())
    print("\n".join(lines), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
