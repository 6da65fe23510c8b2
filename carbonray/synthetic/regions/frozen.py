"""What the generator of the synthetic regions is recognised by: the digest of its source files.

Source: SCIENCE 0.3 (a test generator is frozen, by hash, before anything is trained). Bundles say which generator they
were trained on; an evaluation says which one tests.
"""

import hashlib
from importlib import resources

SCIENCE = ("emissions",)  # of `science.power`: what fuels emit


def region_generator_sha256() -> str:
    """Hash over the sources of the regions, in the order of their names."""
    package = resources.files("carbonray")
    files = [entry for entry in (package / "synthetic" / "regions").iterdir() if entry.name.endswith(".py")]
    files += [package / "science" / "power" / f"{name}.py" for name in SCIENCE]
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda entry: entry.name):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
