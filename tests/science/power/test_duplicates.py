"""Of copies of an acquisition exactly one stays, by the published tie-breaks, in whatever order the images come."""

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from carbonray.science.power.duplicates import SECOND_NS, Acquisitions, DuplicateRules, duplicate_verdict


def images(n: int, **given: object) -> Acquisitions:
    columns: dict[str, object] = {
        "place": np.array(["p1|sentinel2"] * n, dtype=object),
        "image_id": np.array([f"i{k}" for k in range(n)], dtype=object),
        "time_utc_ns": np.zeros(n, np.int64),
        "covered_km2": np.ones(n),
        "cloud_fraction": np.zeros(n),
        "downloaded_utc_ns": np.zeros(n, np.int64),
    }
    return Acquisitions(**{**columns, **given})  # type: ignore[arg-type]


def kept(given: Acquisitions, **rules: object) -> list[str]:
    verdict = duplicate_verdict(given, DuplicateRules(**rules))  # type: ignore[arg-type]
    return sorted(np.asarray(given.image_id)[verdict.kept].tolist())


def test_the_tie_breaks_in_their_order() -> None:
    area = images(3, covered_km2=[1.0, 2.0, np.nan], cloud_fraction=[0.0, 0.1, 0.0])
    assert kept(area) == ["i1"]
    cloud = images(3, cloud_fraction=[0.1, 0.05, np.nan], downloaded_utc_ns=[9, 1, 9])
    assert kept(cloud) == ["i1"]
    assert kept(images(3, downloaded_utc_ns=[1, 3, 2])) == ["i1"]
    verdict = duplicate_verdict(area, DuplicateRules())
    assert verdict.rule.tolist() == ["duplicate", "", "duplicate"]
    assert verdict.reason[0] == "copy of i1 (smaller area)"


def test_chance_decides_the_rest_by_seed_and_not_by_order() -> None:
    many = [kept(images(6), seed=seed) for seed in range(40)]
    assert {winner for (winner,) in many} == {f"i{k}" for k in range(6)}
    backward = images(6, image_id=np.array([f"i{k}" for k in range(6)][::-1], dtype=object))
    assert [kept(backward, seed=seed) for seed in range(40)] == many


def test_only_the_same_plant_and_imager_at_the_same_time_are_copies() -> None:
    place = np.array(["p1|a", "p1|b", "p2|a", "p1|a"], dtype=object)
    far = images(4, place=place, time_utc_ns=np.array([0, 0, 0, 61]) * SECOND_NS)
    assert len(kept(far)) == 4
    assert len(kept(far, tolerance_s=61.0)) == 3


def test_no_images_and_one_image() -> None:
    assert kept(images(0)) == []
    assert kept(images(1)) == ["i0"]


@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_one_of_every_acquisition_stays_in_any_order(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    one = images(
        n,
        time_utc_ns=rng.integers(0, 5, n) * 100 * SECOND_NS,
        covered_km2=rng.integers(0, 2, n).astype(float),
        cloud_fraction=rng.integers(0, 2, n).astype(float),
        downloaded_utc_ns=rng.integers(0, 2, n),
    )
    order = rng.permutation(n)
    names = [field.name for field in dataclasses.fields(Acquisitions)]
    other = Acquisitions(**{name: np.asarray(getattr(one, name))[order] for name in names})
    assert kept(one) == kept(other)
    assert len(kept(one)) == len(np.unique(np.asarray(one.time_utc_ns)))
