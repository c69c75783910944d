/* What a relay must not forget (security.md 41), in an SQLite file of its own, 0600: the
 * leases and how far their tokens are, wrong codes, logins by their last answer, what is to
 * be told. It holds no seed, but keyed hashes of codes and their keys. What is changed here
 * is changed in memory and on disk, or the call fails. */
#ifndef BROKER_REPLICA_H
#define BROKER_REPLICA_H

#include "otpcore/engine/model.h"
#include "otpcore/wire/wire.h"

#define HELD_MAX   64
#define PARTS_MAX  2
#define STRUCK_MAX 64

enum held_state {
	HELD_ASKED = 1, /* its number is made, and maybe known to an auth host */
	HELD_LIVE,
	HELD_ENDED, /* not used any more; to be given back */
};

struct held_part {
	int64_t moving;              /* as of struct token */
	int64_t failures, failed_at; /* in a row, against the tries; and the last of them */
	int64_t spent;               /* against the rest: a right code does not end it */
	int64_t failed, told;        /* in all; of which an auth host knows */
	int64_t right;               /* of failed: those before the last right code */
	int64_t struck[STRUCK_MAX];  /* positions whose codes went there */
	size_t n_struck;
};

struct held {
	int64_t id; /* the lease's number */
	char account[257];
	int64_t state;
	struct wire_lease_take_rep rep; /* as it came; parts of `part` */
	struct held_part part[PARTS_MAX];
	int64_t next_at;   /* mag_ticks_ms; when to ask again */
	bool struck_since; /* it was asked for: a code went to an auth host */
};

/* A code that was accepted here. */
struct used {
	int64_t id, lease, login, position, at;
	uint32_t ref, opened;
	char account[257], service[65], rhost[257];
};

/* A login's last answer (security.md 30). */
struct away_login {
	int64_t id, at;
	int64_t seq, verdict, seconds, tries_left, failures;
	int64_t strength, level; /* strength 0: nothing was proven */
};

struct replica {
	void *db;
	unsigned char secret[HASH_LEN]; /* of tickets */
	int64_t seen;                   /* the clock never goes behind it */
	struct wire_lease_terms_rep terms;
	size_t n_held, n_uses;
	struct held *held[HELD_MAX];
	struct used **uses;
};

/* Made if it is not there. 0; MAG_ESTORE, MAG_EPERM (others may read it), MAG_ENOMEM, MAG_ESYS. */
int replica_open(const char *path, struct replica **r_r);
void replica_free(struct replica **r);

/* One transaction: everything between is durable at the commit, or not at all. */
int replica_begin(struct replica *r);
int replica_commit(struct replica *r); /* 0, MAG_ESTORE: nothing is on disk */
void replica_rollback(struct replica *r);

/* Within a transaction. */
int replica_put(struct replica *r, const struct held *h);                   /* without its parts */
int replica_put_part(struct replica *r, const struct held *h, size_t part); /* and what is struck */
int replica_put_login(struct replica *r, const struct away_login *l);
int replica_put_use(struct replica *r, const struct used *u);
int replica_put_state(struct replica *r);

/* Each a transaction of its own. */
int replica_add(struct replica *r, const char *account, struct held **h_r); /* HELD_ASKED */
int replica_drop(struct replica *r, struct held *h);
int replica_drop_use(struct replica *r, int64_t id);
struct held *replica_held(const struct replica *r, int64_t id);

/* In memory, after its transaction. 0 or MAG_ENOMEM. */
int replica_keep_use(struct replica *r, const struct used *u);
/* 0 or MAG_ENOTFOUND. */
int replica_login(struct replica *r, int64_t id, struct away_login *l_r);

#endif
