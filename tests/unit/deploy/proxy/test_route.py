"""Routes: the name holds everything, and nonsense can't be built."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import UsageError
from deploy.proxy.route import Route
from deploy.slot import COLOURS, colour_named, other_colour


@given(
    generation=st.integers(0, 10**11),
    production=st.sampled_from(COLOURS),
    canary=st.booleans(),
    weight=st.integers(0, 100),
    salt=st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True),
    spare=st.booleans(),
)
def test_a_route_is_wholly_in_its_name(generation, production, canary, weight, salt, spare) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    route = Route(
        generation, production, weight if canary else 0, canary, salt, other_colour(production) if spare else None
    )
    assert Route.from_name(route.name) == route


@pytest.mark.parametrize(
    "name",
    [
        "",
        "none",
        "r1.blue.w0.off.s0.fnone",
        "r000001.red.w0.off.s0.fnone",
        "r000001.blue.w101.on.s0.fnone",
        "r000001.blue.w10.off.s0.fnone",
        "r000001.blue.w0.off.s0.fblue",
        "r000001.blue.w0.off.s0.fnone/..",
    ],
)
def test_what_is_no_route_is_not_read_as_one(name: str) -> None:
    assert Route.from_name(name) is None


@pytest.mark.parametrize("weight", [-1, 101])
def test_a_weight_is_a_percentage(weight: int) -> None:
    with pytest.raises(UsageError, match="from 0 to 100"):
        Route(1, "blue", weight, canary=True)


def test_the_next_route_is_the_same_but_for_what_is_changed() -> None:
    route = Route(7, "blue", 25, canary=True, salt="abc", spare="green")
    assert route.moved(production="green", spare=None) == Route(8, "green", 25, canary=True, salt="abc", spare=None)
    assert route.closed() == Route(8, "blue", 0, canary=False, salt="abc", spare="green")


@pytest.mark.parametrize("name", ["canary", "purple"])
def test_what_can_not_be_production_is_told_the_right_names(name: str) -> None:
    with pytest.raises(UsageError, match="blue, green"):
        colour_named(name)
