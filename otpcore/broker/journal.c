#include "otpcore/broker/journal.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otpcore/base/clock.h"
#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/marks.h"
#include "otpcore/broker/parts.h"
#include "otpcore/store/fault.h"

#define MEMORY_SECONDS 60 /* how often the store hears how far the journal is */
#define COMPACT_AT     (64 << 20)
#define PENDING_MAX    (1 << 20) /* bytes that wait for a disk that takes nothing */

struct journal {
	struct broker *broker;
	struct journal_chain chain;
	struct journal_memory memory; /* what the store knows */
	struct marks counters;        /* of HOTP tokens: what the file says may be used */
	unsigned char *pending;
	size_t n_pending, cap_pending;
	bool urgent; /* before the next answer */
	bool dirty;  /* not on the disk yet */
	bool broken; /* said already */
	bool unsure; /* a sync failed: what the file holds on the disk is not known */
	bool lost;   /* something was not kept: a restore must not trust this one */
	bool told;   /* the file says that itself */
	off_t size, compact_at;
	int64_t next_memory;
	int fd;
	struct event *timer;
	char path[256];
};

/* ---- is the store as new as the journal? ---- */

struct check {
	struct journal *j;
	struct journal_fact *unsure; /* behind what the store knew */
	size_t n, cap;
};

static int on_fact(const struct journal_fact *f, void *arg)
{
	struct check *c = arg;
	struct journal_fact *wider;

	if (f->kind == JOURNAL_BEGIN && f->id != c->j->memory.id)
		c->j->memory.n = 0;
	if (f->kind == JOURNAL_COUNTER && f->id > 0 && f->value > 0 &&
		marks_raise(&c->j->counters, f->id, f->value))
		return MAG_ENOMEM;
	if (f->kind == JOURNAL_BEGIN || f->n <= c->j->memory.n)
		return 0;
	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 64;
		wider = reallocarray(c->unsure, c->cap, sizeof *c->unsure);
		if (!wider)
			return MAG_ENOMEM;
		c->unsure = wider;
	}
	c->unsure[c->n++] = *f;
	return 0;
}

/* Records come after their commits: in a store that was not replaced all of them hold. */
static int compare(const struct check *c)
{
	int r = 0;

	for (size_t i = 0; !r && i < c->n; i++) {
		bool holds = true;

		r = store_spent_holds(c->j->broker->store, &c->unsure[i], &holds);
		if (!r && !holds)
			r = MAG_ECONFLICT;
	}
	return r;
}

/* ---- opening ---- */

static int begin(struct journal *j)
{
	struct journal_reading reading;
	int64_t id = store_new_id();
	int r = MAG_ECRYPTO;

	if (id)
		r = journal_begin(j->path, j->broker->keyring, id, j->memory.id, &reading, &j->fd);
	if (r)
		return r;
	marks_free(&j->counters);
	j->chain = reading.chain;
	j->size = (off_t)reading.sound;
	j->memory = (struct journal_memory){ .id = id };
	return journal_remember(j->broker->store, j->broker->host, &j->memory);
}

/* What was there stays to be looked at. It says itself that it is not all, and the new one
 * that there was another: a restore may be given both. */
static int begin_anew(struct journal *j, const struct journal_reading *reading, const char *why)
{
	const struct journal_chain *c = &reading->chain;
	char old[300];
	int64_t at = mag_now();
	struct stat st;
	bool there;
	int r = 0;

	do /* what was set aside earlier in this second stays */
		snprintf(old, sizeof old, "%s.%" PRId64, j->path, at++);
	while (stat(old, &st) == 0);
	there = stat(j->path, &st) == 0;
	mag_log(MAG_LOG_WARNING,
		"%s: %s; a new journal is begun, and a restore of a backup made before now "
		"cannot rely on it%s%s",
		j->path, why, there ? "; the old one is now " : "", there ? old : "");
	if (c->begun && c->n < JOURNAL_LAST && reading->end != JOURNAL_DAMAGED)
		r = journal_end(j->path, j->broker->keyring, reading);
	if (r)
		return r;
	if (rename(j->path, old) && errno != ENOENT)
		return MAG_ESYS;
	return begin(j);
}

