/* What the files of a tick share: tick.c drives the phases, want.c reads rows
 * and hands them out, charge.c and write.c collect what is written. None of
 * them knows which database it is. */
#ifndef STORE_TICK_H
#define STORE_TICK_H

#include "otpcore/store/arena.h"
#include "otpcore/store/backend.h"

struct tick_request {
	void *arg;
	bool active, lost, failed;
};

enum want_kind {
	WANT_ACCOUNT,
	WANT_ACCOUNT_UID,
	WANT_LOGIN,
	WANT_SESSION,
	WANT_SESSIONS_OF,
	WANT_HISTORY,
	WANT_LICENCE,
	WANT_TOKEN,
	WANT_THROTTLE,
	WANT_PROOFINGS,
	WANT_CHILDREN,
	WANT_TERMS,
	WANT_SEATS,
	WANT_HOST,
	WANT_CERTIFICATES,
	WANT_KEY_HOLDER,
	WANT_CERTIFICATE,
	/* Nodes of the second index, made from loaded rows. */
	NODE_SUBJECT,
	NODE_THROTTLE,
	NODE_SESSION,
	NODE_TOKEN,
};

/* What a request reads, or what can be found among that. Its key: */
struct want_key {
	enum want_kind kind;
	const char *text, *text2; /* "" if unused */
	int64_t i[3];
	const unsigned char *hash; /* HASH_LEN; NULL if unused */
};

struct want {
	struct store_tick *tick;
	struct want_key key;
	uint64_t mixed;     /* hash of the key */
	struct want *chain; /* next with this bucket */
	struct want *next;  /* next in order of being wanted */
	void *row;          /* the row, aggregate or array; nodes: what it leads to */
	size_t n, cap;      /* rows loaded; room (sessions of an account) */
	struct want *same;  /* an account by uid that is also wanted by name */
	bool used;          /* the row may hold something: not zeroed any more */
	bool loaded;
	bool handed;       /* a handler had it: load again before deciding again */
	int r;             /* could not be read */
	struct want *home; /* nodes: the want whose rows hold it */
};

#define INDEX_BUCKETS 256
struct want_index {
	struct arena arena; /* of the nodes; wants live in the tick's */
	struct want *buckets[INDEX_BUCKETS];
};

struct charge {
	int64_t kind, subject, period, amount;
	size_t request, order;
	int64_t value; /* after the claim */
	int64_t base;  /* exclusive: what the counter was, told to a key's first charge */
	bool known;
};

struct charge_list {
	struct charge *items;
	size_t n, cap;
};

struct write {
	enum row_table table;
	struct row *row;
	enum row_fate fate;
	bool lost;
};

struct touch { /* request changed the row of a write */
	size_t write, request;
};

struct write_list {
	struct write *items;
	size_t n, cap;
	struct touch *touches;
	size_t n_touches, cap_touches;
};

enum tick_phase {
	PHASE_READ,
	PHASE_DECIDE,
	PHASE_CLAIM,
	PHASE_SETTLE,
	PHASE_COMMIT,
	PHASE_KEPT,    /* committed: who is next? */
	PHASE_CHARGES, /* only the charges of a request that failed alone */
	PHASE_LOOK,    /* is what was committed there, or not? */
	PHASE_END,
};

#define NOBODY ((size_t)-1)

struct store_tick {
	struct store *store;
	int64_t now;
	const struct store_tick_ops *ops;
	void *arg;
	struct tick_request *requests;
	size_t n_requests, cap_requests;

	struct arena arena; /* rows, keys */
	struct want *wants, **wants_end;
	struct want_index by_key; /* wants */
	struct want_index by_row; /* nodes; made anew after every read */

