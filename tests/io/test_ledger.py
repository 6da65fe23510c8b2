"""The ledger's laws: one record a unit, the same bytes for the same work, read in key order, damage named."""

import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import ConflictError, IncompleteError
from carbonray.io import ledger, objectstore
from carbonray.io.ledger import Commit, ObjectRecord

SHA = "ab" * 32
WHOLE = Commit(
    "detect", "1f" * 16, "S5P 2021", "committed", objects=(ObjectRecord("partials/a.parquet", SHA, 7),),
    rows={"read": 3, "kept": 2, "quarantined": 1}, quarantined={"a bad line": 1}, facts={"days": [18000]},
)  # fmt: skip


def test_a_record_comes_back_as_it_was(root: str) -> None:
    bad = Commit("detect", "2e" * 16, "S5P 2020", "quarantined", "truncated")
    assert ledger.record(root, WHOLE)
    assert ledger.record(root, bad)
    found = ledger.read(root, "detect")
    assert list(found.values()) == [bad, WHOLE], "records come in the order of their keys"
    assert ledger.committed_ids(root, "detect") == {WHOLE.unit_id, bad.unit_id}
    assert ledger.read(root, "reduce") == {}


def test_the_same_record_again_is_harmless_and_another_is_not(root: str) -> None:
    assert ledger.record(root, WHOLE)
    assert not ledger.record(root, replace(WHOLE, rows={"quarantined": 1, "kept": 2, "read": 3})), "order of names"
    with pytest.raises(ConflictError, match="other bytes"):
        ledger.record(root, replace(WHOLE, facts={"days": [18001]}))
    assert list(ledger.read(root, "detect").values()) == [WHOLE]


def test_of_two_attempts_at_once_one_is_new(root: str) -> None:
    together, answers = threading.Barrier(4), []

    def attempt() -> None:
        together.wait()
        answers.append(ledger.record(root, WHOLE))

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False, False, False, True]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"objects": [{"key": "a"}]}', b'{"objects": [], "x": 1}'])
def test_a_damaged_record_is_named_with_its_remedy(tmp_path: object, data: bytes) -> None:
    url = f"{tmp_path}/ledger/detect/{WHOLE.unit_id}.json"
    objectstore.put_bytes(url, data)
    with pytest.raises(IncompleteError, match=f"{WHOLE.unit_id}.*Delete the record"):
        ledger.read(str(tmp_path), "detect")


def test_what_interrupted_writers_left_is_no_record(tmp_path: object) -> None:
    objectstore.put_bytes(f"{tmp_path}/ledger/detect/.{WHOLE.unit_id}.json.12ab.part", b"{")
    assert ledger.committed_ids(str(tmp_path), "detect") == set()
    assert ledger.read(str(tmp_path), "detect") == {}


records = st.builds(
    ObjectRecord, st.text("abc/.", min_size=1, max_size=6), st.just(SHA) | st.just("cd" * 32), st.just(1)
)


@given(st.lists(records, unique_by=lambda found: found.key, max_size=6), st.randoms())
def test_the_digest_is_of_the_set_of_objects(objects: list[ObjectRecord], order: object) -> None:
    shuffled = list(objects)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert ledger.digest(shuffled) == ledger.digest(objects)
    for index, found in enumerate(objects):
        changed = [*objects[:index], replace(found, sha256="ef" * 32), *objects[index + 1 :]]
        assert ledger.digest(changed) != ledger.digest(objects)
        assert ledger.digest(objects[:index] + objects[index + 1 :]) != ledger.digest(objects)
