"""Texts from callers, so that no receiver chokes on them and no reader is led astray by them."""

from __future__ import annotations

import re
import unicodedata
from html import escape
from typing import Any, TypeVar

__all__ = ["clean", "shown"]

T = TypeVar("T")

# Control characters, line and paragraph separators; then format characters (bidi marks among them), lone surrogates.
_HIDDEN = {"Cc": " ", "Zl": " ", "Zp": " ", "Cf": "", "Cs": "", "Co": ""}
_JOINER = "\u2060"  # word joiner: takes no room, and ends what Telegram takes for a name or an address
_LINKS = (
    (re.compile(r"@(?=\w)"), f"@{_JOINER}"),
    (re.compile(r"(?<=\w)\.(?=[^\W\d_])"), f".{_JOINER}"),
    (re.compile(r":(?=//)"), f":{_JOINER}"),
    (re.compile(r"(?<!\S)([/#$])(?=\w)"), rf"\1{_JOINER}"),
)


def clean(value: T) -> T:
    """The value with every text in it on one line and without hidden characters."""
    cleaned: T = _clean(value)
    return cleaned


def _clean(value: Any) -> Any:
    match value:
        case str():
            if value.isascii() and value.isprintable():
                return value
            kept = (_HIDDEN.get(unicodedata.category(one), one) for one in value)
            return " ".join("".join(kept).split())
        case dict():
            return {_clean(name): _clean(item) for name, item in value.items()}
        case list() | tuple():
            return [_clean(item) for item in value]
    return value


def shown(text: object, limit: int = 200, *, quote: bool = False, live: bool = False) -> str:
    """A caller's text in Telegram's HTML: shortened between characters, escaped, nothing in it to click.

    Args:
        text: any value.
        limit: characters.
        quote: also escape quotation marks, as within an attribute.
        live: an address that may be followed: left as it is.
    """
    words = clean(str(text))
    if len(words) > limit:
        words = words[:limit] + "…"
    if not live:
        for pattern, harmless in _LINKS:
            words = pattern.sub(harmless, words)
    return escape(words, quote=quote)
