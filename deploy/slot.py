"""Slots: blue and green take turns as production, canary gets a share."""

from __future__ import annotations

from typing import Literal, get_args

from deploy.errors import UsageError

__all__ = ["COLOURS", "SLOTS", "Colour", "Slot", "colour_named", "other_colour"]

Colour = Literal["blue", "green"]
Slot = Literal["blue", "green", "canary"]
COLOURS: tuple[Colour, ...] = get_args(Colour)
SLOTS: tuple[Slot, ...] = get_args(Slot)


def other_colour(colour: Colour) -> Colour:
    """Green for blue and blue for green."""
    return "green" if colour == "blue" else "blue"


def colour_named(name: object) -> Colour:
    """The slot of that name, as a colour.

    Raises:
        UsageError: it is none.
    """
    for colour in COLOURS:
        if colour == name:
            return colour
    raise UsageError(f"{name!r} can't be production: use one of {', '.join(COLOURS)}")
