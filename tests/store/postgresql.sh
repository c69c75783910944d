#!/bin/bash
# The store's tests once more, over a real PostgreSQL: a server of its own in a private
# folder, on a socket there. Runs in the build directory.
#   postgresql.sh [TEST...]
set -u
tests=${*:-test_store_rows test_store_tick test_store_token test_store_due test_store_race test_store_copy test_store_lists test_store_lease test_store_pg}

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] && [ -x "$bin/initdb" ] || { echo "skipped: postgresql is not there"; exit 77; }
grep -q '^#define HAVE_POSTGRESQL' config.h 2>/dev/null ||
	{ echo "skipped: built without PostgreSQL"; exit 77; }

dir=$(mktemp -d /tmp/magotp-pg-XXXXXX) || exit 1
run=()
if [ "$(id -u)" = 0 ]; then # the server refuses to be root
	chown postgres: "$dir"
	run=(setpriv --reuid=postgres --regid=postgres --init-groups --)
fi
server=
finish()
{
	if [ -n "$server" ]; then
		kill -INT "$server" 2>/dev/null
		wait "$server" 2>/dev/null
	fi
	rm -rf "$dir"
}
trap finish EXIT

"${run[@]}" "$bin/initdb" -D "$dir/data" -U magotp -A trust -E UTF8 --locale=C -N >"$dir/log" 2>&1 ||
	{ cat "$dir/log"; exit 1; }
(cd "$dir" && exec "${run[@]}" "$bin/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= \
	-c fsync=off -c autovacuum=off -c max_prepared_transactions=0 >>"$dir/log" 2>&1) &
server=$!
for _ in $(seq 100); do
	"$bin/pg_isready" -q -h "$dir" -U magotp -d postgres && break
	kill -0 "$server" 2>/dev/null || { cat "$dir/log"; exit 1; }
	sleep 0.1
done

MAGOTP_TEST_POSTGRESQL="postgresql:///postgres?host=$dir&user=magotp"
export MAGOTP_TEST_POSTGRESQL
bad=0
for test in $tests; do
	echo "== $test over $("$bin/postgres" --version)"
	"./$test" || bad=1
done
[ "$bad" = 0 ] || tail -n 20 "$dir/log"
exit "$bad"
