/* otpcored --restore: a backup becomes a store, in an empty place; or the store that is there
 * was rolled back, and is put right in its place. Everything is done to a file that nobody
 * opens until it is whole. */
#include "otpcore/broker/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/audit_log.h"
#include "otpcore/broker/keys.h"
#include "otpcore/broker/place.h"
#include "otpcore/broker/replay.h"
#include "otpcore/broker/restore_say.h"

struct restore {
	struct broker *broker;
	const struct restore_orders *orders;
	const char *url; /* where it goes */
	int backup;      /* -1: in place */
	struct place place;
	struct replay_journal journals[RESTORE_JOURNALS];
	struct replay replay;
	int64_t backup_at;
};

/* ---- while there are rights ---- */

static int open_input(const char *name, bool may_lack, int *fd_r)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && !(may_lack && errno == ENOENT))
		return place_fail(MAG_ESYS, name, "");
	*fd_r = fd;
	return 0;
}

static int open_journal(struct restore *t, const char *name, bool may_lack)
{
	int fd = -1, r = open_input(name, may_lack, &fd);

	if (!r && fd >= 0)
		t->journals[t->replay.n_journals++] =
			(struct replay_journal){ .name = name, .fd = fd };
	return r;
}

static int open_inputs(struct restore *t)
{
	const struct restore_orders *o = t->orders;
	const char *own = t->broker->settings->journal;
	int r = o->file ? open_input(o->file, false, &t->backup) : 0;

	for (size_t i = 0; !r && i < o->n_journals; i++)
		r = open_journal(t, o->journals[i], false);
	if (!r && o->n_journals == 0 && !o->snapshot && *own == '/')
		r = open_journal(t, own, true);
	return r;
}

static void close_inputs(struct restore *t)
{
	for (size_t i = 0; i < t->replay.n_journals; i++)
		close(t->journals[i].fd);
	if (t->backup >= 0)
		close(t->backup);
}

/* ---- the file that is worked on ---- */

