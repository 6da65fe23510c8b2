"""The run configuration: one YAML that says every default, strict keys, overrides, digests."""

import dataclasses
import typing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from carbonray.errors import SettingsError
from carbonray.settings import DEMO, Settings, load, overrides_of, recorded, tree_of_defaults


def leaf_defaults(kind: Any) -> Any:
    """Defaults of a dataclass as plain values; MISSING where it has none."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: leaf_defaults(field.annotation) for name, field in kind.model_fields.items()}
    if not dataclasses.is_dataclass(kind):
        return dataclasses.MISSING
    hints = typing.get_type_hints(kind)
    plain = {}
    for field in dataclasses.fields(kind):
        if field.default is not dataclasses.MISSING:
            plain[field.name] = plain_value(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            plain[field.name] = plain_value(field.default_factory())
        else:
            plain[field.name] = leaf_defaults(hints[field.name])
    return plain


def plain_value(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: plain_value(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return [plain_value(part) for part in value] if isinstance(value, tuple) else value


def compare(written: Any, declared: Any, path: str) -> None:
    if declared is dataclasses.MISSING:
        return
    if isinstance(declared, dict):
        assert set(written) == set(declared), path
        for name in declared:
            compare(written[name], declared[name], f"{path}.{name}")
    else:
        assert written == declared, path


def test_the_yaml_says_every_default_and_only_those() -> None:
    compare(tree_of_defaults(), leaf_defaults(Settings), "settings")


def test_every_line_of_the_yaml_has_a_comment_or_is_explained_above() -> None:
    text = (Path(__file__).parents[1] / "jobs" / "settings.yaml").read_text().splitlines()
    bare = [
        line
        for above, line in zip(["", *text], text, strict=False)
        if line.strip() and "#" not in line and not above.strip().startswith("#")
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("engine.wtch.stall_s=3", "unknown setting 'engine.wtch.stall_s'"),
        ("nothing=1", "unknown setting 'nothing'"),
        ("hotspots.cut.deep=1", "unknown setting 'hotspots.cut.deep'"),
        ("engine.watch=3", "unknown setting 'engine.watch'"),
        ("engine.read_cpus=many", "engine.read_cpus = 'many'"),
        ("engine.backend=dask", "engine.backend = 'dask'"),
        ("no equals sign", "is no override"),
        ("a..b=1", "is no override"),
        ("engine.read_cpus=[1", "not YAML"),
    ],
)
def test_a_wrong_override_is_named_by_its_dotted_path(override: str, words: str) -> None:
    with pytest.raises(SettingsError, match="--set") as caught:
        load(overrides=[override])
    assert words in str(caught.value)


def test_an_unknown_key_in_a_file_names_the_file(tmp_path: Path) -> None:
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("engine:\n  modle_actors: 4\n")
    with pytest.raises(SettingsError) as caught:
        load([overlay])
    assert "engine.modle_actors" in str(caught.value) and str(overlay) in str(caught.value)
    assert "engine.model_actors" in str(caught.value), "the near miss is offered"


def test_files_that_are_no_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load([tmp_path / "absent.yaml"])
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(SettingsError, match="are a list"):
        load([tmp_path / "list.yaml"])


def test_overlays_apply_in_order_and_overrides_last(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("engine: {model_actors: 2, read_cpus: 0.25}\n")
    second.write_text("engine: {model_actors: 3}\n")
    settings = load([first, second], ["engine.model_actors=4"])
    assert (settings.engine.model_actors, settings.engine.read_cpus) == (4, 0.25)


def test_one_url_may_be_written_without_brackets() -> None:
    assert load(overrides=["inputs.tropomi=a/*.nc"]).inputs.tropomi == ("a/*.nc",)
    assert load(overrides=["inputs.tropomi=[a, b]"]).inputs.tropomi == ("a", "b")


def test_an_open_mapping_takes_any_key_for_its_consumer_to_check() -> None:
    assert load(overrides=["training.fit.epochs=3"]).training.fit == {"epochs": 3}


def test_the_digest_follows_what_can_change_bytes_and_nothing_else() -> None:
    base = load()
    sections = ("hotspots",)
    assert load(overrides=["engine.model_actors=9"]).digest(sections) == base.digest(sections)
    assert load(overrides=["hotspots.detect.batch_tiles=16"]).digest(sections) != base.digest(sections)
    assert load(overrides=["training.scenes_url=/a"]).digest(["training"]) == base.digest(["training"])


def test_overrides_of_repeat_the_settings() -> None:
    settings = load(overrides=["hotspots.cut=0.3", "hotspots.tiles.stride_px=16", "engine.read_cpus=0.5"])
    changed = overrides_of(settings, ("hotspots",))
    assert changed == ["hotspots.cut=0.3", "hotspots.tiles.stride_px=16"]
    assert load(overrides=changed).hotspots == settings.hotspots


def test_the_demo_overlay_fits_the_tree() -> None:
    settings = load([str(DEMO)])
    assert settings.engine.model_gpus == 0 and settings.engine.local.num_cpus == 2


def test_a_date_is_the_text_it_is_written_as() -> None:
    assert load(overrides=["world.first_day=2021-06-01"]).world.first_day == "2021-06-01"


def test_settings_of_an_earlier_version_take_todays_defaults() -> None:
    tree = load(overrides=["engine.read_cpus=0.25"]).model_dump(mode="json")
    del tree["engine"]["model_actors"], tree["annual"]
    assert recorded(tree, "run.json") == load(overrides=["engine.read_cpus=0.25"])


def test_settings_that_are_none_any_more_are_named() -> None:
    tree = load().model_dump(mode="json")
    tree["engine"]["warp"] = 9
    with pytest.raises(SettingsError, match=r"engine\.(EngineRules\.)?warp.*run\.json.*settings of this version"):
        recorded(tree, "run.json")
