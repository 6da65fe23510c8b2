from pathlib import Path

import pytest

from carbonray.errors import DataError, SettingsError
from carbonray.io.energy.readers import layout_name, read_energy
from tests.io.energy.energy_files import OWID_HEAD, opennem_text, written

LAYOUTS = {
    "carbon_monitor": "\ufeffcountry,date,sector,value\nFrance,01/01/2023,Ground Transport,0.2\n",
    "power_mix": "country;date;sector;value\nFrance;01/01/2023;Hydroelectricity;200\n",
    "owid": OWID_HEAD + "\n",
    "opennem": opennem_text([], "", "", ""),
}


@pytest.mark.parametrize(("name", "text"), LAYOUTS.items())
def test_a_file_is_told_by_its_first_lines(tmp_path: Path, name: str, text: str) -> None:
    assert layout_name(written(tmp_path, "file", text)) == name


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "country,date,sector,value\n", "country,sector\nX,Coal\n"])
def test_a_file_of_nobody_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="nothing tells whose file"):
        read_energy(written(tmp_path, "file", text))


def test_a_reader_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no reader of energy"):
        read_energy(str(tmp_path / "absent"), name="entsoe")


def test_a_reader_may_be_named(tmp_path: Path) -> None:
    url = written(tmp_path, "file", LAYOUTS["carbon_monitor"])

    assert read_energy(url, name="carbon_monitor").rows() == read_energy(url).rows()
    assert read_energy(url, name="power_mix").rows()["refused"] == 1


@pytest.mark.parametrize("name", ["carbon_monitor", "owid"])
def test_a_head_without_a_line_is_no_data(tmp_path: Path, name: str) -> None:
    head = LAYOUTS[name].splitlines()[0]

    with pytest.raises(DataError, match="no line of data"):
        read_energy(written(tmp_path, "file", f"{head}\n"), name=name)
