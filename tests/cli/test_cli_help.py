"""What the tools say of themselves: --help is the source, completion and manual follow it."""

import os
import re
import subprocess

import pytest

from house import build_dir

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOLS = {"magotp": ("magotp/magotp", "magotp.1"), "magotpctl": ("magotpctl", "magotpctl.8")}
COMMON = {"--json", "--columns", "--config", "--socket", "--help", "--version"}
# Said by a timer, not by people.
HIDDEN = {"--overdue"}


def run(program, *words):
    return subprocess.run([os.path.join(build_dir(), TOOLS[program][0]), *words],
                          capture_output=True, text=True)


def help_of(program, *words):
    return run(program, *words, "--help")


def verbs(program):
    """["phone", "add"], ["status"] ..., as --help lists them."""
    p = help_of(program)
    assert p.returncode == 0
    return [line[2:20].split() for line in p.stdout.splitlines()
            if re.match(r"  \S.{17} \S", line) and not line.startswith("  " + program)]


def options(program, verb):
    return set(re.findall(r"^  (--[a-z-]+)", help_of(program, *verb).stdout, re.M)) - COMMON


def completed(program, *words):
    """What bash offers behind these words; the last one is begun."""
    script = f"""
source {ROOT}/magotp/completions/{program}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_{program} 2>/dev/null
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    p = subprocess.run(["bash", "-c", script, "bash", program, *words], capture_output=True,
                       text=True, check=True)
    return set(p.stdout.split())


@pytest.mark.parametrize("program", TOOLS)
def test_completion_knows_every_verb_and_option(program):
    all_of = verbs(program)
    assert len(all_of) > 20
    assert {v[0] for v in all_of} <= completed(program, "")
    for verb in all_of:
        if len(verb) == 2:
            assert verb[1] in completed(program, verb[0], ""), verb
        missing = options(program, verb) - completed(program, *verb, "--") - HIDDEN
        assert not missing, (verb, missing)


@pytest.mark.parametrize("program", TOOLS)
def test_the_manual_knows_every_verb_and_option(program):
    with open(os.path.join(ROOT, "docs", TOOLS[program][1])) as f:
        manual = f.read().replace("account add Ns | Ns Cm set", "account add\n.Cm account set")
    words = set(re.findall(r"Fl -([a-z-]+)", manual))
    for verb in verbs(program):
        assert re.search(r"(It |^\.)Cm " + " ".join(verb) + r"\b", manual, re.M), verb
        missing = {o[2:] for o in options(program, verb) - HIDDEN} - words
        assert not missing, (verb, missing)


def test_a_noun_shows_its_verbs():
    p = help_of("magotp", "proofing")
    assert p.returncode == 0
    lines = p.stdout.splitlines()
    assert lines[0].split()[:2] == ["proofing", "request"] and lines[1].split()[0] == "proofing"
    assert lines[-1] == "magotp proofing VERB --help shows examples."
    assert "phone" not in p.stdout
    p = help_of("magotpctl", "licence")
    assert "license issue" in p.stdout and "token" not in p.stdout
    p = run("magotpctl", "license")
    assert p.returncode == 2 and "magotpctl license --help" in p.stderr


# ---- the files of conf/: what is commented out can be taken in as it stands ----

OPTION = re.compile(r"#? ?([a-z_0-9]+ =.*)")
SECTION = re.compile(r"#? ?(\[[a-z]+[^]]*\])")


def uncommented(name):
    """(section, "key = value") of every option of a file, also of those behind a '#'."""
    section, found = "", []
    with open(os.path.join(ROOT, "conf", name)) as f:
        for line in f.read().splitlines():
            if match := SECTION.fullmatch(line):
                section = match[1]
            elif match := OPTION.fullmatch(line):
                found.append((section, match[1]))
    return found


def is_loaded(daemon, path, text):
    path.write_text(text)
    done = subprocess.run([os.path.join(build_dir(), daemon), "-t", "--config", path],
                          capture_output=True, text=True)
    assert done.returncode == 0, (text, done.stdout, done.stderr)


@pytest.mark.parametrize("name", ["magotp.conf", "smsd.conf"])
def test_a_line_of_conf_has_no_comment_behind_it(name):
    options = uncommented(name)
    assert len(options) > 30
    assert not [text for _, text in options if "#" in text]  # it would be part of the value


def test_each_line_of_magotp_conf_is_loaded(tmp_path):
    for section, option in uncommented("magotp.conf"):
        option = option.replace("postgres:", "games:")  # not everywhere is there one
        is_loaded("otpcored", tmp_path / "one.conf", f"{section}\n{option}\n")


def test_all_lines_of_smsd_conf_are_loaded(tmp_path):
    lines = []
    for section, option in uncommented("smsd.conf"):
        lines += [section] * (section not in lines) + [option]
    is_loaded("magotp-smsd", tmp_path / "smsd.conf", "\n".join(lines) + "\n")
