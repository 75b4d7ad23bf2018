# Shared by the scripts: sourced, not run. Wants `set -euo pipefail` and the repository as folder.
# shellcheck shell=bash

SCRATCH=$(mktemp -d)
STARTED=()

cleanup() {
    local pid
    for pid in "${STARTED[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$SCRATCH"
}
trap cleanup EXIT

die() { printf '%s\n' "$*" >&2; exit 1; }

# Says what is skipped and why; in CI that is an error.
skip() {
    printf 'SKIPPED: %s\n' "$*"
    [ "${CI:-}" != true ] || die "in CI nothing may be missing"
}

# install_debian PACKAGE...: where it can be; a program of that name tells whether it is there.
install_debian() {
    local missing=() package
    for package in "$@"; do command -v "$package" >/dev/null || missing+=("$package"); done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq >/dev/null && apt-get install -y -qq "${missing[@]}" >/dev/null ||
            skip "could not install ${missing[*]}"
    else
        skip "missing: ${missing[*]} (on Debian: sudo apt-get install ${missing[*]})"
    fi
}

# install_cargo CRATE: a program from its crate, built once a machine.
install_cargo() {
    command -v "$1" >/dev/null && return 0
    [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/$1" ] && return 0
    # Its own target folder, so that the project's flags and lock file do not touch it.
    env -u CARGO_TARGET_DIR cargo install --locked --quiet "$1" || skip "could not install $1"
}

# The folder where cargo puts what it builds.
target_dir() {
    cargo metadata --format-version 1 --no-deps --locked |
        sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

# start_server BINARY FOLDER [OPTION...]: starts it on a free port; sets SERVER_PID and PORT.
start_server() {
    local binary=$1 folder=$2 log
    shift 2
    log=$(mktemp "$SCRATCH/server.XXXXXX")
    "$binary" serve "$folder" --port 0 --lang en "$@" >"$log" 2>"$log.err" &
    SERVER_PID=$!
    STARTED+=("$SERVER_PID")
    for _ in $(seq 300); do
        PORT=$(sed -n 's/.*:\([0-9][0-9]*\).*/\1/p' "$log" | head -n 1)
        [ -z "$PORT" ] || return 0
        kill -0 "$SERVER_PID" 2>/dev/null || { cat "$log" "$log.err" >&2; die "the server did not start"; }
        sleep 0.1
    done
    die "the server did not say where it listens"
}

# stop_server: asks it to stop and waits for its end.
stop_server() {
    kill -TERM "$SERVER_PID"
    wait "$SERVER_PID" || die "the server ended with code $?"
}
