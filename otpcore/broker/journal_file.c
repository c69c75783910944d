#include "otpcore/broker/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/file.h"
#include "otpcore/base/text.h"

#define FILE_LIMIT (INT64_C(4) << 30) /* what no journal is */

/* Of the pepper of the audit log: what is hashed begins otherwise there. */
static int mac(const void *arg, const void *data, size_t len, unsigned char mac_r[HASH_LEN])
{
	return seal_hash(arg, PEPPER_AUDIT, data, len, mac_r);
}

struct journal_key journal_key_of(const struct keyring *k)
{
	return (struct journal_key){ mac, k };
}

/* ---- reading ---- */

static int read_all(int fd, unsigned char **data_r, size_t *len_r)
{
	unsigned char *data;
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;

	if (fstat(fd, &st))
		return MAG_ESYS;
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_LIMIT) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : S_ISREG(st.st_mode) ? EFBIG : EINVAL;
		return MAG_ESYS;
	}
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return MAG_ENOMEM;
	while (len < (size_t)st.st_size && (n = read(fd, data + len, (size_t)st.st_size - len)) > 0)
		len += (size_t)n;
	if (n < 0) {
		free(data);
		return MAG_ESYS;
	}
	*data_r = data;
	*len_r = len;
	return 0;
}

int journal_load(const char *path, const struct keyring *k, journal_fact_fn *fn, void *arg,
	struct journal_reading *reading_r)
{
	/* NONBLOCK: a pipe of this name would be waited for. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), r;

	if (fd < 0)
		return errno == ENOENT ? MAG_ENOTFOUND : MAG_ESYS;
	r = journal_load_fd(fd, k, fn, arg, reading_r);
	close(fd);
	return r;
}

int journal_load_fd(int fd, const struct keyring *k, journal_fact_fn *fn, void *arg,
	struct journal_reading *reading_r)
{
	const struct journal_key key = journal_key_of(k);
	unsigned char *data = NULL;
	size_t len = 0;
	int r = read_all(fd, &data, &len);

	if (!r)
		r = journal_read(data, len, &key, fn, arg, reading_r);
	free(data);
	return r;
}

/* ---- writing a whole one ---- */

struct facts {
	struct journal_fact *items;
	size_t n, cap;
};

static int collect(const struct journal_fact *f, void *arg)
{
	struct facts *all = arg;
	struct journal_fact *wider;

	if (all->n == all->cap) {
		all->cap = all->cap ? 2 * all->cap : 1024;
		wider = reallocarray(all->items, all->cap, sizeof *all->items);
		if (!wider)
			return MAG_ENOMEM;
		all->items = wider;
	}
	all->items[all->n++] = *f;
	return 0;
}

/* Facts about the same stand beside each other, the last one last. */
static int by_matter(const void *a, const void *b)
{
	const struct journal_fact *x = a, *y = b;
	const int64_t pairs[][2] = { { x->kind, y->kind }, { x->about, y->about }, { x->id, y->id },
		{ x->n, y->n } };

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (pairs[i][0] != pairs[i][1])
			return pairs[i][0] < pairs[i][1] ? -1 : 1;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct journal_fact *x = a, *y = b;

	return x->n < y->n ? -1 : x->n > y->n;
}

static void keep_last(struct facts *all)
{
	size_t kept = 0;

	qsort(all->items, all->n, sizeof *all->items, by_matter);
	for (size_t i = 0; i < all->n; i++) {
		const struct journal_fact *f = &all->items[i], *next = f + 1;

		if (i + 1 < all->n && next->kind == f->kind && next->about == f->about &&
			next->id == f->id)
			continue;
		all->items[kept++] = *f;
	}
	all->n = kept;
	qsort(all->items, all->n, sizeof *all->items, by_number);
}

int journal_load_last(int fd, const struct keyring *k, struct journal_fact **facts_r, size_t *n_r,
	struct journal_reading *reading_r)
{
	struct facts all = { 0 };
	int r = journal_load_fd(fd, k, collect, &all, reading_r);

	if (r) {
		free(all.items);
		return r;
	}
	if (all.n > 0)
		keep_last(&all);
	*facts_r = all.items;
	*n_r = all.n;
	return 0;
}

static int write_facts(
	FILE *f, const struct keyring *k, struct facts *all, struct journal_reading *reading_r)
{
	const struct journal_key key = journal_key_of(k);
	unsigned char record[JOURNAL_RECORD];
	int r = 0;

	*reading_r = (struct journal_reading){ .begun_at = all->items[0].at };
	for (size_t i = 0; !r && i < all->n; i++) {
		r = journal_append(&reading_r->chain, &key, &all->items[i], record);
		if (!r && fwrite(record, sizeof record, 1, f) != 1)
			r = MAG_ESYS;
		reading_r->sound += sizeof record;
	}
	if (!r && (fflush(f) || fsync(fileno(f))))
		r = MAG_ESYS;
	return r;
}

/* Under another name first: a journal is whole, or the one before. */
static int put_in_place(const char *path, const struct keyring *k, struct facts *all,
	struct journal_reading *reading_r, int *fd_r)
{
	struct journal_reading reading;
	char name[300];
	int fd, r;
	FILE *f;

