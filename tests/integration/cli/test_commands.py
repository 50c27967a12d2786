from __future__ import annotations

import io
import json
import socket
import sys
from pathlib import Path

import pytest

from tests.unit.cli.recorded import recorded
from tests.unit.cli.render.test_trace import CREATE_USER

from .conftest import Run
from .recorded_api import RecordedApi


def test_trace_of_a_shortened_id(api: RecordedApi, run: Run) -> None:
    assert run("trace", "4f9a3b2c") == (0, CREATE_USER + "\n", "")


def test_trace_as_json_is_the_servers_answer_with_hints(api: RecordedApi, run: Run) -> None:
    code, out, _ = run("trace", "550e8400", "--json")
    assert code == 0
    assert json.loads(out) == {**recorded("signup_failed"), "hints": []}


def test_trace_as_bars(api: RecordedApi, run: Run) -> None:
    code, out, _ = run("trace", "4f9a3b2c", "--flame")
    assert code == 0
    assert "█" in out


def test_list_takes_as_many_pages_as_it_needs(api: RecordedApi, run: Run) -> None:
    code, out, _ = run("trace")
    assert code == 0
    assert [line.split()[-1] for line in out.splitlines()] == ["FUNCTION", "send_welcome", "create_user", "signup"]
    assert [path for _, path, _ in api.requests] == [
        "/flux/api/executions?limit=20",
        "/flux/api/executions?after=2&limit=18",
    ]


def test_filters_reach_the_server(api: RecordedApi, run: Run) -> None:
    run("trace", "--function", "signup", "--status", "500", "--errors", "--kind", "http", "-n", "1")
    assert api.requests[0][1] == "/flux/api/executions?function=signup&status=500&errors=true&kind=http&limit=1"
    _, out, _ = run("trace", "-n", "1", "--json")
    assert [item["function"] for item in json.loads(out)] == ["send_welcome"]


def test_last_means_the_last_request_not_its_job(api: RecordedApi, run: Run) -> None:
    code, out, _ = run("trace", "--last")
    assert code == 0
    assert out.startswith("  Trace 4f9a3b2c  POST /create_user  200")


def test_tail_filters_and_ends_after_its_limit(api: RecordedApi, run: Run) -> None:
    api.streams = [recorded("page")["items"]]
    code, out, _ = run("tail", "-n", "1", "--errors")
    assert code == 0
    assert "550e8400  POST /signup" in out
    assert len(out.splitlines()) == 1


def test_tail_connects_again(api: RecordedApi, run: Run) -> None:
    items = recorded("page")["items"]
    api.streams = [[items[0]], [items[1]]]
    code, out, err = run("tail", "-n", "2", "--json")
    assert code == 0
    assert [json.loads(line)["function"] for line in out.splitlines()] == ["send_welcome", "create_user"]
    assert "connection lost" in err


def test_logs_are_printed_oldest_first(api: RecordedApi, run: Run) -> None:
    code, out, _ = run("logs", "--level", "info", "--function", "create_user")
    assert code == 0
    assert [line.split()[-1] for line in out.splitlines()] == ["first", "second"]
    assert api.requests[0][1] == "/flux/api/logs?function=create_user&level=info&limit=100"


def test_logs_of_executions_that_finish(api: RecordedApi, spawn: object) -> None:
    api.streams = [[recorded("page")["items"][1]]]  # as the server sends it: without the logs
    process = spawn("logs", "--follow", "--level", "warn", "--json")  # type: ignore[operator]  # a fixture
    lines = [json.loads(process.stdout.readline()) for _ in range(3)]
    assert [line["message"] for line in lines] == ["first", "second", "slow mail server"]
    assert lines[2]["time"] == "2026-11-22T14:03:22.184350Z"


def test_invoke_prints_the_output_and_on_stderr_the_id(api: RecordedApi, run: Run) -> None:
    code, out, err = run("invoke", "echo", "--data", '{"name": "Ada"}')
    assert (code, json.loads(out)) == (0, {"name": "Ada"})
    assert err == "request 4f9a3b2c-1d2e-4f5a-8b6c-7d8e9f0a1b2c\n"
    assert run("invoke", "text")[:2] == (0, "plain\n")


def test_invoke_takes_a_file_and_standard_input(
    api: RecordedApi, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "input.json").write_text("[1]")
    assert json.loads(run("invoke", "echo", "-d", "@input.json")[1]) == [1]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"[2]")))
    assert json.loads(run("invoke", "echo", "-d", "-")[1]) == [2]
    assert run("invoke", "echo")[1] == "{}\n"


