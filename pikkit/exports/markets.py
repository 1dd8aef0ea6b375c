"""The market in a tracker's free text of a bet, such as `Over 9.5 Jae Crowder Points PHX @ LAL`.

Nothing parts selection, market and event there, and each sportsbook has another order. What can be known is the
vocabulary of markets; the longest phrase found decides. What has none stays `Other`: never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

__all__ = ["OTHER", "PARLAY", "legs_of", "market_of"]

PARLAY, OTHER = "Parlay", "Other"

_TOTAL: Mapping[str, str] = {
    "basketball": "Total Points",
    "american football": "Total Points",
    "football": "Total Points",
    "baseball": "Total Runs",
    "ice hockey": "Total Goals",
    "hockey": "Total Goals",
    "soccer": "Total Goals",
    "tennis": "Total Games",
}
_PERIODS = (
    (r"(1st|first) half", "1st Half"),
    (r"(2nd|second) half", "2nd Half"),
    (r"(1st|first) (5|five) innings|f5", "1st 5 Innings"),
    (r"(1st|first) inning", "1st Inning"),
    *((rf"({n}{e}|{word}) {part}", f"{n}{e} {part.title()}")
      for n, e, word in ((1, "st", "first"), (2, "nd", "second"), (3, "rd", "third"), (4, "th", "fourth"))
      for part in ("quarter", "period", "set")),
)  # fmt: skip
# The more telling ones first: "Hits + Runs + RBIs" holds hits, "Team Total" holds total.
_PROPS = (
    (r"(points|pts)\W+(\w+\W+)?(rebounds|rebs?)\W+(\w+\W+)?(assists|asts?)|\bpra\b", "Player PRA"),
    (r"(rebounds|rebs?)\W+(\w+\W+)?(assists|asts?)", "Player R+A"),
    (r"(points|pts)\W+(\w+\W+)?(assists|asts?)", "Player P+A"),
    (r"(points|pts)\W+(\w+\W+)?(rebounds|rebs?)", "Player P+R"),
    (r"hits\W+(\w+\W+)?runs\W+(\w+\W+)?rbis?", "Player H+R+RBI"),
    (r"hits allowed", "Pitcher Hits Allowed"),
    (r"earned runs", "Pitcher Earned Runs"),
    (r"strikeouts", "Pitcher Strikeouts"),
    (r"(pitching )?outs( recorded)?", "Pitcher Outs"),
    (r"(total )?bases", "Player Total Bases"),
    (r"home runs?", "Player Home Runs"),
    (r"(3|three)\W?(pointers?|points?|pt)( made)?|threes( made)?|3pm", "Player 3-Pointers"),
    (r"longest reception", "Player Longest Reception"),
    (r"(receiving|rec\.?) (yards|yds)", "Player Receiving Yards"),
    (r"(rushing|rush\.?) (yards|yds)", "Player Rushing Yards"),
    (r"(passing|pass\.?) (yards|yds)", "Player Passing Yards"),
    (r"receptions", "Player Receptions"),
    (r"(pass(ing)?\.? )?completions|pass\.? comp\.?", "Player Completions"),
    (r"(rushing|rush\.?) (attempts|att\.?)", "Player Rushing Attempts"),
    (r"touchdowns?|\btds?\b", "Player Touchdowns"),
    (r"shots( on (goal|target))?", "Player Shots"),
    (r"rebounds", "Player Rebounds"),
    (r"assists", "Player Assists"),
    (r"hits|singles", "Player Hits"),
)
_GAME = (
    (r"both teams to score|btts", "Both Teams to Score"),
    (r"draw no bet", "Draw No Bet"),
    (r"team total", "Team Total"),
    (r"run line", "Run Line"),
    (r"puck line", "Puck Line"),
    (r"set handicap", "Set Handicap"),
    (r"(point )?spread|handicap", "Spread"),
    (r"money\s?line|\bml\b|to win|winner", "Moneyline"),
    (r"total games", "Total Games"),
    (r"total sets", "Total Sets"),
    (r"total runs", "Total Runs"),
    (r"total goals", "Total Goals"),
    (r"total points", "Total Points"),
    (r"totals?|o/u|over/under", "Total"),
)


def _compiled(table: tuple[tuple[str, str], ...]) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(rf"(?<!\w)(?:{phrase})(?!\w)"), name) for phrase, name in table)


_FOUND_PERIODS, _FOUND_PROPS, _FOUND_GAME = _compiled(_PERIODS), _compiled(_PROPS), _compiled(_GAME)
_POINTS = re.compile(r"(?<!\w)(?:points|pts)(?!\w)")


def legs_of(text: str) -> list[str]:
    """The legs, which ` | ` parts."""
    return [leg.strip() for leg in text.split("|") if leg.strip()]


@lru_cache(65_536)
def market_of(text: str, sport: str) -> str:
    """The market of one leg: a name as model sets have it (`1st Half Total`, `Player Points`), or OTHER."""
    plain = text.casefold()
    period, prop, game = (
        next((name for phrase, name in table if phrase.search(plain)), None)
        for table in (_FOUND_PERIODS, _FOUND_PROPS, _FOUND_GAME)
    )
    if prop:
        return prop
    if game == "Total Points" and _PLAYER.search(text):
        return "Player Points"
    if game is None and _POINTS.search(plain):
        return "Player Points"
    return _of_game(game, period, _TOTAL.get(sport.casefold(), "Total"))


def _of_game(game: str | None, period: str | None, total: str) -> str:
    is_set = period is not None and period.endswith("Set")
    if is_set and game in (None, "Moneyline"):
        return f"{period} Winner"
    if game is None:
        return OTHER
    if period:
        return f"{period} {'Total' if game.startswith('Total') else game}"
    return {"Total": total, "Team Total": f"Team {total}"}.get(game, game)


# A name of two words between a side with its line and the market, or in front of it: a team stands behind the market.
_PLAYER = re.compile(
    r"(over|under)\s+\d+(\.\d+)?\s+\S+ \S.*?\s+total points|^\S+ \S+.*?\s(over|under)\s+\d+(\.\d+)?\s+total points",
    re.IGNORECASE,
)
