"""What every test may use lives in small plugins beside this file."""

pytest_plugins = ["tests.fixtures.folders", "tests.fixtures.leaks", "tests.fixtures.postgres", "tests.fixtures.server"]
