"""Parse, dispatch, and turn errors into one line and an exit code.

Exit codes: 0 done, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import shlex
import sys
import warnings
from typing import TYPE_CHECKING, Any, NoReturn

from napari_sam2_probe import __version__
from napari_sam2_probe.common.errors import PluginWarning, ProbeError
from napari_sam2_probe.common.files import disk_error
from napari_sam2_probe.common.memory import memory_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# A command is a module of this folder with ``add_arguments(parser)`` and ``run(arguments)``. Both keep heavy
# imports inside ``run``, so that help answers at once. ``epilog()``, where there is one, gives the end of the help.
COMMANDS: dict[str, str] = {
    "demo": "make two transformed clips, track and probe them, and show the figures",
    "transform": "make a data set of transformed clips from a DAVIS folder",
    "run": "track objects through a video and record what SAM 2 sees",
    "explain": "say what caused a frame's mask: which memories and pointers, and where SAM 2 looked",
    "experiment": "make, track and score whole data sets of clips, on one GPU or many; run again, it goes on",
    "evaluate": "score predicted masks as the official DAVIS evaluation does",
    "protocols": "evaluate a model as the SAM 2 paper does: prompts on the first frame, and interactive",
    "policies": "compare memory policies on a data set: J&F, finding an object again, time, the gap to an oracle",
    "export": "write a run's masks, maps, tables, figures or video in common formats",
    "decoder": "fit or show a decoder from object pointer to bounding box",
    "warning": "tell from what runs record whether SAM 2 is about to lose the object",
    "report": "draw every figure and table of experiments on one page",
    "view": "open a run or a folder of runs in napari",
    "checkpoints": "list, download, verify and convert SAM 2 checkpoints",
    "doctor": "say what this machine has and what to do about each problem",
}


# What other programs call these options.
_OTHER_NAMES = {
    "--model": "--checkpoint",
    "--weights": "--checkpoint",
    "--ckpt": "--checkpoint",
    "--output": "--out",
    "--points": "--point",
    "--click": "--point",
    "--force": "--overwrite",
    "--root": "--davis",
    "--dataset": "--davis",
}

_format_as_python_does = warnings.formatwarning


class _Parser(argparse.ArgumentParser):
    """An argument parser that reports a mistake in one line, and looks up the end of its help when help is shown."""

    more_help: Callable[[], str] | None = None

    def format_help(self) -> str:
        if self.more_help is not None:
            self.formatter_class, self.epilog = argparse.RawDescriptionHelpFormatter, self.more_help()
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see '{self.prog} --help')\n")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and refuse what is no option of the command, with the one that was probably meant."""
        arguments, rest = self.parse_known_args(args, namespace)
        if rest:
            command = self._command_of(arguments)
            command.error(f"unrecognized arguments: {' '.join(rest)}.{command.meant_by(rest)}")
        return arguments

    def meant_by(self, words: Sequence[str]) -> str:
        """Say which option was probably meant by the first of some words that looks like one."""
        from napari_sam2_probe.common.words import did_you_mean

        options = [name for name in self._option_string_actions if name.startswith("--")]
        for word in words:
            name = word.partition("=")[0]
            if name.startswith("--"):
                other = _OTHER_NAMES.get(name)
                return f" Did you mean {other!r}?" if other in options else did_you_mean(name, options)
        return ""

    def _command_of(self, arguments: argparse.Namespace) -> _Parser:
        """Return the parser of the command, and of its action where it has some, that was chosen."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                chosen = action.choices.get(str(getattr(arguments, action.dest, "")))
                return self if chosen is None else chosen._command_of(arguments)
        return self


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = _Parser(prog="sam2-probe", description="Look inside SAM 2 while it tracks.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        module = importlib.import_module(f"napari_sam2_probe.cli.{name}")
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        module.add_arguments(command)
        command.more_help = getattr(module, "epilog", None)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv
        The arguments after the program's name; those of the process if None.
    """
    before, warnings.formatwarning = warnings.formatwarning, _format_warning
    if argv is None and isinstance(sys.stdout, io.TextIOWrapper):
        # A path whose bytes are no text goes out as it came in.
        sys.stdout.reconfigure(errors="surrogateescape")
    try:
        arguments = build_parser().parse_args(argv)
        arguments.command_line = shlex.join(["sam2-probe", *(sys.argv[1:] if argv is None else argv)])
        arguments.run(arguments)
        # Now, so that a reader of our output who is gone is noticed here and not at exit.
        sys.stdout.flush()
    except ProbeError as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        print("sam2-probe: interrupted; what was finished is kept.", file=sys.stderr)  # noqa: T201
        return 130
    except (MemoryError, RuntimeError, ImportError) as error:
        short = memory_error(error)
        if short is not None:
            return _refuse(str(short))
        if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] != "napari_sam2_probe":
            return _refuse(f"The package {error.name} is missing: install it; 'sam2-probe doctor' says what else is.")
        raise
    except BrokenPipeError:
        # The reader (``| head``) is gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        # What the system refuses (a full disk, a file that may not be read) is no defect either.
        said = memory_error(error) or disk_error(error, error.filename or "temporary or output files")
        if isinstance(said, ProbeError):
            return _refuse(str(said))
        where = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{where}{error.strerror or error}; make that possible, then run the command again.")
    finally:
        warnings.formatwarning = before
    return 0


def _format_warning(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> str:
    """Write what is said of a plugin in one line; every other warning as Python does."""
    if issubclass(category, PluginWarning):
        return f"sam2-probe: {' '.join(str(message).split())}\n"
    return _format_as_python_does(message, category, *where, **more)


def _refuse(message: str) -> int:
    # A path may hold what can't be printed; whoever has replaced stderr may not know that.
    message = message.encode("utf-8", "backslashreplace").decode()
    print(f"sam2-probe: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    return 2