	snprintf(name, sizeof name, "%s.new", path);
	(void)unlink(name);
	fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	f = fd >= 0 ? fdopen(dup(fd), "a") : NULL;
	r = f && !flock(fd, LOCK_EX | LOCK_NB) ? write_facts(f, k, all, &reading) : MAG_ESYS;
	if (f && fclose(f) && !r)
		r = MAG_ESYS;
	if (!r && (rename(name, path) || mag_sync_folder(path)))
		r = MAG_ESYS;
	if (r) {
		int saved = errno;

		if (fd >= 0)
			close(fd);
		(void)unlink(name);
		errno = saved;
		return r;
	}
	*reading_r = reading;
	*fd_r = fd;
	return 0;
}

int journal_compact(
	const char *path, const struct keyring *k, struct journal_reading *reading_r, int *fd_r)
{
	struct journal_reading old = { 0 };
	struct facts all = { 0 };
	int r = journal_load(path, k, collect, &all, &old);

	if (!r && (all.n == 0 || old.end != JOURNAL_WHOLE))
		r = MAG_ECONFLICT;
	if (!r)
		keep_last(&all);
	if (!r)
		r = put_in_place(path, k, &all, reading_r, fd_r);
	free(all.items);
	return r;
}

int journal_begin(const char *path, const struct keyring *k, int64_t id, int64_t follows,
	struct journal_reading *reading_r, int *fd_r)
{
	struct journal_fact first = {
		.kind = JOURNAL_BEGIN, .id = id, .value = follows, .at = mag_now()
	};
	struct facts all = { &first, 1, 1 };

	return put_in_place(path, k, &all, reading_r, fd_r);
}

int journal_end(const char *path, const struct keyring *k, const struct journal_reading *reading)
{
	const struct journal_key key = journal_key_of(k);
	struct journal_fact gap = { .kind = JOURNAL_GAP, .n = JOURNAL_LAST, .at = mag_now() };
	struct journal_chain chain = reading->chain;
	unsigned char record[JOURNAL_RECORD];
	int fd, saved, r = journal_append(&chain, &key, &gap, record);

	if (r)
		return r;
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return MAG_ESYS;
	errno = ENOSPC; /* what a short write means */
	if (flock(fd, LOCK_EX | LOCK_NB) || ftruncate(fd, (off_t)reading->sound) ||
		write(fd, record, sizeof record) != sizeof record || fsync(fd))
		r = MAG_ESYS;
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

/* ---- what the store remembers ---- */

#define ID "journal_id "

static const struct {
	const char *prefix;
	size_t at;
} memories[] = {
	{ "journal_n ", offsetof(struct journal_memory, n) },
	{ "journal_gap ", offsetof(struct journal_memory, gap) },
	{ ID, offsetof(struct journal_memory, id) }, /* the last: it makes the others count */
};

static int64_t *part(struct journal_memory *m, size_t i)
{
	return (int64_t *)(void *)((char *)m + memories[i].at);
}

int journal_recall(struct store *s, const char *host, struct journal_memory *m_r)
{
	struct journal_memory m = { 0 };
	char name[100];
	int r = 0;

	for (size_t i = 0; !r && i < sizeof memories / sizeof *memories; i++) {
		snprintf(name, sizeof name, "%s%s", memories[i].prefix, host);
		r = store_meta_get(s, name, part(&m, i));
		if (r == MAG_ENOTFOUND)
			r = 0;
	}
	if (!r)
		*m_r = m;
	return r;
}

int journal_remember(struct store *s, const char *host, const struct journal_memory *m)
{
	struct journal_memory copy = *m, known;
	char name[100];
	int r = journal_recall(s, host, &known);

	for (size_t i = 0; !r && i < sizeof memories / sizeof *memories; i++) {
		if (known.id && *part(&known, i) == *part(&copy, i))
			continue;
		snprintf(name, sizeof name, "%s%s", memories[i].prefix, host);
		r = store_meta_set(s, name, *part(&copy, i));
	}
	return r;
}

struct hosts {
	journal_host_fn *fn;
	void *arg;
};

static int on_meta(const char *name, int64_t value, void *arg)
{
	const struct hosts *h = arg;

	return value ? h->fn(name + strlen(ID), h->arg) : 0;
}

int journal_hosts(struct store *s, journal_host_fn *fn, void *arg)
{
	struct hosts h = { fn, arg };

	return store_meta_each(s, ID, on_meta, &h);
}
