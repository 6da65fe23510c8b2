"""The regions' generator is known by its sources, and is none of the frozen ones before it."""

from importlib import resources

from carbonray.synthetic.city.frozen import city_generator_sha256
from carbonray.synthetic.regions import frozen


def test_the_hash_covers_the_sources(tmp_path, monkeypatch):
    before = frozen.region_generator_sha256()
    assert len(before) == 64
    assert before == frozen.region_generator_sha256() != city_generator_sha256()
    package = resources.files("carbonray")
    for room in ("synthetic/regions", "science/power"):
        (tmp_path / room).mkdir(parents=True)
        for file in (package / room).iterdir():
            if file.name.endswith(".py"):
                (tmp_path / room / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(frozen.resources, "files", lambda name: tmp_path)
    assert frozen.region_generator_sha256() == before
    for changed in ("synthetic/regions/supply.py", "science/power/emissions.py"):
        with (tmp_path / changed).open("a") as file:
            file.write("#")
        assert frozen.region_generator_sha256() != before
        before = frozen.region_generator_sha256()
