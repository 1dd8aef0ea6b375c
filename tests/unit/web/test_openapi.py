from pikkit.bets.bet import Bet
from pikkit.bets.prediction import Prediction
from pikkit.settings import Settings
from pikkit.web.openapi import document
from pikkit.web.routes import ROUTES
from tests.support.slow_import import openapi_validate

DOCUMENT = document(Settings(_env_file=None))


def test_it_is_a_valid_document() -> None:
    openapi_validate(DOCUMENT)


def test_it_describes_the_routes_of_the_table_and_what_each_needs() -> None:
    described = {
        (method.upper(), path): operation
        for path, rows in DOCUMENT["paths"].items()
        for method, operation in rows.items()
    }
    assert described.keys() == {(route.method, route.path) for route in ROUTES if route.in_reference}
    for route in ROUTES:
        if route.in_reference:
            security = described[route.method, route.path].get("security", [])
            named = {scheme for option in security for scheme in option}
            assert named == {"key": {"apiKey"}, "token": {"adminToken"}, None: set()}[route.needs]
            assert ("401" in described[route.method, route.path]["responses"]) == (route.needs is not None)
            assert ("413" in described[route.method, route.path]["responses"]) == (route.method == "POST")


def test_each_operation_has_a_name_of_its_own_and_words() -> None:
    operations = [operation for rows in DOCUMENT["paths"].values() for operation in rows.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] for operation in operations)


def test_every_field_of_a_bet_is_in_its_schema_and_a_query_parameter() -> None:
    fields = set(Bet.model_fields) | {"explain", "dry_run"}
    assert set(DOCUMENT["components"]["schemas"]["Bet"]["properties"]) == fields
    assert {parameter["name"] for parameter in DOCUMENT["paths"]["/api/v1/predict"]["get"]["parameters"]} == fields


def test_every_field_of_a_prediction_is_described() -> None:
    assert set(DOCUMENT["components"]["schemas"]["Prediction"]["properties"]) == set(Prediction.__annotations__)
