"""`adorym`: the commands, and what becomes of errors."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from types import MappingProxyType, ModuleType

from adorym._core import AdorymError
from adorym.cli import _compare, _demo, _export, _formats, _inspect, _plan, _reconstruct, _resume, _simulate
from adorym.cli._interrupt import orderly_end

COMMANDS: Mapping[str, ModuleType] = MappingProxyType(
    {
        "simulate": _simulate,
        "inspect": _inspect,
        "plan": _plan,
        "reconstruct": _reconstruct,
        "resume": _resume,
        "compare": _compare,
        "export": _export,
        "formats": _formats,
        "demo": _demo,
    }
)
"""The commands by name; each module has SUMMARY, DESCRIPTION, EXAMPLES, `add_arguments` and `run`."""

_DESCRIPTION = """\
3D images of thick samples from x-ray measurements, beyond the depth of focus.
"""

_EXAMPLES = """\
examples:
  adorym demo                                  two microscopes look at a thick glass cone
  adorym inspect scan.h5                       what a file holds, in physical terms
  adorym plan job.toml                         memory and time that it will take
  adorym reconstruct job.toml -o runs/scan     a report, and a volume that opens in napari
  adorym resume runs/scan                      go on where it was stopped
  adorym COMMAND --help                        more on a command
"""

_NO_MEMORY = "There is not enough memory: set views_per_batch = 1 and a smaller frames_per_batch in [[stages]]."


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line.

    Args:
        arguments: the words after `adorym`; those of the process if left out.

    Returns:
        the exit code: 0; 2 for an error that is the user's to mend; 130 or 143 where a signal stopped it; 1 for a
        failure of the program itself.

    Example:
        >>> main(["export", "no-such-run", "--to", "tiff"])
        2
    """
    given = _parser().parse_args(arguments)
    logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what it logs comes to us as an error, too
    try:
        with orderly_end():
            code = given.run(given)
            sys.stdout.flush()
            return code
    except AdorymError as error:
        return _tell(str(error), 2, given.debug)
    except KeyboardInterrupt:
        return _tell("Stopped.", 130, given.debug)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _tell(f"{place}{error.strerror or error}.", 2, given.debug)
    except Exception as error:  # noqa: BLE001 - whatever else goes wrong is ours, and is kept for a report
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
            return _tell(_NO_MEMORY, 2, given.debug)
        return _tell(_unexpected(error), 1, given.debug)


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("adorym", description=_DESCRIPTION, epilog=_EXAMPLES, formatter_class=form)
    parser.add_argument("--version", action=_Version, help="the version, and nothing else")
    parser.set_defaults(debug=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        one = commands.add_parser(
            name, help=command.SUMMARY, description=command.DESCRIPTION, epilog=command.EXAMPLES, formatter_class=form
        )
        command.add_arguments(one)
        one.add_argument("--debug", action="store_true", help="show the traceback of an error")
        one.set_defaults(run=command.run)
    return parser


class _Version(argparse.Action):
    """Prints the version; the package is asked only then."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *rest: object) -> None:
        import adorym

        sys.stdout.write(f"adorym {adorym.__version__}\n")
        parser.exit()


def _tell(sentence: str, code: int, debug: bool) -> int:
    from adorym.cli._console import note

    if debug:
        note(traceback.format_exc().rstrip())
    note(f"adorym: {sentence}")
    return code


def _unexpected(error: Exception) -> str:
    """A sentence for an error that nobody foresaw; its traceback goes into a file."""
    descriptor, path = tempfile.mkstemp(prefix="adorym-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(traceback.format_exc())
    kind = type(error).__name__
    return f"This should not have happened ({kind}); please report it with the details in {path}, or add --debug."
