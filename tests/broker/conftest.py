import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from house import House  # noqa: E402


@pytest.fixture
def house(tmp_path):
    """Ready to start; say house.conf(...) before house.start() for other settings."""
    os.chmod(tmp_path, 0o755)  # for tests that speak as somebody else
    for up in list(tmp_path.parents)[:2]:
        if up.stat().st_uid == os.geteuid() and up != Path("/tmp"):
            os.chmod(up, up.stat().st_mode | 0o055)
    with House(tmp_path) as h:
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
