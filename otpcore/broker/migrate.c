/* otpcored --migrate-to: the store into another one (magotpctl migrate). */
#include "otpcore/broker/parts.h"

#include <stdio.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/place.h"

static int copy(struct store *from, struct store *to)
{
	int r = store_copy(from, to, place_progress, NULL);

	place_progress_end();
	return r;
}

int migrate_run(const struct settings *s, const char *url)
{
	struct store *from = NULL, *to = NULL;
	char err[STORE_ERROR_MAX] = "";
	int r;

	if (mag_streq(url, s->url))
		return place_fail(MAG_EINVAL, "--migrate-to", "that is where the store is");
	if (place_served(s->socket))
		return place_fail(
			MAG_EEXISTS, s->socket, "otpcored is running; stop it on every host first");
	if ((r = priv_drop(s->user)))
		return place_fail(r, s->user, "");
	r = store_open(s->url, &from, err);
	if (!r)
		r = store_create(url, err);
	if (!r)
		r = store_open(url, &to, err);
	if (r) {
		place_fail(r, to || from ? "the new store" : "the store", err);
	} else if ((r = copy(from, to)) == MAG_ECONFLICT) {
		place_fail(r, "the new store",
			"it is not the same as the old one; nothing was switched");
	} else if (r) {
		place_fail(r, "the new store", "");
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
