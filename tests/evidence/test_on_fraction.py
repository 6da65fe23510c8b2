"""The evidence on on-fractions: a case worked out by hand, and the committed tables against a second way to them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from carbonray.io.reported.on_off import read_on_off
from carbonray.science.stats.bootstrap import BootstrapRules
from carbonray.stages.labels import PlaceLabels
from carbonray.vocab.plant_tables import STRUCTURES
from tests.evidence.labels import LABELS, sha256
from tests.evidence.on_fraction import by_plant, judged_years, label_years, reported_years
from tests.evidence.on_fraction_page import draw
from tests.evidence.on_fraction_scores import OnFractionRules, gain, rmse_line, rmse_mean, scores

KEPT = Path(__file__).resolve().parents[2] / "docs" / "evidence" / "on-fraction"
RULES = OnFractionRules(min_labels=(1, 2), headline=2, bootstrap=BootstrapRules(resamples=50))
PLANTS_FRAME = pd.DataFrame(
    {
        "plant_id": ["A", "B", "C", "D"],
        "name": ["a", "b", "c", "d"],
        "country": ["USA", "USA", "DEU", "DEU"],
        "source_ids": ['{"gppd":["1","2"]}', '{"gppd":["3"]}', '{"gppd":["4"]}', "{}"],
    }
)


def labels_of(*rows: tuple[str, str, bool]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["plant_id", "time", "on"])
    return frame.assign(
        time_utc_ns=pd.to_datetime(frame["time"], utc=True).astype("datetime64[ns, UTC]").astype("int64")
    )


def file_of(folder: Path, *lines: str) -> Path:
    head = "gppd_idnr,capacity_mw,primary_fuel,generation_gwh_2017,generation_gwh_2018,estimated_generation_gwh"
    path = folder / "database_TST.csv"
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def test_an_on_fraction_counts_an_image_once_and_ends_with_the_utc_year() -> None:
    found = label_years(
        labels_of(
            ("A", "2017-12-31T23:59:59Z", True),
            ("A", "2018-01-01T00:00:00Z", False),
            ("A", "2018-06-01T10:00:00Z", True),
            ("A", "2018-06-01T10:00:00Z", True),  # another structure kind of the same image
        )
    )
    assert found[["year", "labels", "on_fraction"]].to_numpy().tolist() == [[2017, 1, 1.0], [2018, 2, 0.5]]


def test_reported_generation_becomes_a_factor_and_what_cannot_be_is_named(tmp_path: Path) -> None:
    reported = reported_years(
        [
            file_of(
                tmp_path,
                "1,100,Coal,438,0,999",  # with the next: 438 + 438 GWh of 200 MW are half of a year of 8,760 h
                "2,100,Coal,438,,999",
                "3,100,Coal,0,1000,999",
                "4,100,Gas,100,100,999",
            )
        ]
    )
    years = pd.DataFrame(
        [(plant, year, 3, 1.0) for plant in "ABCD" for year in (2017, 2018, 2019)],
        columns=["plant_id", "year", "labels", "on_fraction"],
    )
    found = judged_years(years, PLANTS_FRAME, reported, RULES).set_index(["plant_id", "year"])

    assert found.loc[("A", 2017), "capacity_factor"] == pytest.approx(0.5)
    assert found["verdict"].to_dict() == {
        ("A", 2017): "used",
        ("A", 2018): "nothing reported",  # of one of its two rows, so not of the plant
        ("A", 2019): "nothing reported",  # and never the column of estimates
        ("B", 2017): "exactly zero",
        ("B", 2018): "beyond capacity",
        ("B", 2019): "nothing reported",
        **{("C", year): "no coal in GPPD" for year in (2017, 2018, 2019)},
        **{("D", year): "no row in GPPD" for year in (2017, 2018, 2019)},
    }
    told = by_plant(found.reset_index()).set_index("plant_id")
    assert told.loc["A", "a_year"] == "2017: 3"
    assert told.loc["B", "left_out"] == "beyond capacity (2018); exactly zero (2017); nothing reported (2019)"


def test_scores_of_a_line_are_known() -> None:
    """y = 0.1 + 0.5 x at x = 0, 0.5, 1 of three plants: errors -0.1, 0.15, 0.4, and the mean of the other two."""
    pairs = pd.DataFrame({"plant_id": ["A", "B", "C"], "labels": [2, 2, 1], "on_fraction": [0.0, 0.5, 1.0]})
    pairs = pairs.assign(capacity_factor=0.1 + 0.5 * pairs["on_fraction"])
    found = scores(pairs, RULES).set_index(["min_labels", "statistic"])
    value = found["value"]

    assert value[(1, "correlation")] == pytest.approx(1.0)
    assert value[(1, "slope")] == pytest.approx(0.5)
    assert value[(1, "intercept")] == pytest.approx(0.1)
    assert value[(1, "rmse_as_it_is")] == pytest.approx(np.sqrt((0.1**2 + 0.15**2 + 0.4**2) / 3))
    assert value[(1, "mbe_as_it_is")] == pytest.approx((-0.1 + 0.15 + 0.4) / 3)
    assert value[(1, "rmse_line")] == pytest.approx(0.0, abs=1e-9)
    assert value[(1, "rmse_mean")] == pytest.approx(np.sqrt((0.375**2 + 0 + 0.375**2) / 3))
    assert np.isnan(value[(1, "correlation_within")])  # one year a plant
    assert found.loc[(2, "slope"), ["plants", "plant_years", "labels"]].tolist() == [2, 2, 4]


def test_a_line_is_judged_on_plants_that_it_was_not_fitted_to() -> None:
    plant = np.array([0, 0, 1, 1, 2, 2])
    x, y = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    # plant 2 is told by y = x (errors 1, 1), the others by y = 0.5 (errors 0.5)
    assert rmse_line(plant, x, y) == pytest.approx(np.sqrt((4 * 0.25 + 2) / 6))
    assert rmse_mean(plant, x, y) == pytest.approx(0.5)
    assert gain(plant, x, y) < 0


def test_the_years_of_a_plant_are_drawn_together() -> None:
    one = pd.DataFrame({"plant_id": "A", "labels": 3, "on_fraction": [0.2, 0.9], "capacity_factor": [0.1, 0.6]})
    found = scores(one, RULES).set_index(["min_labels", "statistic"]).loc[(1, "rmse_as_it_is")]
    assert found["low"] == found["high"] == found["value"]


def test_the_figure_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    used = pd.DataFrame(
        {"country": ["USA", "DEU"], "labels": [9, 1], "on_fraction": [1.0, 0.4], "capacity_factor": [0.6, 0.2]}
    )
    for name in ("a.svg", "b.svg"):
        draw(pd.concat([used, used.assign(labels=4, on_fraction=0.5)]), RULES, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_the_committed_plant_years_follow_from_gppds_own_coordinates(shared_data: Path) -> None:
    """Without the merged inventory: labels to the nearest coal row of GPPD's US file."""
    reported = reported_years([shared_data / "plants/gppd/database_USA.csv"])
    rows = pd.read_csv(shared_data / "plants/gppd/database_USA.csv", low_memory=False)
    coal = rows[(rows["primary_fuel"] == "Coal") & (rows["capacity_mw"] >= 100)]
    sites = coal[["gppd_idnr", "latitude", "longitude"]].set_axis(["plant_id", "lat", "lon"], axis=1)
    seen = read_on_off(str(shared_data / LABELS))
    placed = PlaceLabels()(seen, pa.Table.from_pandas(sites, preserve_index=False), STRUCTURES.empty_table())
    plants = coal.rename(columns={"gppd_idnr": "plant_id"})[["plant_id", "name", "country"]]
    plants["source_ids"] = [f'{{"gppd":["{one}"]}}' for one in plants["plant_id"]]
    found = judged_years(label_years(placed.labels.to_pandas()), plants, reported, OnFractionRules())
    kept = pd.read_csv(KEPT / "plant_years.csv")

    # plants go by other ids and sometimes by other names there, so years are told by their numbers
    numbers = ["year", "labels", "on_fraction", "capacity_factor"]
    mine, theirs = (rows[rows["verdict"] == "used"] for rows in (found, kept[kept["country"] == "USA"]))
    assert mine["plant_id"].nunique() == theirs["plant_id"].nunique() == 15
    assert sorted(map(tuple, mine[numbers].round(4).to_numpy())) == sorted(map(tuple, theirs[numbers].to_numpy()))


def test_the_committed_page_is_of_the_files_at_hand(shared_data: Path) -> None:
    page = (KEPT / "README.md").read_text(encoding="utf-8")
    hashes = re.findall(r"^\| `([^`]+)` \| `([0-9a-f]{64})` \|$", page, flags=re.MULTILINE)
    assert len(hashes) > 15
    assert [path for path, digest in hashes if sha256(shared_data / path) != digest] == []
