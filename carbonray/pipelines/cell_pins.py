"""The bundles of cells that a run uses: found under the URLs given, alike in all that a run must share."""

from collections.abc import Mapping

from carbonray.errors import SettingsError
from carbonray.io import objectstore
from carbonray.io.model_store import bundle_sha256
from carbonray.io.urban.poi_categories import CategoryMap
from carbonray.pipelines.planning import bundles_under, expanded
from carbonray.science.urban.cell_splits import CellSplitRules
from carbonray.settings import Settings
from carbonray.stages.cell_bundles import CellPin, cell_pin

_ALIKE = ("model", "image_px", "width", "reads", "categories", "split")


def cell_pins(settings: Settings) -> tuple[CellPin, ...]:
    """All instances of one model, by number.

    Raises:
        SettingsError: none is given, or they are not instances of one model and one division of cells.
        ContractError: one is no bundle of cells.
    """
    urls = [bundle for given in expanded(settings.inputs.bundles) for bundle in bundles_under(given)]
    pins = sorted((cell_pin(url, bundle_sha256(url)) for url in urls), key=lambda pin: pin.instance)
    if not pins:
        raise _refusal("no bundle is given")
    kinds = {tuple(repr(getattr(pin, name)) for name in _ALIKE) for pin in pins}
    if len(kinds) > 1 or len({pin.instance for pin in pins}) < len(pins):
        told = ", ".join(f"{pin.model} instance {pin.instance} at {pin.image_px} px" for pin in pins)
        raise _refusal(f"bundles that do not belong together: {told}")
    if pins[0].pad == "authors":
        raise _refusal(f"the model {pins[0].model!r} pads with the first tile of its city, which a shard does not hold")
    return tuple(pins)


def shared_split(pins: tuple[CellPin, ...]) -> tuple[CellSplitRules, Mapping[str, int]]:
    """How the cells that the model was trained on were divided, and the fold of each group."""
    return pins[0].split, {name: fold for pin in pins for name, fold in pin.table.items()}


def model_version(pins: tuple[CellPin, ...]) -> str:
    """sha256 over the digests of the instances."""
    return objectstore.sha256("\n".join(pin.sha256 for pin in pins).encode())


def require_categories(pins: tuple[CellPin, ...], known: CategoryMap) -> None:
    """Checks that points are counted by the categories that the model was taught with.

    Raises:
        SettingsError: they are not.
    """
    if pins[0].categories != known.names:
        raise SettingsError(
            f"points are counted as {', '.join(known.names)}",
            where="grid.categories_url",
            expected=f"the categories of the model, in its order: {', '.join(pins[0].categories)}",
            remedy="Name the category map that the model was trained with.",
        )


def _refusal(what: str) -> SettingsError:
    return SettingsError(
        what,
        where="inputs.bundles",
        expected="the folder of one run of jobs.train --model opencarbon, or its bundles",
        remedy="Name one training run, or the instances of one.",
    )
