"""How networks of cells are fitted: rules from recipe, model and settings; what is measured; too few cells refused."""

from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy
import torch

from carbonray.errors import ContractError, DataError, SettingsError
from carbonray.io import objectstore
from carbonray.models.cell_fit import RECIPES, CellFitRules
from carbonray.models.cell_registry import CELL_MODELS
from carbonray.models.fit import Workers
from carbonray.models.fit_tensors import best_weights
from carbonray.models.resnet18 import ResNet18
from carbonray.science.urban.cell_splits import TEST, TRAIN, VALIDATE, CellSplitRules
from carbonray.stages.cell_networks import CellTrainRules, cell_fit, fitted_cells
from carbonray.stages.cell_roles import divided_cells
from carbonray.stages.fit_checkpoints import run_here
from tests.stages.small_cells import CITIES, RULES, stored, town


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return stored(town(), str(tmp_path_factory.mktemp("town")))


def fit_of(data, rules=RULES, model="image_only", instance=0):
    divided = divided_cells(data, rules.split)
    return cell_fit(rules, model, data, divided, divided.turn(instance))


def test_settings_stand_over_the_model_over_the_recipe():
    assert CellTrainRules().network_fit("opencarbon") == CellFitRules()
    assert CellTrainRules(recipe="yinchuan").network_fit("opencarbon") == RECIPES["yinchuan"]
    ablated = CellTrainRules(recipe="yinchuan", fit={"epochs": 5}).network_fit("opencarbon_no_contrastive")
    assert (ablated.loss.alpha, ablated.learning_rate, ablated.epochs) == (0.0, 5e-4, 5)
    told = CellTrainRules(fit={"loss": {"alpha": 0.5}}).network_fit("opencarbon")
    assert told.loss == replace(CellFitRules().loss, alpha=0.5)


def test_networks_are_the_registrys_but_for_sizes_and_settings():
    for name, entry in CELL_MODELS.items():
        made = CellTrainRules(config={"d": 16}).network(name, 9, 64)
        assert made == replace(entry.config, d=16, poi_categories=9, image_px=64)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"config": {"image_px": 64}}, "tells image_px"),
        ({"config": {"init": "imagenet"}}, "tells init"),
        ({"config": {"depth": 3}}, r"unknown setting grid\.training\.config\.depth"),
        ({"fit": {"loss": {"beta": 1.0}}}, r"unknown setting grid\.training\.fit\.loss\.beta"),
        ({"fit": {"epochs": "many"}}, "epochs = 'many'"),
        ({"config": {"neighbor_size": 2}}, "reads 2 rings"),
    ],
    ids=str,
)
def test_what_cannot_be_told_is_named(data, rules, said):
    with pytest.raises(SettingsError, match=said):
        fit_of(data, replace(RULES, **rules), "opencarbon")
    with pytest.raises(ContractError, match="no network of cells"):
        RULES.network_fit("resnet")


def test_the_centre_is_measured_on_cells_that_teach_unless_it_is_told(data):
    divided = divided_cells(data, RULES.split)
    ln = divided.rows.ln_t_co2[divided.of_role(divided.turn(0), TRAIN, ("image",))]
    fit = fit_of(data)
    assert (fit.config.ln_center, fit.config.ln_spread) == (ln.mean(), ln.std())
    assert len(fit.train) == len(ln) and fit.name == "image_only-0"
    told = fit_of(data, replace(RULES, config={**RULES.config, "ln_center": 0.0, "ln_spread": 1.0}))
    assert (told.config.ln_center, told.config.ln_spread) == (0.0, 1.0)


def test_no_cell_has_two_roles_and_shards_ask_for_their_own(data):
    divided = divided_cells(data, RULES.split)
    turn = divided.turn(1)
    chosen = [divided.of_role(turn, role, ("image", "poi")) for role in (TRAIN, VALIDATE, TEST)]
    assert len(np.unique(np.concatenate(chosen))) == sum(map(len, chosen)) < len(divided.rows.cell_id)
    asked = [cell for shard in divided.shards_with(chosen[0]) for cell in shard.cells]
    assert sorted(asked) == divided.rows.cell_id[chosen[0]].tolist()
    assert set(divided.table(turn).values()) == {0, 2, 3}


def test_cells_that_a_network_cannot_see_teach_it_nothing(data):
    divided = divided_cells(data, RULES.split)
    present = divided.rows.present.copy()
    present[::2, 0] = False
    half = replace(divided, rows=replace(divided.rows, present=present))
    turn = divided.turn(0)
    seen = half.of_role(turn, TRAIN, ("image",))
    assert set(seen % 2) == {1} and len(half.of_role(turn, TRAIN, ("image", "poi"))) > len(seen)


