"""The cities' generator is known by its sources, and is none of the frozen ones before it."""

from importlib import resources

from carbonray.synthetic.city import frozen
from carbonray.synthetic.frozen import image_generator_sha256


def test_the_hash_covers_the_sources(tmp_path, monkeypatch):
    before = frozen.city_generator_sha256()
    assert len(before) == 64 == len(image_generator_sha256())
    assert before == frozen.city_generator_sha256()
    package = resources.files("carbonray")
    for room in ("synthetic/city", "science/spatial"):
        (tmp_path / room).mkdir(parents=True)
        for file in (package / room).iterdir():
            if file.name.endswith(".py"):
                (tmp_path / room / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(frozen.resources, "files", lambda name: tmp_path)
    assert frozen.city_generator_sha256() == before
    with (tmp_path / "synthetic/city/looks.py").open("a") as file:
        file.write("#")
    assert frozen.city_generator_sha256() != before
