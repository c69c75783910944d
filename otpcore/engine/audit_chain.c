#include "otpcore/engine/audit_chain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/crypto.h"

#define HEX_LEN (2 * AUDIT_HASH_LEN)
#define HEAD    "head host="
#define BY      " signature="

/* Of the hash before and "N TIME TEXT". */
static int hash_of(const struct audit_chain *before, const struct audit_record *record,
	unsigned char hash_r[AUDIT_HASH_LEN])
{
	char bytes[AUDIT_HASH_LEN + AUDIT_LINE_MAX];
	struct mag_buf b;

	memcpy(bytes, before->hash, AUDIT_HASH_LEN);
	mag_buf_init(&b, bytes + AUDIT_HASH_LEN, sizeof bytes - AUDIT_HASH_LEN);
	mag_buf_printf(&b, "%" PRId64 " %s %s", record->n, record->time, record->text);
	if (mag_buf_error(&b))
		return MAG_ENOSPACE;
	return crypto_sha256((struct crypto_text){ bytes, AUDIT_HASH_LEN + b.len }, hash_r);
}

int audit_chain_append(struct audit_chain *c, int64_t now, const char *text, struct mag_buf *line_r)
{
	char cut[AUDIT_LINE_MAX - 128], hex[HEX_LEN + 1];
	struct audit_record record = { .n = c->n + 1, .text = cut };
	struct audit_chain next = { .n = c->n + 1 };
	int r;

	mag_time_rfc3339(now, record.time, sizeof record.time);
	mag_clean(cut, sizeof cut, text);
	r = hash_of(c, &record, next.hash);
	if (r)
		return r;
	mag_hex_encode(next.hash, sizeof next.hash, hex);
	mag_buf_reset(line_r);
	mag_buf_printf(line_r, "%" PRId64 " %s %s %s\n", record.n, record.time, hex, cut);
	if (mag_buf_error(line_r))
		return MAG_ENOSPACE;
	*c = next;
	return 0;
}

enum audit_fault audit_chain_follow(
	struct audit_chain *c, const char *line, struct audit_record *record_r)
{
	struct audit_chain next = { 0 };
	struct audit_record record;

	if (!audit_record_split(line, &record))
		return AUDIT_UNREADABLE;
	*record_r = record;
	if (record.n != c->n + 1)
		return AUDIT_MISSING;
	next.n = record.n;
	if (hash_of(c, &record, next.hash))
		return AUDIT_FAILED;
	if (memcmp(next.hash, record.hash, sizeof next.hash) != 0)
		return AUDIT_CHANGED;
	*c = next;
	return AUDIT_SOUND;
}

size_t audit_chain_claim(const struct audit_chain *c, const char *host, char *buf)
{
	char hex[HEX_LEN + 1];

	mag_hex_encode(c->hash, sizeof c->hash, hex);
	return (size_t)snprintf(
		buf, AUDIT_CLAIM_MAX, "magotp audit head 1 %s %" PRId64 " %.64s", hex, c->n, host);
}

void audit_head_text(
	const char *host, const unsigned char signature[AUDIT_HASH_LEN], struct mag_buf *text_r)
{
	char hex[HEX_LEN + 1];

	mag_hex_encode(signature, AUDIT_HASH_LEN, hex);
	mag_buf_reset(text_r);
	mag_buf_printf(text_r, HEAD "%.64s" BY "%s", host, hex);
}

bool audit_head_parse(const char *text, char host_r[65], unsigned char signature_r[AUDIT_HASH_LEN])
{
	const char *host = text + strlen(HEAD), *by;
	size_t len = 0;

	if (!mag_has_prefix(text, HEAD) || !(by = strstr(host, BY)) || by - host > 64)
		return false;
	if (mag_hex_decode(by + strlen(BY), signature_r, AUDIT_HASH_LEN, &len) ||
		len != AUDIT_HASH_LEN)
		return false;
	memcpy(host_r, host, (size_t)(by - host));
	host_r[by - host] = '\0';
	return true;
}
