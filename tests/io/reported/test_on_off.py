"""On/off labels: times, places and words; bad lines are named."""

from pathlib import Path

import numpy as np
import pytest

from carbonray.errors import DataError
from carbonray.io.reported.on_off import read_on_off


def test_labels_are_read_and_bad_lines_named(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(
        "timestamp,lat,lon,is_powered_on\n2020-07-03 16:32:41.397000+00:00,39.1,-84.8,1\n"
        "2020-07-03 18:32:41+02:00,39.1,-84.8,False\nyesterday,1,1,1\n2020-07-03,95,1,1\n2020-07-03,1,1,maybe\n"
    )
    labels = read_on_off(str(path))
    assert labels.on.tolist() == [True, False]
    assert np.diff(labels.time_utc_ns).tolist() == [-397_000_000]
    assert [reason.split(":")[0] for _, reason in labels.quarantined] == ["time", "coordinates", "label"]
    assert [line for line, _ in labels.quarantined] == [3, 4, 5]


def test_another_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("timestamp,lat,lon\n2020-07-03,1,1\n")
    with pytest.raises(DataError, match="on"):
        read_on_off(str(path))
