"""`make completion`: docs/completion.bash, from the command lines themselves.

It is static, since a command takes a second to start, which is too long between two keys.
"""

import argparse
from collections import defaultdict

from tests.support.command_lines import APPS, commands
from tests.support.need import root

FILE = "docs/completion.bash"
_HEAD = """\
# Completion of this repository's commands for bash: source docs/completion.bash
# Made by `make completion` from the command lines themselves; starts none of them.
# shellcheck shell=bash disable=SC2207 # words have no blanks

# What may follow the words, which are a program, perhaps its command, perhaps an option that takes a value; fails where
# there is no such place. Nothing: a file.
_pikkit_words() {
    case "$1" in
"""
_TAIL = """\
    *) return 1 ;;
    esac
}

_pikkit() {
    local at=1 place words
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    [[ ${COMP_WORDS[1]} == -m ]] && at=2
    if ((COMP_CWORD == at)); then
        ((at == 1)) || COMPREPLY=($(compgen -W "$(_pikkit_words -m)" -- "$word"))
        return
    fi
    place=${COMP_WORDS[at]#./}
    if ((COMP_CWORD > at + 1)) && _pikkit_words "$place ${COMP_WORDS[at + 1]}" >/dev/null; then
        place+=" ${COMP_WORDS[at + 1]}"
    fi
    if [[ $before != -* ]] || ! words=$(_pikkit_words "$place $before"); then
        words=$(_pikkit_words "$place") || return
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}

complete -o default -F _pikkit python .venv/bin/python
"""


def script() -> str:
    """The file's text."""
    modules = " ".join(program.removeprefix("-m ") for program in APPS if program.startswith("-m "))
    places = {"-m": modules}
    names = defaultdict(list)
    for command in commands():
        program = command.program.removeprefix("-m ")
        if command.name:
            names[program].append(command.name)
        place = f"{program} {command.name}".strip()
        places[place] = " ".join([*command.arguments, *command.options])
        places |= {f"{place} {option}": " ".join(choices) for option, choices in command.takes_value.items()}
    places |= {program: " ".join([*sorted(some), "--help"]) for program, some in names.items()}
    by_words = defaultdict(list)
    for place, words in sorted(places.items()):
        by_words[words].append(place)
    return _HEAD + "".join(_case(some, words) for words, some in by_words.items()) + _TAIL


def _case(places: list[str], words: str) -> str:
    told = f"\n        echo '{words}'" if words else ""
    some = " | \\\n    ".join(f"'{place}'" for place in places)
    return f"    {some}){told}\n        ;;\n"


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    (root() / FILE).write_text(script(), encoding="utf-8")
