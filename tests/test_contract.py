"""What every stage agrees on: columns asked for and declared."""

import numpy as np
import pyarrow as pa
import pytest

from carbonray.contract import Unit, encode_object_rows, object_rows, require, to_batch, to_table
from carbonray.errors import ContractError, DataError, SettingsError, revived

SCHEMA = pa.schema([("row", pa.int16()), ("name", pa.string()), ("value", pa.float32())])
BATCH = {
    "row": np.arange(3, dtype=np.int16),
    "name": np.array(["a", "b", "c"], dtype=object),
    "value": np.array([1.0, np.nan, 3.0], np.float32),
}


def test_a_missing_column_is_named_with_what_is_there() -> None:
    with pytest.raises(ContractError, match=r"\['wind'\] are missing.*found \['name', 'row', 'value'\]"):
        require(BATCH, ["row", "wind"], stage="Toy")


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ContractError, match="differ in length"):
        require({"row": np.zeros(2), "value": np.zeros(3)}, ["row"], stage="Toy")


def test_a_table_has_exactly_the_declared_columns_and_comes_back() -> None:
    table = to_table({**BATCH, "extra": np.zeros(3)}, SCHEMA, stage="Toy")
    assert table.schema == SCHEMA
    back = to_batch(table)
    assert back["value"].dtype == np.float32 and np.isnan(back["value"][1]), "NaN stays NaN, it is no null"
    np.testing.assert_array_equal(back["row"], BATCH["row"])


def test_a_column_of_another_type_is_refused() -> None:
    with pytest.raises(ContractError, match="declared type"):
        to_table({**BATCH, "row": np.array(["x", "y", "z"], dtype=object)}, SCHEMA, stage="Toy")


def test_ready_objects_travel_as_rows() -> None:
    objects = {"a/b": b"\0\1", "c": b""}
    table = pa.table({name: pa.array(column) for name, column in object_rows(objects).items()})
    encoded = encode_object_rows(Unit("p", "u", "k", {}, (), ()), to_batch(table), {"n": 2})
    assert dict(encoded.objects) == objects and encoded.facts == {"n": 2}


@pytest.mark.parametrize("kind", [DataError, ContractError, SettingsError])
def test_an_error_says_four_things_and_survives_the_way_between_processes(kind: type[DataError]) -> None:
    error = kind("it broke", where="here", expected="wholeness", remedy="Mend it.")
    assert str(error) == "it broke [here]; expected wholeness. Mend it."
    again = revived(error.as_fields())
    assert type(again) is kind and str(again) == str(error)