def test_invoke_as_json_tells_output_and_error_apart(api: RecordedApi, run: Run) -> None:
    _, out, _ = run("invoke", "echo", "-d", "1", "--json")
    request_id = recorded("create_user")["request_id"]
    assert json.loads(out) == {"request_id": request_id, "status": 200, "output": 1, "error": None}
    code, out, err = run("invoke", "taken", "--json")
    assert code == 1
    assert json.loads(out)["error"]["code"] == "EMAIL_TAKEN"
    assert "error: email already registered (EMAIL_TAKEN)" in err


def test_keys(api: RecordedApi, run: Run) -> None:
    code, out, err = run("keys", "create", "ci", "--tenant", "acme")
    assert (code, out) == (0, "flux_ab12cd34_secret\n")
    assert "ab12cd34" in err
    assert json.loads(api.requests[0][2]) == {"name": "ci", "tenant": "acme", "role": "authenticated"}
    run("keys", "create", "ci", "--role", "member")
    assert json.loads(api.requests[1][2])["role"] == "member"
    assert run("keys", "list")[1].splitlines()[1] == "ab12cd34  ci    acme    member  2026-11-22"
    assert run("keys", "revoke", "ab12cd34") == (0, "revoked ab12cd34\n", "")


def test_replay_that_matches_and_one_that_does_not(api: RecordedApi, run: Run) -> None:
    assert run("replay", "4f9a3b2c")[:2] == (0, "  Replay 9c1d2e3f of 4f9a3b2c\n\n  ✔ 200, same result\n")
    api.replay_matches = False
    code, out, _ = run("replay", "4f9a3b2c")
    assert code == 1
    assert "✗ the result differs" in out
    code, out, _ = run("replay", "4f9a3b2c", "--json")
    assert (code, json.loads(out)["match"]) == (1, False)


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (400, "INVALID_REQUEST", 2),
        (401, "UNAUTHENTICATED", 3),
        (403, "FORBIDDEN", 3),
        (404, "NOT_FOUND", 4),
        (409, "CONFLICT", 5),
        (429, "RATE_LIMITED", 1),
        (500, "INTERNAL", 1),
        (503, "DRAINING", 6),
    ],
)
def test_what_the_server_refuses_has_an_exit_code(
    api: RecordedApi, run: Run, status: int, code: str, exit_code: int
) -> None:
    api.refusals["/flux/api/executions/4f9a3b2c"] = (status, code)
    exited, out, err = run("trace", "4f9a3b2c")
    assert (exited, out) == (exit_code, "")
    assert err.startswith(f"error: refused for the test ({code})\n")


@pytest.mark.parametrize(("function", "exit_code"), [("taken", 1), ("teapot", 1), ("missing", 4)])
def test_what_a_function_answers_is_no_exit_code_of_the_server(
    api: RecordedApi, run: Run, function: str, exit_code: int
) -> None:
    assert run("invoke", function)[0] == exit_code


@pytest.mark.parametrize(
    "arguments",
    [
        ("trace", "--no-such-option"),
        ("trace", "4f9a"),
        ("trace", "--since", "yesterday"),
        ("trace", "--limit", "0"),
        ("trace", "--url", "nonsense"),
        ("no-such-command",),
        ("invoke",),
        ("invoke", "echo", "--data", "{"),
        ("invoke", "echo", "--data", "@no-such-file"),
        ("keys", "create"),
        ("logs", "--limit", "1001"),
        ("logs", "--level", "loud"),
        ("logs", "4f9a3b2c", "--follow"),
    ],
)
def test_usage_errors(api: RecordedApi, run: Run, arguments: tuple[str, ...]) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert not api.requests


