"""The bundles of CLEAN that a run uses, alike in what a run must share, and its scenarios."""

from carbonray.errors import SettingsError
from carbonray.io.energy.scenarios import Scenario, scenarios_of
from carbonray.io.model_store import bundle_sha256
from carbonray.pipelines.planning import bundles_under, expanded
from carbonray.settings import Settings
from carbonray.stages.energy_bundles import EnergyPin, energy_pin


def energy_pins(settings: Settings) -> tuple[EnergyPin, ...]:
    """All instances of one model, by number.

    Raises:
        SettingsError: none is given, or they are not instances of one model and one division of rows.
        ContractError: one is no bundle of energy and emissions.
    """
    urls = [bundle for given in expanded(settings.inputs.bundles) for bundle in bundles_under(given)]
    pins = sorted((energy_pin(url, bundle_sha256(url)) for url in urls), key=lambda pin: pin.instance)
    if not pins:
        raise _refusal("no bundle is given")
    kinds = {(pin.model, pin.include_total, repr(pin.seen.split), repr(sorted(pin.seen.composites))) for pin in pins}
    if len(kinds) > 1 or len({pin.instance for pin in pins}) < len(pins):
        told = ", ".join(f"{pin.model} instance {pin.instance} without {pin.seen.turn}" for pin in pins)
        raise _refusal(f"bundles that do not belong together: {told}")
    return tuple(pins)


def chosen_scenarios(settings: Settings) -> tuple[Scenario, ...]:
    """Those of the settings, then those of files.

    Raises:
        SettingsError: one cannot be understood, or two have one name.
    """
    return scenarios_of(settings.energy.predict.scenarios, expanded(settings.inputs.scenarios))


def _refusal(what: str) -> SettingsError:
    return SettingsError(
        what,
        where="inputs.bundles",
        expected="the folder of one run of jobs.train --model clean_mlp, or its bundles",
        remedy="Name one training run, or the instances of one.",
    )
