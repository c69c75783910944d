/* The limit that verify is compared with: a server that does one durable SQLite
 * UPDATE (WAL, synchronous=FULL) per request and nothing else.
 *   commitd SOCKET DATABASE */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void die(const char *what, const char *why)
{
	fprintf(stderr, "commitd: %s: %s\n", what, why);
	exit(1);
}

static void run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		die(sql, sqlite3_errmsg(db));
}

int main(int argc, char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	sqlite3_stmt *update = NULL;
	sqlite3 *db = NULL;
	int s = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	if (argc != 3 || sqlite3_open(argv[2], &db) != SQLITE_OK)
		die("open", "commitd SOCKET DATABASE");
	run(db, "PRAGMA journal_mode = WAL");
	run(db, "PRAGMA synchronous = FULL");
	run(db, "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, n INTEGER) STRICT");
	run(db, "INSERT OR IGNORE INTO t VALUES (1, 0)");
	if (sqlite3_prepare_v2(db, "UPDATE t SET n = n + 1 WHERE id = 1", -1, &update, NULL) !=
		SQLITE_OK)
		die("prepare", sqlite3_errmsg(db));
	snprintf(a.sun_path, sizeof a.sun_path, "%s", argv[1]);
	if (s < 0 || bind(s, (void *)&a, sizeof a) < 0 || listen(s, 16) < 0)
		die(argv[1], strerror(errno));
	for (;;) {
		char frame[64];
		int fd = accept(s, NULL, NULL);

		if (fd < 0)
			die("accept", strerror(errno));
		if (recv(fd, frame, sizeof frame, 0) > 0) {
			if (sqlite3_step(update) != SQLITE_DONE)
				die("update", sqlite3_errmsg(db));
			sqlite3_reset(update);
			send(fd, frame, sizeof frame, MSG_NOSIGNAL);
		}
		close(fd);
	}
}
