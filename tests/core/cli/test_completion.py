"""Completion in shells: what Bash itself offers after each beginning of a command, and that the others parse theirs."""

from __future__ import annotations

import shutil
import subprocess

import pytest

import main


@pytest.fixture(scope="module")
def scripts() -> dict[str, str]:
    from contextlib import redirect_stdout
    from io import StringIO

    texts = {}
    for shell in main.SHELLS:
        out = StringIO()
        with pytest.raises(SystemExit) as stop, redirect_stdout(out):
            main.main(["--completion", shell])
        assert not stop.value.code
        texts[shell] = out.getvalue()
    return texts


@pytest.fixture
def offered(scripts, tmp_path):
    """Ask Bash, in a folder with a model and a folder of photos, what follows the words of a command."""
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    (tmp_path / "photos").mkdir()
    (tmp_path / "my model.pt").touch()

    def ask(*words: str) -> set[str]:
        # What Bash does for Tab: it calls the function that `complete` named, and takes files where -o default says so.
        code = (
            f"{scripts['bash']}\n"
            f"COMP_WORDS=(unlearn-studio {' '.join(map(repr, words))}); COMP_CWORD={len(words)}\n"
            "said=$(complete -p unlearn-studio) && function=$(sed 's/.*-F \\([^ ]*\\) .*/\\1/' <<<\"$said\")\n"
            '"$function" && (( ${#COMPREPLY[@]} )) || [[ "$said" != *"-o default"* ]] || '
            'mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")\n'
            "printf '%s\\n' \"${COMPREPLY[@]}\"\n"
        )
        done = subprocess.run(["bash"], input=code, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert not done.stderr
        return set(done.stdout.splitlines())

    return ask


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("ver",), {"verify", "verify-report"}),
        (("--sch",), {"--scheme"}),
        (("--scheme", "d"), {"dark"}),
        (("pho",), {"photos"}),
        (("unlearn", "--forget-r"), {"--forget-random"}),
        (("unlearn", "--method", "neg"), {"neggrad-plus", "negmerge"}),
        (("unlearn", "--model", "my"), {"my model.pt"}),
        (("unlearn", "--method", "muda", "--dataset", "cifar"), {"cifar10", "cifar100"}),
        (("unlearn", "--dataset", "ph"), {"photos"}),
        (("train", "--arch", "resnet18-c"), {"resnet18-cifar"}),
        (("export", "my"), {"my model.pt"}),
        (("export", "photos", "--format", "o"), {"onnx"}),
        (("methods", "scr"), {"scrub"}),
        (("verify", "photos", "--require", "cl"), {"close"}),
    ],
)
def test_bash_offers(words, expected, offered):
    assert offered(*words) == expected


def test_every_subcommand_is_offered(offered):
    assert set(main.cli.LISTED) <= offered("")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_parse_their_script(shell, scripts):
    assert "forget-random" in scripts[shell] and "scrub" in scripts[shell]
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n"], input=scripts[shell], text=True, check=True)
