"""What is simulated says so in its last line, and nothing else is taken for it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import DataError
from carbonray.io.energy.tiers import _TAIL_BYTES, REAL, file_tier
from carbonray.synthetic.regions.files import TIERS, daily_file
from carbonray.synthetic.regions.reports import ReportRules
from carbonray.synthetic.regions.world import RegionRules
from tests.io.energy.energy_files import written

HEAD = "country,date,sector,value\n"


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("kind", ["energy", "emissions"])
def test_files_of_the_synthetic_regions_say_what_they_are(tmp_path: Path, kind: str, tier: str) -> None:
    name, data = daily_file(RegionRules(count=6, days=3), ReportRules(), kind, tier)
    path = tmp_path / name.rsplit("/", 1)[-1]
    path.write_bytes(data)
    assert file_tier(str(path)) == tier.removeprefix("tier ") and tier.startswith("SYNTHETIC-")


@pytest.mark.parametrize(
    ("text", "tier"),
    [
        ("", REAL),
        (f"{HEAD}Aland,01/01/2020,Power,1\n", REAL),
        (f"{HEAD}Aland,01/01/2020,Power,1\nmade by nobody, tier SYNTHETIC-T1\n", "SYNTHETIC-T1"),
        (f"{HEAD}frontier SYNTHETIC-T1\n", REAL),
        (f"{HEAD}tier SYNTHETIC-T12\n", REAL),
        (f"{HEAD}tier SYNTHETIC-T1\ntier SYNTHETIC-T2\n", "SYNTHETIC-T2"),
        (f"{HEAD}tier synthetic-t1\n", REAL),
    ],
    ids=["empty", "nothing said", "said", "inside a word", "no such tier", "said twice", "in small letters"],
)
def test_only_the_words_themselves_count_and_the_last_of_them(tmp_path: Path, text: str, tier: str) -> None:
    assert file_tier(written(tmp_path, "some.csv", text)) == tier


@given(lines=st.integers(0, 400))
def test_the_words_are_looked_for_at_the_end_alone(tmp_path_factory: pytest.TempPathFactory, lines: int) -> None:
    """However long the file is: data before the end cannot change its tier."""
    folder = tmp_path_factory.mktemp("tiers")
    body = "Aland,01/01/2020,Power,1.25\n" * lines
    assert file_tier(written(folder, "last.csv", f"{HEAD}{body}tier SYNTHETIC-T1\n")) == "SYNTHETIC-T1"
    first = file_tier(written(folder, "first.csv", f"tier SYNTHETIC-T1\n{body}"))
    assert first == (REAL if len(body) >= _TAIL_BYTES else "SYNTHETIC-T1")


def test_a_file_that_is_not_there_is_no_real_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such object"):
        file_tier(str(tmp_path / "absent.csv"))
