/* What the tests of the store share: a store in memory or in a file of its own
 * folder, and ticks written as three functions. */
#ifndef TESTS_STORE_COMMON_H
#define TESTS_STORE_COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/store/fault.h"
#include "otpcore/store/store.h"

#define NOW 1795000000 /* 2026-11-18 */

struct fixture {
	bool file;
	char dir[64], path[96], url[256];
	struct store *s;
};

/* cmocka set-up and tear-down: *state is a struct fixture. */
int setup_memory(void **state);
int setup_file(void **state);
int teardown(void **state);

/* Close and open again (file only). */
void reopen(struct fixture *f);

/* A tick in the making; the functions may be NULL. After run: r and counts. */
struct script {
	void (*decide)(struct store_tick *t, struct script *s);
	void (*settle)(struct store_tick *t, struct script *s);
	void *arg;
	int r, decided, done;
	struct fixture *f;
	/* What became of the requests, as store_lost and store_failed said. */
	bool lost[256], failed[256];
	int charge[256];
	int64_t charged[256];
};
struct store_tick *begin(struct fixture *f, size_t requests);
/* Submits and frees. */
void run(struct store_tick *t, struct script *s);

/* An active account "name" with one phone, committed; the same with a live
 * challenge, whose chain is returned. */
void make_account(struct fixture *f, const char *name);
int64_t make_challenge(struct fixture *f, const char *name);

/* A token, committed; account NULL: in the inventory. Serials with an M are apps;
 * state_since lies 40 days back. */
void make_token(struct fixture *f, const char *serial, const char *account, int64_t state);

/* What the store has now. */
int64_t counter(struct fixture *f, enum throttle_kind kind, int64_t subject, int64_t period);
struct aggregate *load(struct fixture *f, const char *name); /* free() it */
struct history load_history(struct fixture *f);              /* Alice's */

/* Fill a new row with what its table takes. */
void fill_account(struct account *a, const char *name);
void fill_phone(struct phone *p, const struct account *a, int64_t slot);
void fill_challenge(struct challenge *c, const struct account *a, const struct phone *p);
void fill_token(struct token *token, const char *serial);
void fill_recovery(struct recovery *r, const struct account *a);
void fill_login(struct login *l, int64_t account, int64_t id);

/* The same test over both. */
#define BOTH(test)                                                                                 \
	cmocka_unit_test_setup_teardown(test, setup_memory, teardown),                             \
		cmocka_unit_test_setup_teardown(test, setup_file, teardown)
#define FILE_ONLY(test)   cmocka_unit_test_setup_teardown(test, setup_file, teardown)
#define MEMORY_ONLY(test) cmocka_unit_test_setup_teardown(test, setup_memory, teardown)

#endif
