"""The networks between energy and emissions by name: those of the published table and the ablations of the weights."""

from dataclasses import replace

import pytest

from carbonray.errors import ContractError
from carbonray.models.clean_registry import CLEAN_MODELS, clean_entry


def test_names_are_those_of_the_published_table_and_the_ablations() -> None:
    assert set(CLEAN_MODELS) == {"clean_mlp", "clean_cnn", "mlp", "cnn", "clean_mlp_no_cycle", "clean_mlp_no_latent"}
    with pytest.raises(ContractError, match="no network of energy and emissions 'lstm'"):
        clean_entry("lstm")


@pytest.mark.parametrize(
    ("name", "of", "cycle", "latent"),
    [
        ("mlp", "clean_mlp", False, False),
        ("cnn", "clean_cnn", False, False),
        ("clean_mlp_no_cycle", "clean_mlp", False, True),
        ("clean_mlp_no_latent", "clean_mlp", True, False),
    ],
)
def test_an_ablation_differs_in_the_weights_alone(name: str, of: str, cycle: bool, latent: bool) -> None:
    ours, other = clean_entry(of), clean_entry(name)
    assert ours.config == other.config
    assert (other.fit.loss.lambda_cycle > 0.0, other.fit.loss.lambda_latent > 0.0) == (cycle, latent)
    assert replace(other.fit, loss=ours.fit.loss) == ours.fit
    assert ours.fit.loss.lambda_cycle > 0.0 and ours.fit.loss.lambda_latent > 0.0


def test_networks_of_one_encoder_are_named_after_it() -> None:
    assert all(("cnn" in name) == (entry.config.encoder == "cnn") for name, entry in CLEAN_MODELS.items())
    assert not any(entry.config.include_total for entry in CLEAN_MODELS.values())


def test_fits_of_record_are_those_of_the_description() -> None:
    """SCIENCE 2.3: AdamW 1e-3, weight decay 1e-4, batches of 256, at most 300 epochs."""
    rules = clean_entry("clean_mlp").fit
    assert (rules.learning_rate, rules.weight_decay, rules.batch_size, rules.epochs) == (1e-3, 1e-4, 256, 300)
