# shellcheck shell=bash
# shellcheck disable=SC2154
# Starts and stops the servers that the steps of tests/run talk to. Sourced by tests/run, which sets
# `target`, `work` (a folder that is deleted at the end) and `logs`, and calls `stop_servers` on every exit.

# The folders of the PostgreSQL servers that run, each with its programs.
declare -A postgres_servers=()
postgres_user=()
redis_process=
models_process=
dermaga_process=
dermaga_processes=()

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

as_postgres_user() {
    # From a folder that the other user may enter.
    (cd "$work" && exec "${postgres_user[@]}" "$@")
}

# A throwaway PostgreSQL server, once; says where it is in TEST_POSTGRES_URL, and where its programs are in
# TEST_POSTGRES_PROGRAMS, for tests that need servers of their own.
start_postgres() {
    local programs
    [[ -z ${postgres_servers[$work/postgres]:-} ]] || return 0
    programs=$(postgres_programs) || fail "no PostgreSQL 15 or newer: tests/run --only install"
    run_postgres "$programs" "$work/postgres"
    export TEST_POSTGRES_URL=$postgres_url TEST_POSTGRES_PROGRAMS=$programs
}

# The same with the extension that compares vectors, in TEST_PGVECTOR_URL.
start_pgvector() {
    local installed programs=$work/pgvector-programs
    [[ -z ${postgres_servers[$work/pgvector]:-} ]] || return 0
    installed=$(pgvector_folder)
    [[ -d $installed ]] || fail "no pgvector: tests/run --only install"
    # Where the server's user may read it.
    cp -r "$installed" "$programs"
    chmod -R a+rX "$programs"
    run_postgres "$programs/$pgvector_programs" "$work/pgvector"
    export TEST_PGVECTOR_URL=$postgres_url
}

# Runs a PostgreSQL server with these programs in a new folder; sets `postgres_url`.
run_postgres() {
    local programs=$1 data=$2 port name
    name=$(basename "$data")
    port=$(free_port)
    mkdir "$data"
    if ((EUID == 0)); then
        # The server refuses to run as root. Debian's package makes the user postgres.
        local user=postgres
        id "$user" >/dev/null 2>&1 || user=nobody
        postgres_user=(runuser -u "$user" --)
        chmod 711 "$work"
        chown "$user" "$data"
    fi

    # C.UTF-8 sorts by code point, as SQLite does.
    as_postgres_user "$programs/initdb" --pgdata "$data" --username postgres --auth trust \
        --encoding UTF8 --locale C.UTF-8 --no-sync --no-instructions >"$logs/initdb-$name.log" 2>&1
    # Nothing here has to survive a crash. Many tests at a time keep a pool each.
    cat >>"$data/postgresql.conf" <<CONFIGURATION
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$data'
max_connections = 200
fsync = off
synchronous_commit = off
full_page_writes = off
CONFIGURATION
    as_postgres_user "$programs/pg_ctl" --pgdata "$data" --wait --timeout 60 start >"$logs/$name.log" 2>&1
    postgres_servers[$data]=$programs

    postgres_url=postgres://postgres@127.0.0.1:$port/postgres
    echo "$("$programs/postgres" --version) answers at $postgres_url"
}

stop_postgres() {
    local data
    for data in "${!postgres_servers[@]}"; do
        as_postgres_user "${postgres_servers[$data]}/pg_ctl" --pgdata "$data" --wait --mode immediate stop \
            >>"$logs/$(basename "$data").log" 2>&1 || true
    done
    postgres_servers=()
}

# A throwaway Redis, once; sets `redis_url`.
start_redis() {
    [[ -z $redis_process ]] || return 0
    local port
    port=$(free_port)
    redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly no --dir "$work" >"$logs/redis.log" 2>&1 &
    redis_process=$!
    redis_url=redis://127.0.0.1:$port
    echo "Redis is started at $redis_url"
}

# Models that the assistant can ask, once; sets `models_url`.
start_models() {
    [[ -z $models_process ]] || return 0
    local port
    port=$(free_port)
    mkfifo "$work/models"
    "$target/debug/models" --port "$port" >"$work/models" 2>"$logs/models.log" &
    models_process=$!
    # It writes one line, as soon as it listens.
    read -r -t 30 _ <"$work/models" || fail "the models did not start"
    models_url=http://127.0.0.1:$port/v1
    echo "models answer at $models_url"
}

# Dermaga itself on a new database with demonstration data, with more options if any; sets `dermaga_url` and
# `dermaga_process`.
start_dermaga() {
    local port probe
    port=$(free_port)
    dermaga_url=http://127.0.0.1:$port

    # In the temporary folder, so that a developer's dermaga.toml is not read.
    (cd "$work" && exec "$target/debug/dermaga" serve --listen "127.0.0.1:$port" \
        --database-url "sqlite://$work/dermaga-$port.db" --demo-payments 200 "$@") >"$logs/dermaga-$port.log" 2>&1 &
    dermaga_process=$!
    dermaga_processes+=("$dermaga_process")

    # Ready, or ended before it was ready, whichever comes first.
    curl --silent --show-error --fail --output /dev/null --max-time 120 \
        --retry 120 --retry-delay 1 --retry-max-time 120 --retry-connrefused \
        "$dermaga_url/health/ready" >"$logs/ready.log" 2>&1 &
    probe=$!
    wait -n "$dermaga_process" "$probe" || true
    if ! kill -0 "$dermaga_process" 2>/dev/null; then
        kill "$probe" 2>/dev/null || true
        forget_dermaga "$dermaga_process"
        fail "the server ended before it was ready"
    fi
    wait "$probe" || fail "the server was not ready within two minutes"
    echo "the server answers at $dermaga_url"
}

# Asks the server to end, and fails unless it does so in time and with exit code 0.
stop_dermaga() {
    local status=0
    kill -TERM "$dermaga_process"
    timeout 30 tail --pid="$dermaga_process" -f /dev/null || fail "the server did not end within 30 seconds of SIGTERM"
    wait "$dermaga_process" || status=$?
    forget_dermaga "$dermaga_process"
    ((status == 0)) || fail "the server ended with exit code $status after SIGTERM"
    echo "the server ended with exit code 0 after SIGTERM"
}

# A server that has ended: its number may be another's by now.
forget_dermaga() {
    local process still=()
    for process in "${dermaga_processes[@]}"; do
        [[ $process == "$1" ]] || still+=("$process")
    done
    dermaga_processes=("${still[@]}")
    dermaga_process=
}

# For every exit, so nothing here may fail.
stop_servers() {
    local process
    for process in "${dermaga_processes[@]}"; do
        kill -KILL "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    if [[ -n $models_process ]]; then
        kill -KILL "$models_process" 2>/dev/null || true
        wait "$models_process" 2>/dev/null || true
        models_process=
    fi
    if [[ -n $redis_process ]]; then
        kill -KILL "$redis_process" 2>/dev/null || true
        wait "$redis_process" 2>/dev/null || true
        redis_process=
    fi
    stop_postgres
}
