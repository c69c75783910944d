/* Refusals that cost nothing could be asked for as fast as the broker answers, and would fill
 * the disk of the audit log, and then nobody is let in. So of those of one peer a few a minute
 * are written in full, and the others are counted (security.md 31). Pure: `now` is given, in
 * ms of a clock that nobody sets. */
#ifndef BROKER_AUDIT_THIN_H
#define BROKER_AUDIT_THIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define THIN_MS    60000
#define THIN_EACH  20  /* of one peer in a minute */
#define THIN_ALL   200 /* of all: one person may have many uids */
#define THIN_PEERS 64  /* told apart at a time; the others are one */

enum thin_kind {
	THIN_OTHERS, /* for whom there was no place */
	THIN_UID,    /* a user of this host, not root */
	THIN_HOST,   /* a relay, whoever asks there */
	THIN_STRANGERS,
	THIN_ENDS,  /* links that had to be ended, likewise */
	THIN_LINKS, /* lines about links, not requests; host "": those of strangers */
};

struct thin_who {
	enum thin_kind kind;
	uint32_t uid;
	char host[65];
};

struct thin_row {
	struct thin_who who;
	bool taken;
	int64_t since;         /* its minute began */
	int64_t written, more; /* in it */
};

struct thin {
	struct thin_row rows[THIN_PEERS + 1]; /* the last: the others */
	int64_t since, written;               /* of all */
};

/* May this refusal be written in full? If not it was counted. */
bool thin_take(struct thin *t, const struct thin_who *who, int64_t now);

/* One whose minute is over, with more that were only counted; NULL: none. INT64_MAX: all that
 * have any. It stays until thin_told(): what could not be written is not lost. */
struct thin_row *thin_due(struct thin *t, int64_t now);
void thin_told(struct thin_row *row);

#endif
