/* The journal's file (engine/journal.h): what must not come back if the store is replaced by
 * an older one. Written after the commit and before the answers of a tick. What cannot
 * be written refuses nobody, as it is of use at a restore only; but it is said, kept, tried
 * again, and a restore is told of what is missing. */
#ifndef BROKER_JOURNAL_H
#define BROKER_JOURNAL_H

#include "otpcore/broker/broker.h"

/* Opens [store] journal, or begins it, and looks whether the store is as new. As the user
 * that otpcored is, before the sandbox closes. 0, with NULL where there is none (it was
 * said); MAG_ECONFLICT: the store is older than the journal. */
int journal_open(struct broker *b, struct journal **j_r);
/* Everything is on the disk then, and the store knows how far it goes. */
void journal_close(struct journal **j);
int journal_start(struct journal *j); /* on b->base: the second's sync */
void journal_stop(struct journal *j); /* before b->base is gone */
/* What was told since the last time goes to the file; NULL is fine. */
void journal_flush(struct journal *j);

/* ---- journal_file.c: the file as it lies there ---- */

struct journal_key journal_key_of(const struct keyring *k);
/* 0; MAG_ENOTFOUND; MAG_ESYS (errno), MAG_ENOMEM; what fn said. */
int journal_load(const char *path, const struct keyring *k, journal_fact_fn *fn, void *arg,
	struct journal_reading *reading_r);
int journal_load_fd(int fd, const struct keyring *k, journal_fact_fn *fn, void *arg,
	struct journal_reading *reading_r);
/* The last record of each row and kind, in their order; free() the facts. */
int journal_load_last(int fd, const struct keyring *k, struct journal_fact **facts_r, size_t *n_r,
	struct journal_reading *reading_r);
/* A new one in its place with one record for each row and kind; same id, same beginning, the
 * last number is the last. What `reading_r` says is true of the new file, open as fd_r. */
int journal_compact(
	const char *path, const struct keyring *k, struct journal_reading *reading_r, int *fd_r);
/* Into a file that is not there yet; `follows`: the id of the one before it, or 0. */
int journal_begin(const char *path, const struct keyring *k, int64_t id, int64_t follows,
	struct journal_reading *reading_r, int *fd_r);
/* A sound one that is set aside says so itself, whoever finds it later. `reading` is of it. */
int journal_end(const char *path, const struct keyring *k, const struct journal_reading *reading);

/* ---- what the store remembers of a broker's journal ---- */
#define JOURNAL_NONE 1 /* the id of none; one that lies there is looked at, and set aside */
struct journal_memory {
	int64_t id, n; /* id 0: nothing is known */
	int64_t gap;   /* 1: the broker wrote none for a while */
};
int journal_recall(struct store *s, const char *host, struct journal_memory *m_r);
int journal_remember(struct store *s, const char *host, const struct journal_memory *m);
/* Of all brokers: those that the store remembers. */
typedef int journal_host_fn(const char *host, void *arg);
int journal_hosts(struct store *s, journal_host_fn *fn, void *arg);

#endif
