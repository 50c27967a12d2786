"""How well the time of a query tells that a row exists which the caller may not see.

    python -m loadtest.hidden_rows [--port] [--rounds 40] [--calls 250]

Method: an embedded Postgres in a throwaway folder, a table of 1,000 rows of which the policy shows the caller half; one
process on uvloop, one connection, one call at a time through the whole engine, each timed on its own; with --port, one
request at a time to a data route of `flux serve`, which records it. Calls for a key that a hidden row has, and for keys
that no row has, take turns in random order. "told" is the share of pairs, one call of each, in which the one for the
hidden row took longer (0.5 = the time tells nothing), by single calls and by medians of many. What a caller over a
network sees has the noise of the network on top.
"""

from __future__ import annotations

import argparse

import uvloop

from . import engine, port


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", action="store_true", help="as a caller of the port sees it")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--calls", type=int, default=250)
    given = parser.parse_args()
    measure = port.measure if given.port else engine.measure
    for what, times in uvloop.run(measure(given.rounds, given.calls)).items():
        print(times.line(what))


if __name__ == "__main__":
    main()
