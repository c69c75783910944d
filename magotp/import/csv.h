/* Tokens as CSV: with a header row,
 *	serial,type,secret,digits,counter|step,algorithm
 * type hotp or totp; secret in hex or base32; the fifth column is HOTP's next
 * counter or TOTP's step in seconds; algorithm sha1, sha256 or sha512. */
#ifndef IMPORT_CSV_H
#define IMPORT_CSV_H

#include <stdio.h>

#include "otpcore/wire/wire.h"

/* As in the engine's model; the broker checks all of it again. */
enum { SEED_HOTP = 1, SEED_TOTP = 2 };

struct import_seed {
	struct wire_seed seed;
	size_t row; /* of the file, from 1 */
};

struct import_list {
	struct import_seed *seeds;
	size_t n, cap;
};

void import_list_free(struct import_list *l);

/* Where faults go, one by one; column "" is the whole row. */
struct csv_faults {
	void (*tell)(void *arg, size_t row, const char *column, const char *what);
	void *arg;
};

#define CSV_SEEDS_MAX 5000000

/* Read all of it. 0; MAG_EINVAL (faults were told; list_r is untouched),
 * MAG_ENOMEM, MAG_ESYS. */
int csv_read(FILE *f, const struct csv_faults *faults, struct import_list *list_r);

#endif
