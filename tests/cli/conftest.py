"""The two tools against a real otpcored and magotp-smsd. Root is needed:
people's own commands run as other users."""

import os
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from desk import Desk  # noqa: E402


def pytest_collection_modifyitems(items):
    here = os.path.dirname(os.path.abspath(__file__))
    for item in items:
        if os.geteuid() != 0 and str(item.fspath).startswith(here):
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture
def make_desk():
    desks = []

    def make(start=True, **sections):
        directory = tempfile.mkdtemp(prefix="magotp-cli-")
        sections.setdefault("licences", {"mode": "required"})
        desk = Desk(directory, **sections)
        desks.append(desk)
        return desk.start() if start else desk

    yield make
    for desk in desks:
        desk.close()
        shutil.rmtree(desk.dir)


@pytest.fixture
def desk(make_desk):
    return make_desk()
