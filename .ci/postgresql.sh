# Sourced: starts a PostgreSQL server for the tests and names it in HAQ_TEST_POSTGRESQL, until the
# shell exits. Without one the tests that need it skip.

programs() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1; }

as_server() { # PostgreSQL refuses to run as root
  if [ "$(id -u)" = 0 ]; then setpriv --reuid=nobody --clear-groups "$@"; else "$@"; fi
}

start_postgresql() {
  local folder port=$((20000 + RANDOM % 20000))
  if [ -z "$(programs)" ] && [ "$(id -u)" = 0 ]; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y postgresql >/dev/null || true
  fi
  if [ -z "$(programs)" ]; then
    echo "no PostgreSQL here: its tests skip" >&2
    return
  fi
  folder=$(mktemp -d /tmp/haq-postgresql.XXXXXX)
  [ "$(id -u)" != 0 ] || chown nobody "$folder"
  as_server "$(programs)/initdb" -D "$folder/data" -U haq -A trust >/dev/null
  as_server "$(programs)/pg_ctl" -D "$folder/data" -o "-p $port -k $folder -c listen_addresses=127.0.0.1" \
    -l "$folder/log" -w start >/dev/null
  trap "as_server $(programs)/pg_ctl -D $folder/data -m immediate stop >/dev/null; rm -rf $folder" EXIT
  export HAQ_TEST_POSTGRESQL="postgresql://haq@127.0.0.1:$port/postgres"
}

start_postgresql
