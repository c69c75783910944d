#include "otpcore/engine/journal.h"

#include <endian.h>
#include <string.h>

#include "otpcore/base/err.h"

#define BODY   (JOURNAL_RECORD - JOURNAL_MAC)
#define DOMAIN "magotp journal 1"

static unsigned char *put(unsigned char *p, int64_t value)
{
	uint64_t big = htobe64((uint64_t)value);

	memcpy(p, &big, sizeof big);
	return p + sizeof big;
}

static const unsigned char *get(const unsigned char *p, int64_t *value_r)
{
	uint64_t big;

	memcpy(&big, p, sizeof big);
	*value_r = (int64_t)be64toh(big);
	return p + sizeof big;
}

/* Kind and about share the first eight bytes. */
static void encode(const struct journal_fact *f, unsigned char body_r[BODY])
{
	unsigned char *p = put(body_r, (int64_t)((uint64_t)f->kind << 32 | (uint64_t)f->about));
	const int64_t rest[] = { f->n, f->id, f->value, f->more, f->at };

	for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
		p = put(p, rest[i]);
}

static void decode(const unsigned char body[BODY], struct journal_fact *f_r)
{
	int64_t *const rest[] = { &f_r->n, &f_r->id, &f_r->value, &f_r->more, &f_r->at };
	int64_t first;
	const unsigned char *p = get(body, &first);

	f_r->kind = (int64_t)((uint64_t)first >> 32);
	f_r->about = first & 0xffffffff;
	for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
		p = get(p, rest[i]);
}

/* Of what the key is used for, the hash before and the record. */
static int mac_of(const struct journal_chain *c, const struct journal_key *key,
	const unsigned char body[BODY], unsigned char mac_r[JOURNAL_MAC])
{
	unsigned char bytes[sizeof DOMAIN + JOURNAL_MAC + BODY], hash[HASH_LEN];
	int r;

	memcpy(bytes, DOMAIN, sizeof DOMAIN);
	memcpy(bytes + sizeof DOMAIN, c->mac, JOURNAL_MAC);
	memcpy(bytes + sizeof DOMAIN + JOURNAL_MAC, body, BODY);
	r = key->mac(key->arg, bytes, sizeof bytes, hash);
	if (!r)
		memcpy(mac_r, hash, JOURNAL_MAC);
	return r;
}

/* Only the first one begins a journal, and its number is none that others have. */
static bool fits(const struct journal_chain *c, const struct journal_fact *f)
{
	if (!c->begun)
		return f->kind == JOURNAL_BEGIN && f->n == 0 && f->id > 0;
	return f->kind > JOURNAL_BEGIN && f->n > c->n;
}

static void move_on(
	struct journal_chain *c, const struct journal_fact *f, const unsigned char mac[JOURNAL_MAC])
{
	if (!c->begun)
		c->id = f->id;
	c->begun = true;
	c->n = f->n;
	memcpy(c->mac, mac, JOURNAL_MAC);
}

int journal_append(struct journal_chain *c, const struct journal_key *key, struct journal_fact *f,
	unsigned char record_r[JOURNAL_RECORD])
{
	struct journal_fact next = *f;
	unsigned char record[JOURNAL_RECORD];
	int r;

	if (c->n == JOURNAL_LAST)
		return MAG_EINVAL;
	if (c->begun && next.n <= c->n)
		next.n = c->n + 1;
	if (!fits(c, &next))
		return MAG_EINVAL;
	encode(&next, record);
	r = mac_of(c, key, record, record + BODY);
	if (r)
		return r;
	move_on(c, &next, record + BODY);
	*f = next;
	memcpy(record_r, record, sizeof record);
	return 0;
}

/* What a crash leaves: less than a record, or room that nothing was written into. */
static bool torn(const unsigned char *p, size_t len)
{
	if (len < JOURNAL_RECORD)
		return true;
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

int journal_read(const unsigned char *data, size_t len, const struct journal_key *key,
	journal_fact_fn *fn, void *arg, struct journal_reading *reading_r)
{
	struct journal_reading reading = { .end = JOURNAL_WHOLE };
	int r = 0;

	while (!r && reading.sound < len) {
		const unsigned char *p = data + reading.sound;
		unsigned char mac[JOURNAL_MAC];
		struct journal_fact f;

		reading.end = torn(p, len - reading.sound) ? JOURNAL_TORN : JOURNAL_DAMAGED;
		if (reading.end == JOURNAL_TORN)
			break;
		decode(p, &f);
		r = mac_of(&reading.chain, key, p, mac);
		if (r || memcmp(mac, p + BODY, sizeof mac) != 0 || !fits(&reading.chain, &f))
			break;
		reading.end = JOURNAL_WHOLE;
		reading.sound += JOURNAL_RECORD;
		if (!reading.chain.begun)
			reading.begun_at = f.at;
		move_on(&reading.chain, &f, mac);
		r = fn(&f, arg);
	}
	if (!r)
		*reading_r = reading;
	return r;
}