static int go_on(struct journal *j, const struct journal_reading *reading)
{
	j->fd = open(j->path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (j->fd < 0 || flock(j->fd, LOCK_EX | LOCK_NB))
		return MAG_ESYS;
	if (reading->end == JOURNAL_TORN) {
		mag_log(MAG_LOG_NOTICE, "%s: its last record was never finished", j->path);
		if (ftruncate(j->fd, (off_t)reading->sound))
			return MAG_ESYS;
	}
	j->chain = reading->chain;
	j->size = (off_t)reading->sound;
	j->memory.id = reading->chain.id;
	j->memory.n = reading->chain.n;
	return journal_remember(j->broker->store, j->broker->host, &j->memory);
}

/* Why a journal that lies there does not go on; NULL: it does. */
static const char *flaw(const struct journal_memory *m, const struct journal_reading *reading)
{
	if (reading->end == JOURNAL_DAMAGED)
		return "it is damaged, or of another master key";
	if (m->gap)
		return "it was not written for a while";
	if (reading->chain.n == JOURNAL_LAST)
		return "it was set aside before";
	if (m->id && reading->chain.id != m->id)
		return "it is not the one that was written last";
	if (reading->chain.id == m->id && reading->chain.n < m->n)
		return "it is older than the store";
	return NULL;
}

static int open_file(struct journal *j)
{
	struct journal_reading reading = { 0 };
	struct check c = { .j = j };
	struct journal_memory known;
	const char *why;
	int r = journal_recall(j->broker->store, j->broker->host, &j->memory);

	known = j->memory;
	if (!r)
		r = journal_load(j->path, j->broker->keyring, on_fact, &c, &reading);
	if (!r)
		r = compare(&c);
	free(c.unsure);
	if (r == MAG_ENOTFOUND || (!r && !reading.chain.begun && reading.end != JOURNAL_DAMAGED))
		return known.id ? begin_anew(j, &reading, "it is gone") : begin(j);
	if (r)
		return r;
	why = flaw(&known, &reading);
	return why ? begin_anew(j, &reading, why) : go_on(j, &reading);
}

/* A restore must know that nothing was written meanwhile, or ever, whatever other brokers of
 * the store have written. */
static void without(struct broker *b)
{
	struct journal_memory m;

	if (journal_recall(b->store, b->host, &m) || m.gap)
		return;
	if (!m.id)
		m.id = JOURNAL_NONE;
	m.gap = 1;
	if (journal_remember(b->store, b->host, &m))
		mag_log(MAG_LOG_WARNING, "the store does not know that there is no journal");
}

static void on_spent(const struct journal_fact *fact, void *arg);

static int complain(const struct journal *j, int r)
{
	if (r == MAG_ECONFLICT)
		mag_log(MAG_LOG_ERROR,
			"the store is older than %s: it was replaced or rolled back, and codes, "
			"keys "
			"and tokens that are spent would be good again; nothing is served until "
			"\"magotpctl restore --in-place\" has put that right",
			j->path);
	else
		mag_log(MAG_LOG_ERROR,
			"%s: %s%s%s; logins go on without a journal, and after a restore tokens "
			"and "
			"one-time secrets would have to be issued again",
			j->path, mag_strerror(r), r == MAG_ESYS ? ": " : "",
			r == MAG_ESYS ? strerror(errno) : "");
	return r;
}

int journal_open(struct broker *b, struct journal **j_r)
{
	struct journal *j;
	int64_t restoring = 0;
	int r;

	*j_r = NULL;
	if (store_meta_get(b->store, RESTORING, &restoring) == 0 && restoring) {
		mag_log(MAG_LOG_ERROR, "a restore in place was cut short; say it again: magotpctl "
				       "restore --in-place");
		return MAG_ECONFLICT;
	}
	if (mag_streq(b->settings->journal, "no")) {
		without(b);
		return 0;
	}
	j = calloc(1, sizeof *j);
	if (!j)
		return MAG_ENOMEM;
	j->broker = b;
	j->fd = -1;
	mag_copy(j->path, sizeof j->path, b->settings->journal);
	j->compact_at = FAULT("journal.compact") ? 1024 : COMPACT_AT;
	r = open_file(j);
	if (!r) {
		store_on_spent(b->store, on_spent, j);
		*j_r = j;
		return 0;
	}
	r = complain(j, r);
	b->stats.journal_failures++;
	if (r != MAG_ECONFLICT)
		without(b);
	if (j->fd >= 0)
		close(j->fd);
	marks_free(&j->counters);
	free(j);
	return r == MAG_ECONFLICT ? r : 0;
}

/* ---- records ---- */

static void lose(struct journal *j)
{
	j->lost = true;
	j->told = false;
}

/* A counter is written ahead in blocks: half of one is left when the next is written, so
 * that most logins write nothing, and no answer waits for it. */
static bool block(struct journal *j, struct journal_fact *f)
{
	int64_t window = j->broker->settings->hotp_window, kept = marks_get(&j->counters, f->id);

	if (kept && f->value + window / 2 <= kept)
		return false;
	j->urgent = j->urgent || f->value > kept;
	f->value += window;
	if (marks_raise(&j->counters, f->id, f->value))
		lose(j);
	return true;
}

static int make_room(struct journal *j)
{
	size_t cap = j->cap_pending ? 2 * j->cap_pending : 64 * JOURNAL_RECORD;
	unsigned char *wider;

	if (j->n_pending + JOURNAL_RECORD <= j->cap_pending)
		return 0;
	wider = cap <= PENDING_MAX ? realloc(j->pending, cap) : NULL;
	if (!wider)
		return MAG_ENOMEM;
	j->pending = wider;
	j->cap_pending = cap;
	return 0;
}

static int add(struct journal *j, struct journal_fact f)
{
	const struct journal_key key = journal_key_of(j->broker->keyring);
	int r = make_room(j);

	f.at = mag_now();
	if (!r)
		r = journal_append(&j->chain, &key, &f, j->pending + j->n_pending);
	if (!r)
		j->n_pending += JOURNAL_RECORD;
	return r;
}

static void on_spent(const struct journal_fact *fact, void *arg)
{
	struct journal *j = arg;
	struct journal_fact f = *fact;

	if (f.kind == JOURNAL_COUNTER && !block(j, &f))
		return;
	if (f.kind != JOURNAL_COUNTER)
		j->urgent = true;
	if (add(j, f))
		lose(j);
}

/* In the file: a backup of before may outlive what the store remembers. */
static void tell_lost(struct journal *j)
{
	if (j->lost && !j->told)
		j->told = add(j, (struct journal_fact){ .kind = JOURNAL_GAP }) == 0;
}

static int write_pending(struct journal *j)
{
	ssize_t n;
	int saved;

	if (FAULT("journal.write"))
		errno = EIO, n = -1;
	else
		n = write(j->fd, j->pending, j->n_pending);
	if (n != (ssize_t)j->n_pending) {
		saved = n < 0 ? errno : ENOSPC;
		/* Half a record would end the journal for whoever reads it. */
		if (n > 0 && ftruncate(j->fd, j->size))
			lose(j);
		errno = saved;
		return MAG_ESYS;
	}
	j->size += n;
	j->n_pending = 0;
	j->dirty = true;
	return 0;
}

/* What a failed sync did not write Linux may take for written, and the next sync says nothing
 * of it: see settle(). */
static int sync_file(struct journal *j)
{
	if (!j->dirty)
		return 0;
	if (FAULT("journal.sync"))
		errno = EIO, j->unsure = true;
	else if (j->unsure)
		errno = EIO;
	else
		j->unsure = fdatasync(j->fd) != 0;
	if (j->unsure)
		return MAG_ESYS;
	j->dirty = false;
	return 0;
}

static void say(struct journal *j, int r)
{
	if (r && !j->broken)
		mag_log(MAG_LOG_ERROR,
			"%s: nothing can be written (%s); logins go on, but a restore would not "
			"know "
			"of what is spent now",
			j->path, strerror(errno));
	else if (!r && j->broken)
		mag_log(MAG_LOG_NOTICE, "%s: is written again", j->path);
	j->broken = r != 0;
	j->broker->stats.journal_failures += r != 0;
}

void journal_flush(struct journal *j)
{
	int r = 0;

	if (!j)
		return;
	tell_lost(j);
	if (!j->n_pending && !j->urgent)
		return;
	if (j->n_pending)
		r = write_pending(j);
	if (!r && j->urgent)
		r = sync_file(j);
	j->urgent = j->urgent && r;
	say(j, r);
}

/* ---- each second ---- */

/* All that counts into another file, which is on the disk then. */
static int write_anew(struct journal *j)
{
	struct journal_reading reading;
	int64_t n = j->chain.n;
	int fd = -1, r = journal_compact(j->path, j->broker->keyring, &reading, &fd);

	if (r)
		return r;
	close(j->fd);
	j->fd = fd;
	j->chain = reading.chain;
	j->size = (off_t)reading.sound;
	if (j->chain.n < n) { /* its end was not there any more */
		lose(j);
		j->chain.n = n;
	}
	j->dirty = j->unsure = false;
	return 0;
}

/* After a failed sync; once: a disk that keeps nothing is not asked each second to take
 * all of it. */
static int settle(struct journal *j)
{
	int r;

	if (j->n_pending)
		return MAG_ESYS;
	r = j->lost ? 0 : write_anew(j);
	if (r) {
		mag_log(MAG_LOG_ERROR,
			"%s: what is on the disk is not known, and it cannot be written anew: %s",
			j->path, mag_strerror(r));
		lose(j);
	}
	j->unsure = false;
	return r;
}

static void compact(struct journal *j)
{
	off_t before = j->size;
	int r = write_anew(j);

	if (r) {
		mag_log(MAG_LOG_WARNING, "%s: it cannot be made smaller: %s", j->path,
			mag_strerror(r));
		j->compact_at = j->size + COMPACT_AT;
		return;
	}
	mag_log(MAG_LOG_NOTICE, "%s: made smaller, from %lld to %lld bytes", j->path,
		(long long)before, (long long)j->size);
	j->compact_at = 2 * j->size > j->compact_at ? 2 * j->size : j->compact_at;
}

/* A number that the store remembers is on the disk. */
static void remember(struct journal *j)
{
	struct journal_memory m = j->memory;

	if (j->dirty || j->n_pending)
		m.gap = m.gap || j->broken;
	else
		m.n = j->chain.n, m.gap = j->lost;
	if (m.n == j->memory.n && m.gap == j->memory.gap)
		return;
	if (journal_remember(j->broker->store, j->broker->host, &m))
		mag_log(MAG_LOG_WARNING, "%s: the store does not know how far it is", j->path);
	else
		j->memory = m;
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct journal *j = arg;
	bool due = mag_ticks_ms() >= j->next_memory;

	(void)fd;
	(void)what;
	journal_flush(j);
	if (j->dirty && !j->unsure)
		say(j, sync_file(j));
	/* With a tick under way the next second will do. */
	if (!ticker_idle(j->broker->ticker))
		return;
	if (j->unsure)
		say(j, settle(j));
	if (due || (j->broken || j->lost) != (j->memory.gap != 0)) {
		remember(j);
		j->next_memory = mag_ticks_ms() + MEMORY_SECONDS * 1000;
	}
	if (j->size >= j->compact_at && !j->n_pending && !j->dirty)
		compact(j);
}

int journal_start(struct journal *j)
{
	const struct timeval tv = { 1, 0 };

	j->timer = event_new(j->broker->base, -1, EV_PERSIST, on_second, j);
	return j->timer && event_add(j->timer, &tv) == 0 ? 0 : MAG_ENOMEM;
}

void journal_stop(struct journal *j)
{
	if (j->timer)
		event_free(j->timer);
	j->timer = NULL;
}

void journal_close(struct journal **journal)
{
	struct journal *j = *journal;

	*journal = NULL;
	if (!j)
		return;
	store_on_spent(j->broker->store, NULL, NULL);
	journal_flush(j);
	if (j->unsure)
		say(j, settle(j));
	journal_flush(j);
	say(j, sync_file(j));
	remember(j);
	close(j->fd);
	marks_free(&j->counters);
	free(j->pending);
	free(j);
}
