"""Which features a model set wants, as its metadata tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pikkit.bets.bet import CATEGORICAL
from pikkit.bets.names import Encoder
from pikkit.errors import ModelError
from pikkit.features.table import FEATURES, Feature

__all__ = ["FeatureSpec"]


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """The features in the order of the models' columns, and the encoders by column of CATEGORICAL.

    `exact`: a model reads them in double precision. What a scaler makes of single precision falls on the other side of
    the splits of trees that were trained behind it.
    """

    features: tuple[Feature, ...]
    encoders: Mapping[str, Encoder]
    exact: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Of the features, in their order."""
        return tuple(feature.name for feature in self.features)

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, object]) -> FeatureSpec:
        """The spec that metadata describes (`features`, `encoders`).

        Raises:
            ModelError: a feature or encoder is missing, doubled or not known here.
        """
        names = metadata.get("features")
        encoders = metadata.get("encoders")
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise ModelError("metadata has no list of `features`: name the columns the models were trained on")
        for name in names:
            if name not in FEATURES:
                raise ModelError(f"feature {name[:60]!r} is not known here: known are {', '.join(FEATURES)}")
        if len(set(names)) < len(names):
            raise ModelError("metadata lists a feature twice: each column has one name")
        if not isinstance(encoders, dict):
            raise ModelError("metadata has no `encoders`: give the list of classes of each encoded column")
        for column in CATEGORICAL:
            classes = encoders.get(column)
            if f"{column}_encoded" in names and not classes:
                raise ModelError(f"metadata has no encoder for {column}, which {column}_encoded needs")
            if classes is not None and not (isinstance(classes, list) and all(isinstance(c, str) for c in classes)):
                raise ModelError(f"the encoder of {column} is not a list of names: position = code")
        return cls(
            tuple(FEATURES[name] for name in names),
            {column: Encoder(encoders[column], column) for column in CATEGORICAL if encoders.get(column)},
        )
