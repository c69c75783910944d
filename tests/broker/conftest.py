import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from house import House  # noqa: E402


@pytest.fixture
def open_dir():
    """A directory that other users may enter: pytest keeps its own closed."""
    path = tempfile.mkdtemp(prefix="magotp-test-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def house(open_dir):
    """Ready to start; say house.conf(...) before house.start() for other settings."""
    with House(open_dir) as h:
        yield h
        for name in ("broker", "smsd"):
            if os.path.exists(h.log_file(name)):
                print(h.log(name)[-4000:])


@pytest.fixture
def anna(house):
    """anna (uid 12001) with one phone, at a running house; house.number_of."""
    house.start()
    house.account("anna", uid=12001)
    house.number_of = {"anna": house.phone("anna")}
    return house