	enum tick_phase phase;
	size_t alone;  /* the request that runs alone, or NOBODY */
	bool open;     /* a write transaction is open */
	bool any_kept; /* something was committed */
	int result;    /* what done is told */
	bool touched;  /* store_touch */
	bool wrote;    /* the claim changed something */
	bool dropped;  /* a request is for a later tick, said in decide */
	bool suspect;  /* a handler used a row that could not be read, marked nonsense or gave up */
	int error;     /* no memory */
	/* What rows that this pass claims have as their version, + 1 when settled: nobody
	 * else writes it, so who finds it knows whose the row is. */
	int64_t stamp;
	bool seen;    /* PHASE_LOOK has found it */
	uint32_t key; /* has sealed what is written; 0: nothing is */
	bool key_moved;
	int deadlocks; /* in a row */

	struct charge_list charges, refunds; /* of decide, of settle */
	struct write_list claims, settled;
	struct store_batch batch;
	struct arena batch_arena;
};

/* ---- want.c, want_read.c ---- */
/* As if nothing were there. Of an aggregate, only what says how many rows it has:
 * rows are whole when they are loaded or added. */
void want_clear_row(struct want *w);
/* Calls that read what is not loaded. 0 or MAG_ENOMEM. */
int want_read_calls(struct store_tick *t);
/* After the reads: errors of the calls, aliases, the second index. 0, MAG_ENOMEM,
 * or MAG_ESTORE: some want could not be read. */
int want_read_done(struct store_tick *t);
/* What stands behind an account is read, too: a child's parent (H11), the key of an
 * enrolment under way (O5). How much more is wanted now; negative: an error. */
int want_read_behind(struct store_tick *t);
/* Forget what handlers may have changed. */
void want_forget_handed(struct store_tick *t);
/* A node of the second index that leads to a row of `home`. 0 or MAG_ENOMEM. */
int want_node(struct store_tick *t, struct want_key key, void *row, struct want *home);
/* The counter among the tick's rows, made in the aggregate that owns the
 * subject; NULL: not wanted. */
struct throttle *want_throttle_row(
	struct store_tick *t, int64_t kind, int64_t subject, int64_t period);

/* ---- want_rows.c ---- */
/* A statement of a want. Parameters: letters, see parameter() in want_read.c. */
struct want_part {
	enum want_kind kind;
	int statement;
	const char *parameters;
	int (*row)(const struct store_cells *cells, void *arg);
};
extern const struct want_part want_parts[];
extern const size_t want_n_parts;

/* ---- want_index.c ---- */
uint64_t want_mix(const struct want_key *k);
struct want *want_find(struct want_index *x, const struct want_key *k);
void want_insert(struct want_index *x, struct want *w);
void want_index_clear(struct want_index *x);

/* ---- charge.c ---- */
/* The calls of the claim and of the commit; after the claim's, what each charge
 * came to. */
int charge_claim_calls(struct store_tick *t);
int charge_claimed(struct store_tick *t);
int charge_commit_calls(struct store_tick *t);
/* Something to write for a tick that must commit but has nothing (rule L10). */
int charge_decoy_call(struct store_tick *t);
/* The charges as they stand, each by a relative statement. */
int charge_calls(struct store_tick *t, struct charge_list *list);
/* Drop all but the positive charges: what a failed request leaves behind. */
void charge_keep_positive(struct charge_list *list);

/* ---- write.c ---- */
int write_calls(struct store_tick *t, struct write_list *list, const char *point);
/* The version its rows get. */
int64_t write_stamp(const struct store_tick *t, const struct write_list *list);
/* After the calls: versions and fates of the rows. */
void write_done(struct store_tick *t, struct write_list *list);
/* After a lost race: mark the requests that touched lost rows; how many. */
size_t write_lost(struct store_tick *t, struct write_list *list);
void write_clear(struct write_list *list);

/* ---- tick.c ---- */
/* A call for the batch that is being made; NULL: no memory (t->error is set). */
struct store_call *tick_call(struct store_tick *t, int statement, const char *point,
	size_t n_values, struct store_value **values_r);

#endif
