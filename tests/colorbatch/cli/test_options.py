"""Options that the commands share are the same in both, and every option stands in a group."""

from __future__ import annotations

import click
import cloup
import pytest

from colorbatch.cli import cli

COMMANDS = [cli.commands[name] for name in ("images", "video")]
OWN_WORDS = {"output", "on_color", "on_toned", "batch_size", "workers"}
"""What both have with words or a default of their own: of pictures, and of films or frames."""


def options(command: click.Command) -> dict[str, click.Option]:
    found = {each.name: each for each in command.params if isinstance(each, click.Option)}
    return {name: each for name, each in found.items() if name not in (None, "help")}


def words(option: click.Option) -> str:
    """Its help, pictures and films alike."""
    text = (option.help or "").replace("copy", "the same as skip")
    for name in ("pictures", "films", "picture", "film"):
        text = text.replace(name, "item")
    return text


def test_shared_options_are_the_same() -> None:
    """Names, types, defaults and words."""
    pictures, clips = (options(command) for command in COMMANDS)
    shared = (pictures.keys() & clips.keys()) - OWN_WORDS
    assert len(shared) >= 18
    for name in shared:
        one, other = pictures[name], clips[name]
        assert (one.opts, one.default, one.envvar) == (other.opts, other.default, other.envvar)
        assert one.type.to_info_dict() == other.type.to_info_dict()
        assert words(one) == words(other)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_option_stands_in_a_group(command: cloup.Command) -> None:
    """None is left for the heap at the end, where --help alone is."""
    grouped = {each.name for group in command.option_groups for each in group.options}
    assert grouped == set(options(command))
    titles = [group.title for group in command.option_groups]
    assert len(titles) == len(set(titles)) >= 6
