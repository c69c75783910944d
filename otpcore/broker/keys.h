/* The store's keys: read at start and again and again, made, changed, removed. */
#ifndef BROKER_KEYS_H
#define BROKER_KEYS_H

#include "otpcore/broker/broker.h"

/* An old key stays so long after it has sealed its last ticket. */
#define KEYS_RETIRE 660
/* Seconds until a new one may seal, where several brokers use a store: each has read it. */
#define KEYS_SETTLE 20

/* Once, with keyring and store open: the keys of the store go into the keyring; a store
 * without gets those that its rows were sealed with. 0 or an error, which was logged. */
int keys_open(struct broker *b);
/* Does the keyring open what is in the store? Nothing is made, written or logged. 0;
 * MAG_ENOTFOUND, MAG_ECRYPTO: another key did it, or it is damaged; MAG_ESTORE. */
int keys_try(struct broker *b);

/* Reads them now and then, and ends what was begun. */
int keys_new(struct broker *b, struct keys **k_r);
void keys_free(struct keys **k);
/* Before a tick: reads them if they may have changed; keys_want(): that they have. */
void keys_want(struct keys *k);
void keys_turn(struct keys *k);
/* Something is under a key that is not known here: were they read again? At most once a
 * second. Not while a tick is under way. */
bool keys_again(struct keys *k);

/* ---- changing them (keys_change.c); no tick may be under way ---- */

struct keys_list {
	size_t n;
	struct data_key rows[KEYS_MAX + 1];
};
/* Also into the keyring. */
int keys_read(struct broker *b, struct keys_list *list_r);
const struct data_key *keys_in(const struct keys_list *list, enum key_state state);

struct keys_step {
	bool begin, done;   /* what is asked for */
	bool begun;         /* out: before */
	const char *refuse; /* out: why not; NULL */
	int64_t wait;       /* out: seconds until the new one is current */
	int64_t ends;       /* out */
	uint32_t current;   /* out */
};
int keys_rotate(struct broker *b, struct keys_step *step);
/* Its time comes; the next one seals from now on; an old one that has nothing left goes. */
int64_t keys_settled(const struct broker *b, const struct data_key *next);
int keys_promote(struct broker *b, struct keys_list *list);
int keys_remove(struct broker *b, uint32_t id);
/* Only the master key that this broker has opens the store from now on. *refuse_r: why not. */
int keys_finish(struct broker *b, const char **refuse_r);

/* ---- reseal.c: what they have sealed, page by page ---- */

enum reseal_mode {
	RESEAL_COUNT,
	RESEAL_ROWS, /* rows under other keys go under the current one */
	RESEAL_LAST, /* and answers of logins under `ending` are dropped */
};
struct reseal {
	enum store_sealed column; /* where it goes on; SEALED_COLUMNS: the end */
	int64_t after;
	enum reseal_mode mode;
	uint32_t ending; /* RESEAL_LAST */
};
struct reseal_page {
	int64_t seen, resealed, broken;
	size_t n;
	struct {
		uint32_t id; /* 0: a key that is not known */
		int64_t rows;
	} counts[KEYS_MAX + 1];
};
/* One page; moves the cursor on. 0 or an error: the same page again. */
int reseal_page(struct broker *b, struct reseal *at, struct reseal_page *page_r);

#endif
