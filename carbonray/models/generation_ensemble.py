"""The four instances of a generation model and who they may answer for, as one JSON document with one digest.

Source: SCIENCE 4.7, plume paper section 3.9 (average the instances of the sounding models, then those of the
generation models; training plants by the instance that held them out). Nothing in the document can execute.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import ContractError
from carbonray.models.generation import Floats, GenerationModel, PlantDays
from carbonray.models.generation_peers import GENERATION_MODELS
from carbonray.science.power.annual import scoring_instances
from carbonray.science.power.lookback import LookbackRules, ModelPair, Output, outputs_of
from carbonray.science.spatial.folds import N_FOLDS

FORMAT = 1
_PLAIN = ("structure_kind", "model", "width_30d", "width_annual", "data_tier")


@dataclass(frozen=True)
class GenerationEnsemble:
    """Everything needed to tell 30-day capacity factors of one structure kind.

    Attributes:
        structure_kind: NDT or FGD.
        model: key of `GENERATION_MODELS`.
        instances: four, by rotation.
        pairs: sounding models whose outputs it reads.
        lookback: windows and reading of appendix C.
        training_folds: plant -> fold, of every plant that a sounding or generation model was fitted or stopped on.
        width_30d: half width of a 30-day value's interval, from errors on held-out plants.
        width_annual: of a year's.
        sounding_bundles: sha256 of the sounding models' bundles it was fitted with.
        data_tier: what it was trained on, such as SYNTHETIC-T1.
    """

    structure_kind: str
    model: str
    instances: tuple[GenerationModel, ...]
    pairs: tuple[ModelPair, ...]
    lookback: LookbackRules
    training_folds: Mapping[str, int]
    width_30d: float
    width_annual: float
    sounding_bundles: tuple[str, ...]
    data_tier: str

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What of the soundings it reads, in the order of its features."""
        return outputs_of(self.pairs, self.lookback.heads)

    @property
    def windows_days(self) -> tuple[int, ...]:
        """Its lookback windows."""
        return self.lookback.windows_days(self.structure_kind)

    def instances_for(self, plant_id: str) -> NDArray[np.int64]:
        """Numbers of the instances that may answer for a plant, of soundings and of generation alike."""
        fold = self.training_folds.get(plant_id, -1)
        allowed = scoring_instances([fold], [plant_id in self.training_folds])
        return np.flatnonzero(allowed[0])

    def predict(self, rows: PlantDays, instances: NDArray[np.int64]) -> Floats:
        """(row,) mean of the instances' capacity factors."""
        answers = np.stack([self.instances[number].predict(rows) for number in instances.tolist()])
        return np.asarray(answers.mean(axis=0), np.float64)


def encode_ensemble(ensemble: GenerationEnsemble) -> bytes:
    """The ensemble as JSON; the same ensemble gives the same bytes."""
    document = {
        "format": FORMAT,
        **{name: getattr(ensemble, name) for name in _PLAIN},
        "instances": [instance.facts() for instance in ensemble.instances],
        "pairs": [asdict(pair) for pair in ensemble.pairs],
        "lookback": asdict(ensemble.lookback),
        "training_folds": dict(ensemble.training_folds),
        "sounding_bundles": list(ensemble.sounding_bundles),
    }
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"


def ensemble_sha256(ensemble: GenerationEnsemble) -> str:
    """The ensemble's version: the digest of its JSON."""
    return hashlib.sha256(encode_ensemble(ensemble)).hexdigest()


def opened_ensemble(document: Mapping[str, Any], *, where: str) -> GenerationEnsemble:
    """The ensemble of a parsed document of `encode_ensemble`, equal to the last bit.

    Args:
        document: the JSON, parsed.
        where: URL or key it came from, for the error.

    Raises:
        ContractError: it is no such document.
    """
    try:
        told: dict[str, Any] = {name: document[name] for name in _PLAIN}
        opened = GENERATION_MODELS[told["model"]].opened
        told["instances"] = tuple(opened(facts) for facts in document["instances"])
        told["pairs"] = tuple(ModelPair(**pair) for pair in document["pairs"])
        told["lookback"] = LookbackRules(**{name: _frozen(value) for name, value in document["lookback"].items()})
        told["training_folds"] = {str(plant): int(fold) for plant, fold in document["training_folds"].items()}
        told["sounding_bundles"] = tuple(document["sounding_bundles"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_ensemble(where, f"{type(error).__name__}: {error}") from error
    if document.get("format") != FORMAT or len(told["instances"]) != N_FOLDS:
        raise _no_ensemble(where, f"format {document.get('format')}, {len(told['instances'])} instances")
    return GenerationEnsemble(**told)


def _frozen(value: Any) -> Any:
    """JSON knows lists only."""
    return tuple(value) if isinstance(value, list) else value


def _no_ensemble(where: str, what: str) -> ContractError:
    return ContractError(
        f"the document holds no generation models ({what})",
        where=where,
        expected=f"JSON of `encode_ensemble`, format {FORMAT}, with {N_FOLDS} instances",
        remedy="Restore it from its source, or train it again.",
    )