def test_cities_are_left_out_whole(data):
    rules = replace(RULES, split=CellSplitRules(by="cities"))
    divided = divided_cells(data, rules.split)
    assert divided.folds.n_folds == 3 and tuple(sorted(divided.folds.table)) == CITIES
    city = np.array(divided.rows.city)
    turn = divided.turn(2)
    named = {role: set(city[divided.of_role(turn, role, ("poi",))]) for role in (TRAIN, VALIDATE, TEST)}
    assert named == {TRAIN: {"Bohemia"}, VALIDATE: {"Arden"}, TEST: {"Cyprus"}}


def test_too_few_cells_are_refused_by_name(data):
    with pytest.raises(DataError, match=r"cells to learn from and \d+ to validate on") as found:
        fit_of(data, replace(RULES, least_cells=200))
    assert "validated on fold 1" in found.value.where
    divided = divided_cells(data, RULES.split)
    flat = replace(divided, rows=replace(divided.rows, ln_t_co2=np.full(len(divided.rows.cell_id), 9.0)))
    with pytest.raises(DataError, match="cells to learn from"):
        cell_fit(RULES, "image_only", data, flat, flat.turn(0))


def test_the_digest_holds_everything_that_can_change_the_weights(data, tmp_path):
    fit = fit_of(data)
    other = stored(town().turned(town().cell_id == town().cell_id[0]), str(tmp_path))
    changed = [
        fit_of(data, replace(RULES, fit={**RULES.fit, "seed": 7})),
        fit_of(data, replace(RULES, config={**RULES.config, "ln_center": 1.0})),
        fit_of(data, replace(RULES, window_shards=2)),
        fit_of(data, instance=1),
        fit_of(other),
    ]
    assert fit.digest() == fit_of(data).digest()
    assert len({fit.digest(), *(one.digest() for one in changed)}) == 6


def test_image_encoders_start_from_published_weights(data, tmp_path):
    """Of the same fit with no epoch behind it but the backbone: other weights, other digest, its file's sha256."""
    url = f"{tmp_path}/imagenet.safetensors"
    torch.manual_seed(9)
    given = {name: value.numpy() for name, value in ResNet18(1000, 4).state_dict().items()}
    objectstore.put_bytes(url, safetensors.numpy.save(given))
    still = replace(RULES, fit={**RULES.fit, "learning_rate": 0.0})
    fit = fit_of(data, replace(still, backbone=url))
    digest = objectstore.sha256(objectstore.read_bytes(url))
    assert fit.config.init == f"resnet18 sha256:{digest}" and fit.digest() != fit_of(data, still).digest()
    weight = best_weights(run_here(fit, f"{tmp_path}/fit").tensors)["image_encoder.layer2.0.conv1.weight"]
    assert np.array_equal(weight.numpy(), given["layer2.0.conv1.weight"])

    pointless = fit_of(data, replace(still, backbone=url), "poi_only")
    assert pointless.config.init == "random" and pointless.digest() == fit_of(data, still, "poi_only").digest()
    with pytest.raises(ContractError, match="layers are missing"):
        run_here(fit_of(data, replace(still, backbone=url, config={"width": 8, "d": 8})), f"{tmp_path}/wide")
    objectstore.put_bytes(url, safetensors.numpy.save({**given, "fc.bias": given["fc.bias"] + 1}))
    with pytest.raises(ContractError, match="pinned is"):
        run_here(fit, f"{tmp_path}/other")
    with pytest.raises(ContractError, match=r"not called \.safetensors"):
        fit_of(data, replace(still, backbone=f"{tmp_path}/imagenet.pth"))


def test_a_fit_taken_up_again_ends_in_the_same_bytes(data, tmp_path):
    fit = fit_of(data, replace(RULES, fit={**RULES.fit, "epochs": 2}), "poi_only")

    def die(_metrics):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_here(fit, f"{tmp_path}/killed", on_epoch=die)
    whole, again = (run_here(fit, f"{tmp_path}/{name}") for name in ("whole", "killed"))
    assert again.epoch == 2 and all(torch.equal(again.tensors[name], value) for name, value in whole.tensors.items())


def test_the_bundle_is_the_best_epoch_as_it_is_stored(data):
    rules = replace(RULES, fit={**RULES.fit, "epochs": 3, "validate_every": 1})
    fit = fit_of(data, rules)
    *_, last = fit.epochs(Workers())
    fitted = fitted_cells(fit, last.state, rules)
    best = max(epoch["validation_r2"] for epoch in last.state.facts["history"])
    assert fitted.scores["r2"] == pytest.approx(best, abs=0.02), "rounded to 16 bits"
    assert {value.dtype for value in fitted.tensors.values()} == {np.dtype("float16"), np.dtype("int64")}
    exact = fitted_cells(fit, last.state, replace(rules, weights="fp32"))
    assert exact.scores["r2"] == pytest.approx(best, abs=1e-5)
    assert fitted.back.factor > 1.0 and fitted.back.half_width > 0.0
