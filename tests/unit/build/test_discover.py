from __future__ import annotations

import pytest

from flux.build.discover import discover
from flux.errors import BuildFailed
from flux.manifest import Route

from .conftest import MakeProject

SOURCE = "export default () => 1;\n"


def test_files_and_folders(make_project: MakeProject) -> None:
    project = make_project(
        {
            "functions/hello.ts": SOURCE,
            "functions/old.js": SOURCE,
            "functions/pay/index.ts": SOURCE,
            "functions/pay/create.ts": SOURCE,
            "functions/pay/flux.json": '{"route": "PUT /pay/:id", "auth": "api_key"}',
            "functions/_shared.ts": SOURCE,
            "functions/lib/db.ts": SOURCE,
            "functions/types.d.ts": "",
            "functions/hello.test.ts": SOURCE,
            "functions/README.md": "",
            "functions/.hidden.ts": SOURCE,
        }
    )
    found = {function.name: function for function in discover(project)}
    assert sorted(found) == ["hello", "old", "pay"]
    assert found["hello"].entry == project.functions / "hello.ts"
    assert found["hello"].routes == (Route(method="POST", path="/hello"),)
    assert found["pay"].entry == project.functions / "pay" / "index.ts"
    assert found["pay"].routes == (Route(method="PUT", path="/pay/:id"),)
    assert found["pay"].options.auth == "api_key"


def test_empty_folder(make_project: MakeProject) -> None:
    assert discover(make_project({})) == []


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a.ts": SOURCE, "a/index.ts": SOURCE},
            'two functions are called "a": functions/a/index.ts and functions/a.ts',
        ),
        ({"a.ts": SOURCE, "a.js": SOURCE}, 'two functions are called "a": functions/a.js and functions/a.ts'),
        ({"a/index.ts": SOURCE, "a/index.js": SOURCE}, "functions/a error: holds both index.ts and index.js"),
        ({"a/flux.json": "{}"}, "functions/a error: has a flux.json but no index.ts"),
        ({"flux.json": "{}"}, "functions/flux.json error: options belong to one function"),
        ({"CreateUser.ts": SOURCE}, '"CreateUser" is not a function name: lower-case letters'),
        ({"create user.ts": SOURCE}, '"create user" is not a function name'),
        ({"page.tsx": SOURCE}, "functions/page.tsx error: a function's file ends in .ts or .js"),
        ({"health.ts": SOURCE}, 'functions/health.ts error: name: "/health" is reserved'),
        ({"a/index.ts": SOURCE, "a/flux.json": "{"}, "functions/a/flux.json error: not valid JSON"),
        ({"a/index.ts": SOURCE, "a/flux.json": '{"rout": 1}'}, 'functions/a/flux.json error: unknown key "rout"'),
        (
            {
                "a/index.ts": SOURCE,
                "a/flux.json": '{"route": "GET /u/:id"}',
                "b/index.ts": SOURCE,
                "b/flux.json": '{"route": "GET /u/:name"}',
            },
            '"a" and "b" both answer GET /u/:name',
        ),
    ],
)
def test_mistakes(make_project: MakeProject, files: dict[str, str], message: str) -> None:
    project = make_project({f"functions/{name}": text for name, text in files.items()})
    with pytest.raises(BuildFailed) as raised:
        discover(project)
    assert message in raised.value.message


def test_all_mistakes_are_told_at_once(make_project: MakeProject) -> None:
    with pytest.raises(BuildFailed) as raised:
        discover(make_project({"functions/A.ts": SOURCE, "functions/B.ts": SOURCE}))
    assert [violation["file"] for violation in raised.value.violations] == ["functions/A.ts", "functions/B.ts"]


def test_no_functions_folder(make_project: MakeProject) -> None:
    project = make_project({})
    project.functions.rmdir()
    with pytest.raises(BuildFailed, match="there is no functions folder"):
        discover(project)
