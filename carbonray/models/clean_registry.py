"""Every network between energy and emissions by name: its shape and how it is fitted by default.

Source: SCIENCE 2.1 (the published table: CLEAN and its own backbones, each with both encoders) and 2.3 (ablations of
the weights). Whether totals are read beside the mix is a setting of every one of them, not a name. A new network is one
entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from carbonray.errors import ContractError
from carbonray.models.clean import CleanConfig
from carbonray.models.clean_fit import CleanFitRules
from carbonray.models.clean_losses import CleanLoss


@dataclass(frozen=True)
class CleanEntry:
    """One line of the registry.

    Attributes:
        config: the network's shape; whether it has decoders follows from the loss.
        says: what it is, in words.
        fit: defaults of record of the fit; the settings change them.
    """

    config: CleanConfig
    says: str
    fit: CleanFitRules = field(default_factory=CleanFitRules)


_MLP, _CNN, _LOSS = CleanConfig(encoder="mlp"), CleanConfig(encoder="cnn"), CleanLoss()
_ALONE = CleanFitRules(loss=replace(_LOSS, lambda_cycle=0.0, lambda_latent=0.0))

CLEAN_MODELS: Mapping[str, CleanEntry] = {
    "clean_mlp": CleanEntry(_MLP, "two layers an encoder, cycle and latent terms"),
    "clean_cnn": CleanEntry(_CNN, "two convolutions an encoder, cycle and latent terms"),
    "mlp": CleanEntry(_MLP, "the same encoders, each task alone", _ALONE),
    "cnn": CleanEntry(_CNN, "the same convolutions, each task alone", _ALONE),
    "clean_mlp_no_cycle": CleanEntry(_MLP, "latent term alone", CleanFitRules(loss=replace(_LOSS, lambda_cycle=0.0))),
    "clean_mlp_no_latent": CleanEntry(_MLP, "cycle alone", CleanFitRules(loss=replace(_LOSS, lambda_latent=0.0))),
}


def clean_entry(name: str) -> CleanEntry:
    """One line of `CLEAN_MODELS`.

    Raises:
        ContractError: the name is unknown.
    """
    entry = CLEAN_MODELS.get(name)
    if entry is None:
        raise ContractError(
            f"no network of energy and emissions {name!r}",
            where="carbonray/models/clean_registry.py",
            expected=f"one of {sorted(CLEAN_MODELS)}",
            remedy="Name a network of the registry.",
        )
    return entry
