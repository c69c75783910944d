/* What a restore does to a store: the journals done once more, or everything void that may
 * have been used. */
#ifndef BROKER_REPLAY_H
#define BROKER_REPLAY_H

#include "otpcore/broker/journal.h"

/* A journal that was given, open. */
struct replay_journal {
	const char *name;
	int fd;
	struct journal_reading reading;
	struct journal_fact *facts;
	size_t n_facts;
};

struct replay {
	struct store *store;
	const struct keyring *keyring;
	struct replay_journal *journals;
	size_t n_journals;
	const char *host; /* this one */
	bool snapshot;
	int64_t now, window; /* [hardware] totp_window */

	/* What became of it. */
	int64_t counters, states, spent[JOURNAL_ABOUT_N];
	struct store_ended ended;
	struct store_voided voided;
	bool covered;  /* the journals know all that was spent since */
	char why[200]; /* if not */
};

/* Reads the journals; says what is wrong with one. 0, or an error: nothing was changed. */
int replay_read(struct replay *p);
/* Does it all; may be done again after it was cut short. */
int replay_run(struct replay *p);
void replay_free(struct replay *p);

#endif
