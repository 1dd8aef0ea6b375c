"""Reading what /metrics says."""

from prometheus_client.parser import text_string_to_metric_families

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def series(text: str | bytes) -> Series:
    """Every series of an exposition: (name, labels) to value.

    Raises:
        AssertionError: a series occurs twice, which Prometheus refuses.
    """
    found: Series = {}
    for family in text_string_to_metric_families(text.decode() if isinstance(text, bytes) else text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"{key} occurs twice"
            found[key] = sample.value
    return found


def value(found: Series, name: str, **labels: str) -> float:
    """The value of one series."""
    return found[name, frozenset(labels.items())]


def is_cumulative(name: str) -> bool:
    """Whether a series of this name may never decrease."""
    return name.endswith(("_total", "_bucket", "_count")) and name.startswith(("pikkit_", "bentoml_"))
