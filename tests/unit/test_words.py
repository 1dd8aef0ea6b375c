"""One word for each thing: those of docs/glossary.md, in documents, page, extension, commands and API alike."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache

import pytest
from typer.testing import CliRunner

from pikkit.settings import Settings
from pikkit.web.openapi import document
from tests.support.command_lines import APPS, commands
from tests.support.need import root

# What a reader might call the same thing elsewhere, and the word that is used here.
DRIFTED = {
    r"bookmakers?|bookies?|sports books?": "sportsbook",
    r"margins?|holds? of|juice|vigorish|house edge|takeout": "vig, overround",
    r"no-vig|de-?vig\w*|true odds|true probabilit(?:y|ies)": "fair probability, fair odds",
    r"chances? to win|probability to win|winning probability|win chance": "win probability",
    r"fair chances?": "fair probability",
    r"expected (?:returns?|values?|profits?)|EV": "expected ROI",
    r"closing[- ]price value|beat(?:ing)? the close": "closing line value",
    r"bank ?roll size|betting bank|bank roll": "bankroll",
    r"wagers?|punts?|bet size|unit size": "bet, stake",
    r"handicap line|point line": "line",
    r"model bundles?|model packs?": "model set",
}


def _prose_of_script(text: str) -> Iterator[str]:
    """Comments, and the texts of a script that have blanks in them."""
    yield from re.findall(r"(?m)//.*$|/\*.*?\*/", text)
    for _, said in re.findall(r"""(["'`])((?:\\.|(?!\1).)*)\1""", text):
        if " " in said:
            yield _without_code(re.sub(r"\$\{[^}]*\}", "", said))


def _without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)


@cache
def texts() -> dict[str, str]:
    """All that people read, without code, by where it stands."""
    found = {"settings": "\n".join(field.description or "" for field in Settings.model_fields.values())}
    for path in [root() / "README.md", root() / "monitoring/RUNBOOK.md", *sorted((root() / "docs").glob("**/*.md"))]:
        found[str(path.relative_to(root()))] = _without_code(path.read_text(encoding="utf-8"))
    for folder in ("pikkit/web/static", "examples/chrome-extension"):
        for path in sorted((root() / folder).glob("**/*")):
            name = str(path.relative_to(root()))
            if path.suffix == ".js":
                found[name] = "\n".join(_prose_of_script(path.read_text(encoding="utf-8")))
            elif path.suffix == ".html":
                found[name] = re.sub(r"<[^>]*>", " ", path.read_text(encoding="utf-8"))
            elif path.suffix == ".md":
                found[name] = _without_code(path.read_text(encoding="utf-8"))
    for path in [
        root() / "import_models.py",
        *(one for top in ("pikkit", "training", "deploy") for one in (root() / top).glob("**/*.py")),
    ]:
        found[str(path.relative_to(root()))] = "\n".join(_messages(path.read_text(encoding="utf-8")))
    for program, app in APPS.items():
        found[program] = CliRunner().invoke(app, ["--help"]).stdout
    for command in commands():
        if command.name:
            found[command.line] = CliRunner().invoke(APPS[command.program], [command.name, "--help"]).stdout
    found["OpenAPI"] = "\n".join(_described(json.loads(json.dumps(document(Settings(_env_file=None))))))
    return found


def _messages(code: str) -> Iterator[str]:
    """What a program says: its texts that have blanks in them, without those that only explain it."""
    tree = ast.parse(code)
    explaining = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in explaining:
            yield _without_code(node.value) if " " in node.value else ""


def _described(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        yield from (part[name] for name in ("description", "summary") if isinstance(part.get(name), str))
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _described(inner)


@pytest.mark.parametrize(("drifted", "word"), DRIFTED.items())
def test_nothing_is_called_by_another_word(drifted: str, word: str) -> None:
    pattern = re.compile(rf"(?<![\w-])(?:{drifted})(?![\w-]|:\S)", 0 if "EV" in drifted else re.IGNORECASE)
    found = {name: sorted(set(hits)) for name, text in texts().items() if (hits := pattern.findall(text))}
    assert found == {}, f"say {word}"


GLOSSARY = re.findall(r"(?m)^\| (?!Word|---)([^|]+) \|", (root() / "docs/glossary.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("word", [one for entry in GLOSSARY for one in re.split(r", | \(|\)", entry.strip()) if one])
def test_each_word_of_the_glossary_is_used_as_it_is_written(word: str) -> None:
    plural = r"(?:s|es)?" if not word.endswith("y") else ""
    pattern = re.compile(rf"(?<!\w){re.escape(word)}{plural}(?!\w)", re.IGNORECASE)
    places = [name for name, text in texts().items() if name != "docs/glossary.md" and pattern.search(text)]
    assert places, "nobody uses it: leave it out, or use it"


def test_the_glossary_is_in_order() -> None:
    assert sorted(GLOSSARY, key=str.casefold) == GLOSSARY
