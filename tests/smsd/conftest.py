import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import peers  # noqa: E402
import smsd as smsd_module  # noqa: E402


@pytest.fixture
def directory():
    made = smsd_module.new_directory()
    yield made
    smsd_module.remove_directory(made)


@pytest.fixture
def smsd(directory):
    """A daemon that is configured by the test; must have ended well, too."""
    daemon = smsd_module.Smsd(directory)
    yield daemon
    started = daemon.process is not None
    code = daemon.stop()
    print(daemon.log())
    daemon.pool.shutdown(wait=True)
    if started:
        assert code == 0, f"magotp-smsd ended with {code}"


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    # Its own place: the daemon drops to nobody and must be able to read it.
    made = smsd_module.new_directory()
    yield peers.Authority(made)
    smsd_module.remove_directory(made)


@pytest.fixture
def twilio(directory, authority):
    with peers.TwilioPeer(directory, authority) as peer:
        yield peer
