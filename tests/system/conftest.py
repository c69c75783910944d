import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import host as house  # noqa: E402


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="system tests need root for mount namespaces"))


@pytest.fixture(scope="session")
def stage():
    """What `make install` made: ./check has it already, otherwise it is made here."""
    if "MAGOTP_ROOT" in os.environ:
        yield Path(os.environ["MAGOTP_ROOT"])
        return
    made = house.stage_install(Path(os.environ.get("MAGOTP_BUILD", house.ROOT)))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def empty_host(stage):
    with house.Host(stage) as host:
        yield host
        print(host.logs())


@pytest.fixture
def host(empty_host):
    """magotp installed and running, alice with one phone, sshd with the usual two lines."""
    empty_host.install()
    empty_host.person()
    empty_host.sshd()
    return empty_host