def test_key_that_the_server_does_not_know(api: RecordedApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_KEY", "wrong")
    code, _, err = run("trace")
    assert code == 3
    assert "hint: set FLUX_KEY" in err


def test_no_server(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket() as taken:  # bound but not listening: nobody else answers there
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        for command in (("trace",), ("tail",), ("logs",), ("invoke", "x"), ("keys", "list"), ("replay", "4f9a3b2c")):
            code, out, err = run(*command, "--url", url)
            assert (code, out) == (6, ""), command
            assert "flux serve" in err


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\nnope",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ],
)
def test_something_else_answers(run: Run, answer: bytes) -> None:
    import threading

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_once() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        thread = threading.Thread(target=answer_once)
        thread.start()
        code, out, err = run("trace", "--url", f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread.join(10)
    assert (code, out) == (6, "")
    assert err.startswith("error: ")


def test_version(run: Run) -> None:
    import flux

    assert run("version")[1].startswith(f"flux {flux.__version__} (Python ")
    assert json.loads(run("version", "--json")[1])["flux"] == flux.__version__


def test_doctor_finds_the_server(api: RecordedApi, run: Run) -> None:
    code, out, _ = run("doctor", "--json")
    findings = {finding["check"]: finding for finding in json.loads(out)}
    assert findings["server"]["state"] == "ok"
    assert findings["python"]["state"] == "ok"
    assert code == any(finding["state"] == "failed" for finding in findings.values())


def test_doctor_goes_on_where_settings_are_not_valid(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flux.toml").write_text("[server]\nport = 'many'\n")
    code, out, _ = run("doctor")
    assert code == 1
    assert "✗ settings" in out
    assert "data folder" in out


def test_policies(api: RecordedApi, run: Run, tmp_path: Path) -> None:
    code, out, err = run("policy", "list")
    assert (code, out.splitlines()[1].split()) == (0, ["users", "2", "api", "2026-11-22", "member", "-"])
    assert "warning: public.everyone shows rows" in err
    assert run("policy", "show", "users", "--version", "1")[1] == '{\n  "member": {\n    "preset": "full"\n  }\n}\n'
    assert api.requests[-1][1] == "/flux/api/policies/users?version=1"
    (tmp_path / "users.toml").write_text('[member]\npreset = "full"\n')
    assert run("policy", "set", "users", "users.toml")[:2] == (0, "users: version 2 is in force\n")
    assert api.requests[-1][::2] == ("PUT", b'{"member": {"preset": "full"}}')
    assert run("policy", "remove", "users")[:2] == (0, "users: no policy; open to all\n")
    lines = run("policy", "explain", "users")[1].splitlines()
    assert lines[1].split() == ["member", "select", "yes", "email,", "id", "id", "=", "$auth.uid", "-"]
    assert lines[2].split() == ["member", "insert", "no", "-", "-", "-"]
    assert json.loads(run("policy", "explain", "users", "--json")[1])["restricted"] is True


def test_policies_that_allow_and_that_do_not(api: RecordedApi, run: Run) -> None:
    code, out, _ = run("policy", "test", "users", "--role", "member", "--uid", "7", "--claims", '{"a": 1}')
    assert (code, out.splitlines()[0]) == (0, "member may select users")
    sent = {"role": "member", "uid": "7", "tenant": None, "operation": "select", "claims": {"a": 1}}
    assert json.loads(api.requests[-1][2]) == sent
    code, out, _ = run("policy", "test", "users", "--id", "8")
    assert (code, out.splitlines()[-1]) == (1, "row      does not pass")
    code, out, _ = run("policy", "test", "users", "--operation", "insert")
    assert (code, out) == (1, "anon may not insert users\n")


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [(("missing.toml",), 4), (("odd.toml",), 2), (("odd.json",), 2), (("deep.json",), 2)],
)
def test_policy_files_that_cannot_be_read(
    api: RecordedApi, run: Run, tmp_path: Path, arguments: tuple[str, ...], exit_code: int
) -> None:
    for name in ("odd.toml", "odd.json"):
        (tmp_path / name).write_text("{]")
    (tmp_path / "deep.json").write_text('{"a":' * 30_000 + "1" + "}" * 30_000)
    assert run("policy", "set", "users", *arguments)[0] == exit_code
    assert api.requests == []


def test_explain_asks_for_one_thing_at_a_time(api: RecordedApi, run: Run, tmp_path: Path) -> None:
    for arguments, message in (
        ((), "give either a file with a query"),
        (("x", "--request", "4f9a3b2c"), "give either a file with a query"),
        (("--request", "4f9a3b2c", "--payload", "{}"), "--payload is the input of a function"),
        (("create_user", "--payload", "{"), "--payload is not JSON"),
        (("--request", "4f9a3b2c", "--role", "admin"), "the caller of an execution is in its record"),
        ((str(tmp_path / "query.txt"), "--claims", "{"), "--claims: not valid JSON"),
    ):
        code, _, err = run("explain", *arguments)
        assert (code, message in err) == (2, True), (arguments, err)
    deep = tmp_path / "deep.json"
    deep.write_text('{"a":' * 30_000 + "1" + "}" * 30_000)
    claims = ("--claims", deep.read_text())
    for given in ([str(deep)], ["create_user", "--payload", f"@{deep}"], [str(deep), *claims]):
        code, _, err = run("explain", *given)
        assert (code, "JSON: maximum recursion depth" in err) == (2, True), (given, err)
    code, _, err = run("explain", "missing.json")
    assert (code, "there is no file missing.json" in err) == (4, True)
    (tmp_path / "query.txt").write_text("[]")
    code, _, err = run("explain", str(tmp_path / "query.txt"))
    assert (code, "a query is an object" in err) == (2, True)
    assert not any(path.endswith("/explain") for _, path, _ in api.requests)


def test_explain_goes_on_where_the_server_refuses_one_call(api: RecordedApi, run: Run) -> None:
    api.refusals["/flux/api/explain"] = (403, "FORBIDDEN_TABLE")
    code, out, err = run("explain", "--request", "4f9a3b2c")
    assert code == 0
    assert "db:insert(users)" in out
    assert "refused for the test" in out
    assert "request 4f9a3b2c" in err
