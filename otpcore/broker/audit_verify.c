/* otpcored --audit-verify: is the audit log what was written? */
#include "otpcore/broker/audit_log.h"

#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/parts.h"
#include "otpcore/engine/audit_chain.h"

struct check {
	struct broker *broker;
	struct audit_chain chain;
	struct store_audit_head known; /* what the store remembers; n 0: nothing */
	int64_t first, heads, signed_n;
	char other[65];  /* whose heads stand there, too: the host's name before, say; "": none */
	int64_t other_n; /* of them */
	bool met;        /* the record that the store remembers was seen, and is the same */
	char last[21];
};

static const char *const faults[] = {
	[AUDIT_UNREADABLE] = "this line is no record",
	[AUDIT_MISSING] = "records before this one were left out, moved or put in",
	[AUDIT_CHANGED] = "this record, or the hash before it, was changed",
	[AUDIT_FAILED] = "no hash could be made",
};

static int found(const char *file, int64_t line, const char *what)
{
	if (line)
		fprintf(stderr, "%s:%" PRId64 ": %s\n", file, line, what);
	else
		fprintf(stderr, "%s: %s\n", file, what);
	return MAG_ECONFLICT;
}

/* A head that this broker's key did not sign is somebody else's. The name in it is part of
 * what is signed; a host may have had another one once. */
static int check_head(struct check *c, const struct audit_chain *before, const char *text)
{
	unsigned char claimed[AUDIT_HASH_LEN], signature[AUDIT_HASH_LEN];
	char host[65], claim[AUDIT_CLAIM_MAX];
	size_t len;

	if (!audit_head_parse(text, host, claimed))
		return 0;
	len = audit_chain_claim(before, host, claim);
	if (seal_hash(c->broker->keyring, PEPPER_AUDIT, claim, len, signature))
		return MAG_ECRYPTO;
	if (memcmp(claimed, signature, sizeof claimed) != 0)
		return MAG_ECONFLICT;
	if (!mag_streq(host, c->broker->host)) {
		mag_copy(c->other, sizeof c->other, host);
		c->other_n++;
	}
	c->heads++;
	c->signed_n = c->chain.n;
	return 0;
}

static int check_line(struct check *c, const char *file, int64_t line, char *text)
{
	struct audit_chain before = c->chain;
	struct audit_record record;
	size_t len = strlen(text);
	enum audit_fault fault;

	if (len == 0 || text[len - 1] != '\n')
		return found(file, line, "the last record is cut");
	text[len - 1] = '\0';
	fault = audit_chain_follow(&c->chain, text, &record);
	/* The oldest files may have been thrown away: the first record that is there is
	 * believed for what comes before it, and said so. */
	if (fault == AUDIT_MISSING && c->first == 0) {
		c->chain.n = record.n;
		memcpy(c->chain.hash, record.hash, sizeof record.hash);
		fault = AUDIT_SOUND;
	}
	if (fault != AUDIT_SOUND)
		return found(file, line, faults[fault]);
	if (c->first == 0)
		c->first = record.n;
	mag_copy(c->last, sizeof c->last, record.time);
	if (record.n == c->known.n)
		c->met = memcmp(c->chain.hash, c->known.hash, AUDIT_HASH_LEN) == 0;
	if (check_head(c, &before, record.text))
		return found(file, line, "this head was not signed with the key of this broker");
	return 0;
}

static int check_file(struct check *c, const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t cap = 0;
	int64_t line = 0;
	int r = f ? 0 : MAG_ESYS;

	if (!f)
		(void)found(path, 0, "cannot be read");
	while (!r && getline(&text, &cap, f) > 0)
		r = check_line(c, path, ++line, text);
	if (f && ferror(f))
		r = found(path, 0, "cannot be read to its end");
	free(text);
	if (f)
		fclose(f);
	return r;
}

/* The older ones, by their numbers, then the one that is written. */
static int check_files(struct check *c, const char *path)
{
	char pattern[300];
	glob_t older = { 0 };
	int r = 0;

	snprintf(pattern, sizeof pattern, "%s.[0-9]*", path);
	if (glob(pattern, 0, NULL, &older) == GLOB_NOSPACE)
		r = MAG_ENOMEM;
	for (size_t i = 0; !r && i < older.gl_pathc; i++)
		r = check_file(c, older.gl_pathv[i]);
	globfree(&older);
	return r ? r : check_file(c, path);
}

static int check_end(const struct check *c, const char *path)
{
	char what[160];

	if (c->chain.n < c->known.n) {
		snprintf(what, sizeof what,
			"ends at record %" PRId64 "; the store knows of %" PRId64
			": the end was cut off",
			c->chain.n, c->known.n);
		return found(path, 0, what);
	}
	if (c->known.n && !c->met) {
		snprintf(what, sizeof what,
			"record %" PRId64 " is another than the store remembers: the log was "
			"replaced",
			c->known.n);
		return found(path, 0, what);
	}
	return 0;
}

int audit_verify_run(struct broker *b)
{
	const char *path = b->settings->audit_file;
	struct check c = { .broker = b };
	int r = store_audit_head(b->store, b->host, &c.known);

	if (mag_streq(path, "none")) {
		fprintf(stderr, "[audit] file = none: there is no audit log\n");
		return MAG_EINVAL;
	}
	if (r && r != MAG_ENOTFOUND)
		return r;
	r = check_files(&c, path);
	if (!r)
		r = check_end(&c, path);
	if (r)
		return r;
	fprintf(stderr, "%s: sound: records %" PRId64 " to %" PRId64 ", until %s\n", path, c.first,
		c.chain.n, *c.last ? c.last : "never");
	fprintf(stderr, "%" PRId64 " signed heads, the last at record %" PRId64 "\n", c.heads,
		c.signed_n);
	if (c.other_n)
		fprintf(stderr,
			"%" PRId64 " of these heads name another host than %s, the last %s: "
			"right if this host had that name\n",
			c.other_n, b->host, c.other);
	if (c.first > 1)
		fprintf(stderr,
			"records before %" PRId64 " are not here: older files were removed\n",
			c.first);
	if (c.chain.n > c.signed_n)
		fprintf(stderr, "%" PRId64 " records since then are not signed yet\n",
			c.chain.n - c.signed_n);
	return 0;
}
