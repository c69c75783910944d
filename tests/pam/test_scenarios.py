"""Every scenario of scenarios/, against a real otpcored and magotp-smsd."""

import glob
import os

import pytest

from scenario import Scenario

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = sorted(glob.glob(os.path.join(HERE, "scenarios", "*.txt")))


@pytest.mark.parametrize("path", FILES, ids=[os.path.basename(f)[:-4] for f in FILES])
def test_scenario(path, tmp_path):
    Scenario(path, tmp_path).run()


def test_there_are_scenarios():
    assert len(FILES) > 20
