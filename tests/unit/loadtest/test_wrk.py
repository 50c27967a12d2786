from __future__ import annotations

import pytest

from loadtest import wrk

PRINTED = """Running 1s test @ http://127.0.0.1:1/
RESULT {"us":2000000,"requests":10,"connect":0,"read":1,"write":0,"status":3,"timeout":0,"latencies":[[100,9],[5000,1]]}
"""


def test_what_wrk_printed_becomes_a_tally() -> None:
    tally = wrk.parse(PRINTED)
    assert (tally.requests, tally.seconds) == (7, 2.0)
    assert tally.errors == {"read": 1, "status": 3}
    assert (tally.latencies.percentile(50), tally.latencies.maximum_us) == (100, 5000)


def test_no_result_is_an_error_with_what_was_printed() -> None:
    with pytest.raises(wrk.WrkFailed, match="unable to connect"):
        wrk.parse("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_the_scripts_send_what_the_scenarios_say() -> None:
    assert """wrk.body = '{"name":"Ada"}'""" in wrk.script("hello", "run7")
    assert "run7-" in wrk.script("create_user", "run7")
    with pytest.raises(ValueError, match="mixed"):
        wrk.script("mixed", "run7")
