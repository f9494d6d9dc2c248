"""The one error boundary of all command lines: errors become one line and an exit code.

Unexpected errors are defects and keep their traceback.
"""

from __future__ import annotations

import errno
import io
import sys

import click

from colorbatch.errors import ColorbatchError, ExitCode, one_line


def run(command: click.Command) -> None:
    """Run a command with the process's arguments, and end the process where it fails."""
    for stream in (sys.stdout, sys.stderr):  # names that a stream cannot hold are shown escaped
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        # patterns are ours to expand: on Windows click would do it to those of options as well
        command.main(standalone_mode=False, windows_expand_args=False)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone
        sys.exit(ExitCode.COULD_NOT_RUN)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        click.echo("error: standard output or error: no space left", err=True)
        sys.exit(ExitCode.COULD_NOT_RUN)
    except ColorbatchError as error:
        click.echo(f"error: {one_line(error)}", err=True)
        sys.exit(error.exit_code)
