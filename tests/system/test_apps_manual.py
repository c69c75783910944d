"""magotp-services(7) shows each shipped profile as it is."""

import pytest

from host import ROOT

EXAMPLES = sorted((ROOT / "conf/examples").iterdir())


def squeezed(text):
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_the_manual_has_the_profiles_lines(example):
    manual = squeezed((ROOT / "docs/magotp-services.7").read_text())
    assert any(example.name in line for line in manual), "the file is named"
    for line in squeezed(example.read_text()):
        assert not line or line.startswith("#") or line in manual, line