static int take_backup(struct restore *t)
{
	char head[16] = "";
	int fd, r;

	if (pread(t->backup, head, sizeof head, 0) != sizeof head ||
		memcmp(head, "SQLite format 3", sizeof head) != 0)
		return place_fail(MAG_ESYNTAX, t->orders->file, "this is not a backup");
	fd = open(t->place.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd >= 0 ? place_copy_bytes(t->backup, fd, "reading") : MAG_ESYS;
	if (fd >= 0)
		close(fd);
	return r ? place_fail(r, t->place.path, "") : 0;
}

/* For --dry-run of a store in its place. */
static int take_store(struct restore *t)
{
	struct store *from = NULL, *to = NULL;
	char err[STORE_ERROR_MAX] = "";
	int r = store_open(t->url, &from, err);

	if (!r)
		r = place_copy_store(&t->place, from, &to, err);
	store_close(&to);
	store_close(&from);
	return r ? place_fail(r, "the store", err) : 0;
}

/* Its own keys, by the master key; then something that they have sealed. */
static int open_keys(const struct restore *t, struct store *s)
{
	struct broker *b = t->broker;
	int r;

	b->store = s;
	r = keys_open(b);
	if (!r)
		r = keys_try(b);
	b->store = NULL;
	if (r)
		return place_fail(MAG_ECRYPTO, b->settings->master_key,
			"this key does not open what is in it; it needs the master key of then");
	return 0;
}

/* Journals done again, all that is under way ended. */
static int put_right(struct restore *t, const char *url, bool private)
{
	char err[STORE_ERROR_MAX] = "";
	struct store *s = NULL;
	int r = store_open(url, &s, err);

	if (!r && private)
		r = store_hasty(s);
	if (!r && private)
		r = store_sound(s, err);
	if (r) {
		place_fail(r, t->orders->file ? t->orders->file : "the store", err);
		goto out;
	}
	r = open_keys(t, s);
	if (!r)
		r = replay_read(&t->replay);
	if (!r && (r = store_meta_get(s, BACKUP_AT, &t->backup_at)) == MAG_ENOTFOUND)
		r = 0;
	t->replay.store = s;
	if (!r && !private)
		r = store_meta_set(s, RESTORING, 1);
	if (!r && (r = replay_run(&t->replay)))
		place_fail(r, "the store", "");
	if (!r)
		r = store_meta_set(s, RESTORING, 0);
	if (!r)
		r = store_meta_set(s, BACKUP_AT, 0);
	t->replay.store = NULL;
out:
	store_close(&s);
	return r;
}

/* ---- into its place ---- */

static int publish_rows(struct restore *t)
{
	struct store *from = NULL, *to = NULL;
	char err[STORE_ERROR_MAX] = "";
	int r = store_open(t->place.url, &from, err);

	if (!r)
		r = store_create(t->url, err);
	if (!r)
		r = store_open(t->url, &to, err);
	if (!r)
		r = store_copy(from, to, place_progress, NULL);
	place_progress_end();
	store_close(&to);
	store_close(&from);
	return r ? place_fail(r, t->url, err) : 0;
}

static int publish_file(struct restore *t)
{
	int fd = open(t->place.path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int r = fd >= 0 && fsync(fd) == 0 ? 0 : MAG_ESYS;

	if (fd >= 0)
		close(fd);
	if (!r)
		r = place_publish(t->place.path, t->url + strlen("sqlite:"));
	return r ? place_fail(r, t->url, "") : 0;
}

static int publish(struct restore *t)
{
	return mag_has_prefix(t->url, "sqlite:") ? publish_file(t) : publish_rows(t);
}

/* Who looks at the audit log must see that the store is not the one of the records before. */
static int write_down(struct restore *t)
{
	struct broker *b = t->broker;
	char err[STORE_ERROR_MAX] = "", text[512];
	int r = store_open(t->url, &b->store, err);

	if (r)
		return r;
	restore_audit_text(&t->replay, t->backup_at, t->orders->file == NULL, text, sizeof text);
	r = audit_log_open(b, &b->audit);
	if (!r && b->audit)
		r = audit_log_write(b->audit, text);
	audit_log_close(&b->audit);
	store_close(&b->store);
	return r;
}

/* ---- in which order ---- */

static int refuse(const struct restore *t)
{
	const struct settings *s = t->broker->settings;
	char err[STORE_ERROR_MAX] = "";
	int r;

	if (mag_streq(t->url, s->url) && !t->orders->dry && place_served(s->socket))
		return place_fail(MAG_EEXISTS, s->socket,
			"otpcored is running; stop it first, on every host of this store");
	if (!t->orders->file)
		return 0;
	r = store_vacant(t->url, err);
	if (r == MAG_EEXISTS && mag_has_prefix(t->url, "sqlite:"))
		return place_fail(r, t->url,
			"a store is there, and is not overwritten; move it away with what lies "
			"beside it (-wal, -shm), or restore elsewhere with --to");
	if (r == MAG_EEXISTS)
		return place_fail(r, t->url,
			"a store, or half of one, is there, and is not overwritten; name an empty "
			"database with --to");
	return r ? place_fail(r, t->url, err) : 0;
}

static int in_place(struct restore *t)
{
	int r;

	if (!t->orders->dry)
		return put_right(t, t->url, false);
	r = take_store(t);
	return r ? r : put_right(t, t->place.url, true);
}

static int from_backup(struct restore *t)
{
	int r = take_backup(t);

	if (!r)
		r = put_right(t, t->place.url, true);
	if (!r && !t->orders->dry)
		r = publish(t);
	return r;
}

static int restore(struct restore *t)
{
	const struct settings *s = t->broker->settings;
	int r = priv_drop(s->user);

	errno = 0;
	if (r)
		return place_fail(r, s->user, "");
	r = refuse(t);
	if (!r)
		r = place_open(s, t->url, &t->place);
	if (!r)
		r = t->orders->file ? from_backup(t) : in_place(t);
	place_close(&t->place);
	if (r)
		return r;
	if (!t->orders->dry && mag_streq(t->url, s->url) && write_down(t))
		fprintf(stderr, "otpcored: %s: the restore does not stand there\n", s->audit_file);
	restore_say(&t->replay, t->orders, t->url, t->backup_at);
	return 0;
}

int restore_run(struct broker *b, const struct restore_orders *o)
{
	struct restore t = { .broker = b,
		.orders = o,
		.url = o->to ? o->to : b->settings->url,
		.backup = -1,
		.place = { .lock = -1 },
		.replay = { .keyring = b->keyring,
			.host = b->host,
			.snapshot = o->snapshot,
			.now = mag_now(),
			.window = b->settings->totp_window } };
	int r;

	t.replay.journals = t.journals;
	r = open_inputs(&t);
	if (!r)
		r = restore(&t);
	replay_free(&t.replay);
	close_inputs(&t);
	return r;
}
