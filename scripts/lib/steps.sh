# shellcheck shell=bash disable=SC2154
# What scripts/test and scripts/demo share: steps that are told as they happen,
# the Rust toolchain, and Asterisks that come up while cargo works.
#
# Uses from the script: program, repository, logs.

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "$program: $*"
    exit 1
}
wrong_usage() {
    say "$program: $* (--help shows the options)"
    exit 64
}

# -- Steps ---------------------------------------------------------------------

failed_steps=()

# seconds_since MICROSECONDS: as 12.3
seconds_since() {
    local tenths=$(((${EPOCHREALTIME//[!0-9]/} - $1) / 100000))
    printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}

log_of() { printf '%s/%s.log' "$logs" "${1//[^A-Za-z0-9_-]/-}"; }

# step TEXT COMMAND…: says TEXT, runs the command, says how long it took, and shows
# all it wrote if it failed. A command that returns 75 has been skipped; the last
# line it wrote says why.
step() {
    local text=$1 began=${EPOCHREALTIME//[!0-9]/} code=0 log
    log=$(log_of "$text")
    printf '%-52s' "$text …"
    "${@:2}" >"$log" 2>&1 </dev/null || code=$?
    case $code in
        0) printf '%7s s\n' "$(seconds_since "$began")" ;;
        75) printf '  skipped: %s\n' "$(tail -n 1 "$log")" ;;
        *)
            printf '%7s s  FAILED (exit code %d)\n' "$(seconds_since "$began")" "$code"
            cat "$log"
            printf -- '-- end of the output of: %s\n' "$text"
            failed_steps+=("$text")
            return 1
            ;;
    esac
}

skipped() {
    printf '%s\n' "$*"
    return 75
}

# -- What cargo needs ----------------------------------------------------------

# Cargo, also in a shell that has not read ~/.cargo/env.
find_cargo() {
    if ! command -v cargo >/dev/null && [[ -x ${CARGO_HOME:-$HOME/.cargo}/bin/cargo ]]; then
        PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
    fi
    command -v cargo >/dev/null || fail 'there is no cargo; https://rustup.rs says how to get one'
    export CARGO_TERM_COLOR=never
    target=$(cargo metadata --no-deps --format-version 1 --manifest-path "$repository/Cargo.toml" |
        sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
    [[ -n $target ]] || fail 'cargo does not say where it builds'
}

# ensure_program PROGRAM PACKAGE: as root on Debian the package is installed.
ensure_program() {
    type -P "$1" >/dev/null && return 0
    if [[ $EUID != 0 || ! -f /etc/debian_version ]]; then
        fail "there is no $1; install it (on Debian: apt-get install $2)"
    fi
    step "installing $2 from Debian's packages" install_package "$2" || exit 1
}

install_package() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get -o Acquire::Check-Valid-Until=false update &&
        apt-get install --yes --no-install-recommends "$1"
}

# SQLite and ring are partly C, and Rust links by way of the C compiler.
ensure_c_compiler() { ensure_program cc build-essential; }

# rustfmt and clippy, which a minimal toolchain leaves away.
ensure_components() {
    if cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1; then
        return 0
    fi
    command -v rustup >/dev/null || fail 'rustfmt or clippy is missing; install what belongs to this cargo'
    step 'installing rustfmt and clippy' rustup component add rustfmt clippy || exit 1
}

# -- Asterisks that come up while cargo works ----------------------------------

declare -A asterisk_job=()

# begin_asterisk NAME [OPTION…]: `scripts/asterisk up` in the background.
begin_asterisk() {
    # What it starts must not keep our lock (descriptor 7).
    "$repository/scripts/asterisk" up --name "$@" >"$(log_of "up-$1")" 2>&1 </dev/null 7>&- &
    asterisk_job[$1]=$!
}

# await_asterisk NAME: to be run as a step.
await_asterisk() {
    local code=0
    wait "${asterisk_job[$1]}" || code=$?
    unset "asterisk_job[$1]"
    cat "$(log_of "up-$1")"
    return "$code"
}

# down_asterisk NAME [OPTION…]: also one that is still coming up.
down_asterisk() {
    if [[ -n ${asterisk_job[$1]:-} ]]; then
        wait "${asterisk_job[$1]}" || true
    fi
    "$repository/scripts/asterisk" down --name "$@" >/dev/null 2>&1 || say "$program: $1 could not be stopped"
}

docker_answers() {
    command -v docker >/dev/null && timeout 10 docker version >/dev/null 2>&1
}
