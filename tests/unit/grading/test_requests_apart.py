"""Requests that share a prediction call: each gets the answer that it gets alone, and is observed as alone."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from pikkit.bets.prediction import Prediction
from pikkit.grading.grader import Graded, Grader, Job, Options, batch_answer
from pikkit.grading.opinion import Opinion
from pikkit.grading.predictor import Predictor
from pikkit.web.merger import Merger
from tests.support.graded import BET, NOW, Models, pinnacle, sides
from tests.support.web import Web

MTL, BOS = ({**BET, "selection": name} for name in ("MTL", "BOS"))
MARKET = sides(("MTL", -110), ("BOS", -105))
LEGS = [{**BET, "event": event, "selection": "MTL", "market_prices": MARKET} for event in ("MTL @ BOS", "MTL @ NYR")]
SENT: Sequence[Any] = [
    MTL,
    BOS,
    {**BOS, "odds": 105, "client_ref": "mine"},
    {**MTL, "line": -1.5, "market": "Spread", "unheard": 1},
    {**BOS, "line": 1.5, "market": "Spread", "placed_at": "2026-01-02T03:04:05Z"},
    {**MTL, "market_prices": MARKET},
    {**BOS, "market_prices": MARKET, "reference_prices": pinnacle(-130, 118)},
    {**MTL, "odds": 120, "reference_prices": pinnacle(-130, 118)},
    {**MTL, "market_prices": sides(("MTL", -110), ("BOS", 900))},
    {**MTL, "sport": "Parlay", "league": None, "market": "Parlay", "bet_type": "parlay", "odds": 264, "legs": LEGS},
    {**BET, "event": None, "bet_type": "parlay"},
    {**BET, "event": None, "sport": "Curling", "client_ref": "yours"},
    {**BET, "odds": 5},
    "no bet",
]
OPTIONS = [
    Options(),
    Options(dry_run=True),
    Options(explain=True),
    Options(caller="ab12"),
    Options(names_unknown_fields=False, raises_alerts=False),
    Options(warnings=("unknown query parameters are ignored: x",)),
]
requests = st.tuples(
    st.lists(st.sampled_from(SENT), min_size=1, max_size=3)
    | st.lists(st.sampled_from(SENT[:2]), max_size=6, min_size=4),
    st.sampled_from(OPTIONS) | st.just(OPTIONS[0]),
)


class Watching:
    """Tells of each bet what observers are told of it, whoever it comes with."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def graded(self, graded: Graded) -> None:
        starts = [sum(graded.sizes[:i]) for i in range(len(graded.sizes))]
        for start, size in zip(starts, graded.sizes, strict=True):
            if not size:  # of a request with bad bets alone
                continue
            one = slice(start, start + size)
            self.told.append(repr((graded.bets[one], graded.predictions[one], graded.options, graded.at)))

    def refused(self, error: Any) -> None:
        self.told.append(error.message)


def answered(groups: Sequence[Sequence[tuple[list[Any], Options]]], models: Models) -> tuple[list[str], list[str]]:
    """What requests are answered that come in these groups, and what observers are told, in no order."""
    watching = Watching()
    grader = Grader(Predictor(), SimpleNamespace(current=models), [watching], clock=lambda: NOW)
    answers: list[str] = []
    for group in groups:
        jobs = [grader.read_batch({"bets": bets}, options) for bets, options in group]
        answers += map(repr, map(batch_answer, jobs, grader.grade(jobs)))
    return answers, sorted(watching.told)


@given(
    st.lists(requests, min_size=2, max_size=6),
    st.sampled_from([None, 0.56]),
    st.sampled_from([Opinion(), Opinion(weight_market=0.5, weight_reference=0.5, trained_here=True)]),
)
@example([([MTL], OPTIONS[0]), ([BOS], OPTIONS[0])], 0.56, Opinion())
def test_a_request_is_answered_among_others_as_it_is_alone(
    sent: list[tuple[list[Any], Options]], chance: float | None, opinion: Opinion
) -> None:
    models = Models(chance, beyond=0.04, opinion=opinion)
    assert answered([sent], models) == answered([[one] for one in sent], models)


def test_callers_at_the_same_moment_get_what_each_gets_alone() -> None:
    """By all routes, two sides of one market and one bad bet among them, which share calls where they may."""
    calls: list[int] = []
    grader = Grader(Predictor(), SimpleNamespace(current=Models(0.56)), clock=lambda: NOW)

    def graded(jobs: Sequence[Job]) -> list[list[Prediction]]:
        calls.append(len(jobs))
        return grader.grade(jobs)

    web = Web(grader=grader, merger=Merger(graded))
    query = {**BET, "selection": "BOS", "stake": 5}
    sent: list[tuple[str, str, dict[str, Any]]] = [
        *(("POST", "/api/v1/predict", {"json": bet}) for bet in [*SENT, *SENT]),
        ("GET", "/api/v1/predict", {"params": query}),
        ("GET", "/api/v1/predict", {"params": {**query, "explain": "true"}}),
        ("GET", "/ml-predict", {"params": query}),
        ("POST", "/api/v1/batch-predict", {"json": {"bets": [MTL, BOS]}}),
        ("POST", "/api/v1/batch-predict", {"json": {"bets": [BOS]}}),
        ("POST", "/batch-predict", {"json": {"bets": [MTL, "no bet"]}}),
    ]

    async def scenario() -> tuple[list[Any], list[Any]]:
        async with web.client() as http:

            async def ask(number: int) -> Any:
                method, path, more = sent[number]
                answer = await http.request(method, path, headers={"x-request-id": f"r{number}"}, **more)
                return answer.status_code, answer.json()

            numbers = range(len(sent))
            return await asyncio.gather(*map(ask, numbers)), [await ask(number) for number in numbers]

    together, alone = asyncio.run(scenario())
    assert together == alone
    assert max(calls) > 10
    assert {status for status, _ in alone} == {200, 400}
