/* The journal of what must not come back when an older store is put in place: how far
 * counters may have gone, what was used up, taken away, locked (security.md 27). Records of
 * one size, each with a keyed hash over itself and the one before. Pure.
 *
 *   u32 kind, u32 about, i64 n, id, value, more, at; 16 bytes of the keyed hash
 *
 * Big-endian. The first record begins the journal: n 0, id that of the journal, value that of
 * the one that it follows (0: none), which knows nothing of what came between. n grows;
 * numbers may be missing where a journal was made smaller. */
#ifndef ENGINE_JOURNAL_H
#define ENGINE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otpcore/engine/model.h"

#define JOURNAL_RECORD 64
#define JOURNAL_MAC    16

enum journal_kind {
	JOURNAL_BEGIN = 1,
	JOURNAL_COUNTER, /* of a token: below `value` everything may be used; it stood at `more` */
	JOURNAL_SPENT,   /* used up, revoked or deleted, for good */
	JOURNAL_STATE,   /* a state that may change again: `value`; see store/spent.c */
	JOURNAL_GAP,     /* something before it was not written; none follows JOURNAL_LAST */
};

#define JOURNAL_LAST INT64_MAX /* the number that ends a journal which was set aside */

/* Numbers of files: never another meaning. */
enum journal_about {
	JOURNAL_TOKEN = 1,
	JOURNAL_RECOVERY,
	JOURNAL_LICENCE,
	JOURNAL_PROOFING,
	JOURNAL_PHONE,
	JOURNAL_CERTIFICATE,
	JOURNAL_SUBSCRIPTION,
	JOURNAL_ACCOUNT,
	JOURNAL_HOST,
	JOURNAL_ABOUT_N
};

struct journal_fact {
	int64_t kind, about;
	int64_t n; /* of its record */
	int64_t id, value, more;
	int64_t at; /* when it was written */
};

/* Who can make the keyed hash: 32 bytes of it over `data`. 0 or an error. */
struct journal_key {
	int (*mac)(const void *arg, const void *data, size_t len, unsigned char mac_r[HASH_LEN]);
	const void *arg;
};

struct journal_chain {
	bool begun;
	int64_t n, id; /* of the last record; of the journal */
	unsigned char mac[JOURNAL_MAC];
};

/* The next record. f->n is set to one more than the last, unless it is more already.
 * 0, MAG_EINVAL (nothing follows JOURNAL_LAST), or what the key said: the chain is where it was. */
int journal_append(struct journal_chain *c, const struct journal_key *key, struct journal_fact *f,
	unsigned char record_r[JOURNAL_RECORD]);

/* How the bytes of a journal end. */
enum journal_end {
	JOURNAL_WHOLE = 0,
	JOURNAL_TORN,    /* in a record that was never finished: nobody was answered on it */
	JOURNAL_DAMAGED, /* in something else: what came behind is not known */
};

typedef int journal_fact_fn(const struct journal_fact *f, void *arg);

struct journal_reading {
	struct journal_chain chain;
	enum journal_end end;
	size_t sound; /* bytes */
	int64_t begun_at;
};

/* All of them in order, the first one too. 0; what fn said if that is not 0; an error of
 * the key. */
int journal_read(const unsigned char *data, size_t len, const struct journal_key *key,
	journal_fact_fn *fn, void *arg, struct journal_reading *reading_r);

#endif
