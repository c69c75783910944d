/* The audit log as a chain: each record carries the hash of all before it, so that
 * none can be changed, left out or moved unnoticed (security.md 34). From time to time
 * a record is a head: signed with a key that only the broker has. Pure.
 *
 *   N TIME HASH TEXT
 *
 * N counts from 1; HASH is SHA-256 over the hash before (of the first: 32 zeros) and
 * "N TIME TEXT", in hex. */
#ifndef ENGINE_AUDIT_CHAIN_H
#define ENGINE_AUDIT_CHAIN_H

#include <stdint.h>

#include "otpcore/base/audit_record.h"
#include "otpcore/base/buf.h"

struct audit_chain {
	int64_t n; /* of the last record; 0: none */
	unsigned char hash[AUDIT_HASH_LEN];
};

/* The next record, with its newline. `text`: one clean line; cut where it is too long.
 * 0, MAG_ECRYPTO, MAG_ENOSPACE: the chain is where it was. */
int audit_chain_append(
	struct audit_chain *c, int64_t now, const char *text, struct mag_buf *line_r);

/* Does `line` (without newline) follow? Only a sound one moves the chain on; record_r is
 * filled for all but an unreadable one. */
enum audit_fault {
	AUDIT_SOUND,
	AUDIT_UNREADABLE, /* no record */
	AUDIT_MISSING,    /* another number than the next: left out, moved, put in */
	AUDIT_CHANGED,    /* the hash is of something else */
	AUDIT_FAILED,     /* no hash could be made */
};
enum audit_fault audit_chain_follow(
	struct audit_chain *c, const char *line, struct audit_record *record_r);

/* What a head signs: everything up to where the chain is, on this host. Returns the
 * length; `buf` holds AUDIT_CLAIM_MAX. */
#define AUDIT_CLAIM_MAX 192
size_t audit_chain_claim(const struct audit_chain *c, const char *host, char *buf);

/* The text of a head, and its parts again. False: it is no head. */
void audit_head_text(
	const char *host, const unsigned char signature[AUDIT_HASH_LEN], struct mag_buf *text_r);
bool audit_head_parse(const char *text, char host_r[65], unsigned char signature_r[AUDIT_HASH_LEN]);

#endif
