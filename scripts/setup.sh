#!/bin/sh
# Makes .venv in the checkout, installs the project into it and checks the system libraries Qt needs.
#
#   scripts/setup.sh            what `make setup` does
#   scripts/setup.sh --tests    also tries what only tests use: a virtual display, an example data set
#
# What is done is skipped. PYTHON=/path/to/python picks another interpreter than the one found.
# Packages of the system are installed only through apt-get and only as root or with a password-less sudo;
# else the line to type is printed and set-up goes on, because the command line works without them.

set -eu
cd "$(dirname "$0")/.."

tests=""
case "${1:-}" in
    "") ;;
    --tests) tests=--tests ;;
    *) printf 'error: setup.sh knows only --tests, got %s\n' "$1" >&2; exit 2 ;;
esac

venv_python=.venv/bin/python
stamp=.venv/.installed

say() { printf '%s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

recent_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        recent_enough "$PYTHON" && printf '%s\n' "$PYTHON"
        return
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        # A version manager may put a name on the path that does not run: try, don't only look.
        if recent_enough "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

package_manager() {
    for manager in apt-get dnf pacman; do
        if command -v "$manager" >/dev/null 2>&1; then
            printf '%s\n' "$manager"
            return
        fi
    done
    printf 'none\n'
}

# Prints how to become root without a password: "env" for root, "sudo -n env"; fails where neither goes.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        printf 'env\n'
    elif command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1; then
        printf 'sudo -n env\n'
    else
        return 1
    fi
}

install_line() { # the line to type for these packages
    case "$manager" in
        apt-get) say "sudo apt-get install $*" ;;
        dnf) say "sudo dnf install $*" ;;
        pacman) say "sudo pacman -S --needed $*" ;;
        *) say "(with your system's package manager) $*" ;;
    esac
}

apt_updated=""
apt_install() { # installs these packages, or fails
    [ "$manager" = apt-get ] || return 1
    root=$(as_root) || return 1
    say "Installing $* ..."
    if [ -z "$apt_updated" ]; then
        # An old list is better than none: a mirror that does not answer shows in the install below.
        $root apt-get update -q >/dev/null 2>&1 || true
        apt_updated=yes
    fi
    $root DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >/dev/null </dev/null
}

manager=$(package_manager)

make_venv() {
    base=$(find_python) || fail "Python 3.11 or newer is needed${PYTHON:+ and $PYTHON is not}. To install it: $(install_line python3 python3-venv)"
    if ! "$base" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        package=$("$base" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        apt_install "$package" || fail "$base lacks the venv module. To install it: $(install_line "$package")"
    fi
    say "Making .venv with $("$base" -V 2>&1) ..."
    "$base" -m venv --clear .venv || fail "$base could not make .venv. Its message stands above."
}

install_project() {
    # The folder belongs to it: an editable install points at it, and a checkout can be moved.
    wanted="$(cksum <pyproject.toml) $("$venv_python" -V 2>&1) $(pwd)"
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        return
    fi
    rm -f "$stamp"
    say "Installing Unlearn Studio and what it needs into .venv (the first time takes minutes) ..."
    quiet=""
    [ -t 1 ] || quiet=--quiet
    "$venv_python" -m pip install --disable-pip-version-check --no-compile $quiet -e ".[dev,gui,onnx${tests:+,hf,notebook,dask}]" ||
        fail "pip could not install everything. Its message stands above; run make setup again when the cause is gone."
    # pip compiles on one core, and also what nobody imports. Files that are for other versions do not compile.
    "$venv_python" -m compileall -q -j 0 -x '/tests?/' .venv/lib >/dev/null 2>&1 || true
    printf '%s' "$wanted" >"$stamp"
}

check_system() {
    [ "$(uname -s)" = Linux ] || return 0
    missing=$("$venv_python" scripts/system_packages.py needed --manager "$manager" $tests)
    if [ -n "$missing" ]; then
        # One name a line, split on purpose.
        # shellcheck disable=SC2086
        apt_install $missing ||
            say "The window needs system libraries that are missing. To install them:  $(install_line $missing)"
    fi
    [ -n "$tests" ] || return 0
    for package in $("$venv_python" scripts/system_packages.py useful --manager "$manager"); do
        apt_install "$package" ||
            say "Tests that need it will be skipped; to have them too:  $(install_line "$package")"
    done
}

if ! recent_enough "$venv_python"; then
    make_venv
elif ! "$venv_python" -c 'import pip' >/dev/null 2>&1; then
    "$venv_python" -m ensurepip >/dev/null || fail ".venv has no pip. Remove the folder .venv and run make setup again."
fi
install_project
check_system
