"""What the generator of plants' images is recognised by: the digest of its source files.

Source: SCIENCE 0.3 (a test generator is frozen, by hash, before anything is trained). Models say in their bundles which
generator they were trained on; an evaluation says which one tests.
"""

import hashlib
from importlib import resources

SCIENCE = ("radiometry", "vapor")  # of `science.power`: the physics that the images are made with
ROOM = "synthetic"


def image_generator_sha256() -> str:
    """Hash over the sources of the fleet and of its renderer, in the order of their names."""
    package = resources.files("carbonray")
    files = [entry for entry in (package / ROOM).iterdir() if entry.name.endswith(".py")]
    files += [package / "science" / "power" / f"{name}.py" for name in SCIENCE]
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda entry: entry.name):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
