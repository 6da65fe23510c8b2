"""How sounding models are fitted: the settings of trees and networks, and what was tuned for one of them alone.

Sources: SCIENCE 4.5 (ranges searched; the defaults in them are inferred). Hyperparameters are tuned for every model and
task apart, as the plume paper did (section 3.8): what is tuned stands by model and task over what all share.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any, Literal, TypeVar

from carbonray.errors import ContractError, SettingsError
from carbonray.models.detector import dataclass_of, of_kind
from carbonray.models.sounding_cnn import TASKS, SoundingCnnConfig
from carbonray.models.sounding_fit import SoundingFitRules
from carbonray.models.sounding_registry import SOUNDING_MODELS, cnn_config
from carbonray.models.sounding_trees import TreeRules
from carbonray.models.tree_tables import TreeTableRules
from carbonray.science.power.peer_inputs import IndexRules

T = TypeVar("T")
TUNED = "soundings.fit.tuned"
_CONFIG = tuple(f.name for f in fields(SoundingCnnConfig) if f.name != "task")


@dataclass(frozen=True)
class SoundingRules:
    """How sounding models are fitted.

    Attributes:
        trees: how trees are grown.
        distributed: when trees are grown by several workers.
        index: indices that peers read.
        fit: how networks are fitted.
        config: settings of all networks that differ from the registry's.
        tuned: model -> task -> what differs for it alone: settings of `fit` and `config`, or of `trees`.
        bag_px: least side of the patches that are kept for networks, 0 for what the largest network reads.
        weights: 'fp16' or 'fp32', as bundles store them.
        backbones: published weights to start from, `NAME=URL` of a safetensors file; random weights where none fits.
        window_files: files of a plant and year among which images are shuffled; memory is about three such windows.
        threads: of a fit; with another number the last bits differ.
        device: 'cpu' or 'cuda'.
    """

    trees: TreeRules = field(default_factory=TreeRules)
    distributed: TreeTableRules = field(default_factory=TreeTableRules)
    index: IndexRules = field(default_factory=IndexRules)
    fit: SoundingFitRules = field(default_factory=SoundingFitRules)
    config: dict[str, Any] = field(default_factory=dict)
    tuned: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    bag_px: int = 0
    weights: Literal["fp16", "fp32"] = "fp16"
    backbones: tuple[str, ...] = ()
    window_files: int = 64
    threads: int = 1
    device: Literal["cpu", "cuda"] = "cpu"

    def network(self, name: str, task: str) -> SoundingCnnConfig:
        """The network of one task of a model, first weights random.

        Raises:
            ContractError: the model is a tree or unknown, or patch and truncation do not fit.
            SettingsError: something unknown is tuned.
        """
        tuned = {key: value for key, value in self._tuned(name, task).items() if key in _CONFIG}
        settings = asdict(cnn_config(name, task)) | self.config | tuned
        return dataclass_of(SoundingCnnConfig, settings, where=f"config of {name}, {task}")

    def network_fit(self, name: str, task: str) -> SoundingFitRules:
        """How that network is fitted.

        Raises:
            SettingsError: something unknown is tuned.
        """
        tuned = {key: value for key, value in self._tuned(name, task).items() if key not in _CONFIG}
        return changed(self.fit, tuned, where=f"{TUNED}.{name}.{task}")

    def tree_rules(self, name: str, task: str) -> TreeRules:
        """How the trees of one task of a model are grown.

        Raises:
            SettingsError: something unknown is tuned.
        """
        return changed(self.trees, self._tuned(name, task), where=f"{TUNED}.{name}.{task}")

    def patch_px(self, name: str) -> tuple[int, ...]:
        """Sides of the patches that are kept for a model's networks; none for trees."""
        if not SOUNDING_MODELS[name].trunk:
            return ()
        return (*(self.network(name, task).patch_px for task in TASKS), *((self.bag_px,) if self.bag_px else ()))

    def _tuned(self, name: str, task: str) -> dict[str, Any]:
        return self.tuned.get(name, {}).get(task, {})


def changed(rules: T, told: Mapping[str, Any], *, where: str) -> T:
    """Rules with some of their fields changed; a mapping changes fields of a field.

    Raises:
        SettingsError: there is no such field, or no such value.
    """
    known = {f.name for f in fields(rules)}  # type: ignore[arg-type]
    strange = sorted(set(told) - known)
    if strange:
        raise SettingsError(
            f"unknown setting {where}.{strange[0]}",
            where=where,
            expected=f"some of {', '.join(sorted(known))}",
            remedy="Correct the name.",
        )
    made = {name: getattr(rules, name) for name in known}
    for name, value in told.items():
        before = made[name]
        if is_dataclass(before) and isinstance(value, Mapping):
            made[name] = changed(before, value, where=f"{where}.{name}")
        elif of_kind(value, before):
            made[name] = value
        else:
            raise _refused(f"{name} = {value!r}", where, f"a {type(before).__name__}, such as {before!r}")
    try:
        return type(rules)(**made)
    except ContractError as error:
        raise _refused(f"{dict(told)} cannot be", where, error.expected) from error


def check_tuned(tuned: Mapping[str, Mapping[str, Any]]) -> None:
    """Checks that what is tuned names models and tasks.

    Raises:
        SettingsError: it does not.
    """
    for name, tasks in tuned.items():
        strange = sorted(set(tasks) - set(TASKS)) if name in SOUNDING_MODELS else [name]
        if strange:
            raise SettingsError(
                f"{TUNED} names {strange[0]!r}",
                where=f"{TUNED}.{name}",
                expected=f"model.task: {', '.join(SOUNDING_MODELS)}; {', '.join(TASKS)}",
                remedy="Correct the name.",
            )


def _refused(what: str, where: str, expected: str) -> SettingsError:
    return SettingsError(what, where=where, expected=expected, remedy="Correct the value.")
