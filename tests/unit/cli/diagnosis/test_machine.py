from __future__ import annotations

import resource
from pathlib import Path

import pytest

from cli.diagnosis import machine
from cli.diagnosis.finding import FAILED, OK, WARNING, Finding, finding_lines


def test_findings_as_lines() -> None:
    findings = [
        Finding("python", OK, "3.12.1", "not shown"),
        Finding("open files", WARNING, "limit 256", "raise it"),
        Finding("deno", FAILED, "missing", "pip install deno"),
    ]
    assert (
        "\n".join(finding_lines(findings))
        == """\
  ✔ python      3.12.1
  ! open files  limit 256
                → raise it
  ✗ deno        missing
                → pip install deno

  1 to mend, 1 to look at"""
    )
    assert finding_lines(findings[:1])[-1] == "  all well"


def test_this_interpreter_will_do() -> None:
    assert machine.python().state == OK


def test_shared_memory_that_cannot_hold_the_rings() -> None:
    assert machine.shared_memory(workers=1, ring_bytes=65_536).state == OK
    finding = machine.shared_memory(workers=1024, ring_bytes=2**40)
    assert finding.state == FAILED
    assert "--shm-size" in (finding.hint or "")


def test_open_files_are_measured_against_the_hard_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"hard": 20_000}
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, limits["hard"]))
    assert machine.open_files(12_000).state == OK
    limits["hard"] = 4096
    assert machine.open_files(12_000).state == WARNING
    limits["hard"] = resource.RLIM_INFINITY
    assert machine.open_files(12_000) == Finding("open files", OK, "limit none")


@pytest.mark.parametrize(("source", "state"), [("tsc", OK), ("arch_sys_counter", OK), ("hpet", WARNING)])
def test_clock_source(tmp_path: Path, source: str, state: str) -> None:
    file = tmp_path / "current"
    file.write_text(source + "\n")
    finding = machine.clock(file)
    assert (finding.state, finding.detail) == (state, source)
    assert machine.clock(tmp_path / "missing").state == OK


def test_missing_native_module_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "NATIVE_MODULES", ("json", "flux.no_such_module"))
    finding = machine.native_modules()
    assert finding.state == FAILED
    assert "flux.no_such_module" in finding.detail


def test_v8_must_be_the_pinned_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "pinned", lambda _: "0.0.1")
    finding = machine.v8()
    assert finding.state == FAILED
    assert "mini-racer==0.0.1" in (finding.hint or "")
    monkeypatch.setattr(machine, "pinned", lambda _: None)
    assert machine.v8().state == OK
