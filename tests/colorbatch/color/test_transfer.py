"""Transfer functions and primaries against the values that their standards print."""

from __future__ import annotations

import numpy as np
import pytest

from colorbatch.color import transfer

TRANSFERS = ["display", "linear", "cineon", "log100", "log316", "pq", "hlg"]


@pytest.mark.parametrize("name", TRANSFERS)
def test_light_never_falls_from_black_to_white(name):
    """Codes in order show light in order, from 0 to 1."""
    light = transfer.display_light(np.linspace(0, 1, 4096), name)
    assert (np.diff(light) >= 0).all()
    assert light[0] == 0
    assert light[-1] == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", TRANSFERS)
def test_the_way_back_leads_to_the_same_light(name):
    """Codes found for a light show that light, to the table's steps."""
    root = np.linspace(0, 1, 65536)
    back = transfer.display_light(transfer.value_table(name), name)
    # the least that log100 and log316 show is 1/100 and 1/316 of white; below lies only black
    least = {"log100": 0.01, "log316": 10**-2.5}.get(name, 0)
    error = np.abs(back - root**2)[root**2 >= least]
    assert error.max() < 4e-5  # twice a step of the table, 1.5e-5


def test_hdr_reference_white_is_where_the_report_says():
    """ITU-R BT.2408-7, table 1: 203 cd/m2 is 58 % of PQ and 75 % of HLG; 26 cd/m2 38 % of both."""
    assert transfer.pq_nits(np.array(0.58)) == pytest.approx(203, rel=0.02)
    assert transfer.hlg_nits(np.array(0.75)) == pytest.approx(203, rel=0.005)
    assert transfer.pq_nits(np.array(0.38)) == pytest.approx(26, rel=0.03)
    assert transfer.hlg_nits(np.array(0.38)) == pytest.approx(26, rel=0.03)


def test_pq_ends_where_the_standard_says():
    """ITU-R BT.2100-2: full PQ is 10,000 cd/m2, and both directions agree."""
    assert transfer.pq_nits(np.array(1.0)) == pytest.approx(10000)
    nits = np.geomspace(0.01, 10000, 50)
    assert np.allclose(transfer.pq_nits(transfer.pq_value(nits)), nits, rtol=1e-6)


@pytest.mark.parametrize(("code", "light"), [(95, 0.0), (470, 0.18), (685, 1.0), (1023, 1.0)])
def test_cineon_shows_black_grey_and_white_at_kodaks_codes(code, light):
    """Kodak 1995: codes 95, 470 and 685 are 1 %, 18 % and 90 % cards; grey to a hundredth."""
    assert transfer.display_light(code / 1023, "cineon") == pytest.approx(light, abs=0.01)


def test_wide_primaries_by_the_itu():
    """ITU-R BT.2087-0, section 2: the matrix from BT.709 to BT.2020, to its four digits."""
    expected = [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
    assert np.abs(transfer.from_linear_srgb("bt2020") - expected).max() < 1e-4


@pytest.mark.parametrize("name", ["bt709", "bt470m", "bt601-525", "film", "dci-p3", "ebu3213"])
def test_white_stays_white_under_all_primaries(name):
    """Neutral light is neutral light, whatever the primaries' own white."""
    assert np.allclose(transfer.from_linear_srgb(name) @ np.ones(3), 1, atol=1e-9)
