/* otpcored --migrate-to: the store into another one (magotpctl migrate). */
#include "otpcore/broker/parts.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

/* Does a broker serve from the store that is to be copied? */
static bool served(const char *socket_path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool yes = fd >= 0 && mag_copy(sa.sun_path, sizeof sa.sun_path, socket_path) == 0 &&
		   connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0;

	if (fd >= 0)
		close(fd);
	return yes;
}

/* "[######......]  50 %  throttle      2048 of 4096 rows" */
static void progress(const char *table, int64_t rows, int64_t total, void *arg)
{
	enum { WIDTH = 24 };
	static const char full[] = "########################", none[] = "........................";
	int done = total > 0 && rows < total ? (int)(rows * WIDTH / total) : WIDTH;

	if (*(const bool *)arg)
		fprintf(stderr, "\r\033[K[%.*s%.*s] %3d %%  %-14s %lld of %lld rows", done, full,
			WIDTH - done, none, total > 0 ? (int)(rows * 100 / total) : 100, table,
			(long long)rows, (long long)total);
}

static int fail(int r, const char *what, const char *err)
{
	fprintf(stderr, "otpcored: %s: %s\n", what, *err ? err : mag_strerror(r));
	return r;
}

static int copy(struct store *from, struct store *to)
{
	bool terminal = isatty(STDERR_FILENO);
	int r = store_copy(from, to, progress, &terminal);

	if (terminal)
		fputs("\r\033[K", stderr);
	return r;
}

int migrate_run(const struct settings *s, const char *url)
{
	struct store *from = NULL, *to = NULL;
	char err[STORE_ERROR_MAX] = "";
	int r;

	if (mag_streq(url, s->url))
		return fail(MAG_EINVAL, "--migrate-to", "that is where the store is");
	if (served(s->socket))
		return fail(
			MAG_EEXISTS, s->socket, "otpcored is running; stop it on every host first");
	if ((r = priv_drop(s->user)))
		return fail(r, s->user, "");
	r = store_open(s->url, &from, err);
	if (!r)
		r = store_create(url, err);
	if (!r)
		r = store_open(url, &to, err);
	if (r) {
		fail(r, to || from ? "the new store" : "the store", err);
	} else if ((r = copy(from, to)) == MAG_ECONFLICT) {
		fail(r, "the new store", "it is not the same as the old one; nothing was switched");
	} else if (r) {
		fail(r, "the new store", "");
	} else {
		fprintf(stderr,
			"The store was copied and compared, row by row. Next:\n"
			"  [store] url = %s\n"
			"in magotp.conf, and start otpcored. The old store was not changed.\n",
			url);
	}
	store_close(&to);
	store_close(&from);
	return r;
}
