/* Frames between a relay and an auth host, and what an attacker may have edited: the lines
 * of the audit log, the records of the journal. */
#include <stdio.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/link.h"
#include "otpcore/engine/audit_chain.h"
#include "otpcore/engine/journal.h"
#include "tests/fuzz/fuzz.h"

/* What came is sent as it came, in whatever two parts. */
static void check_sending(const struct link_frame *f, const uint8_t *data)
{
	static struct bufferevent *to; /* one for all: it is freed by its loop, which never runs */
	static unsigned char out[13 + LINK_BODY_MAX];
	struct link_frame first = *f;
	size_t n = 0;

	if (!to) {
		to = bufferevent_socket_new(event_base_new(), -1, 0);
		/* Only the bufferevent itself takes out of it, else. */
		FUZZ_CHECK(to && evbuffer_unfreeze(bufferevent_get_output(to), 1) == 0);
	}
	first.len = f->len / 2;
	FUZZ_CHECK(
		link_send(to, &first, (const char *)f->body + first.len, f->len - first.len) == 0);
	n = (size_t)evbuffer_remove(bufferevent_get_output(to), out, sizeof out);
	FUZZ_CHECK(n == 13 + f->len && memcmp(out, data, n) == 0);
}

/* The first byte says in what pieces the rest arrives; frames are the same, whatever
 * they are. */
static size_t read_link(const uint8_t *data, size_t len, size_t piece, int *end_r)
{
	struct evbuffer *in = evbuffer_new();
	struct link_frame f;
	size_t bytes = 0, at = 0;
	int r = 0;

	FUZZ_CHECK(in != NULL);
	while (r >= 0 && at < len) {
		size_t n = piece < len - at ? piece : len - at;

		FUZZ_CHECK(evbuffer_add(in, data + at, n) == 0);
		at += n;
		while ((r = link_next(in, &f)) == 1) {
			FUZZ_CHECK(f.kind >= LINK_CALL && f.kind <= LINK_PONG);
			FUZZ_CHECK(f.len <= LINK_BODY_MAX);
			FUZZ_CHECK(f.len == 0 || memcmp(f.body, data + bytes + 13, f.len) == 0);
			check_sending(&f, data + bytes);
			bytes += 13 + f.len;
			link_done(in, &f);
			FUZZ_CHECK(evbuffer_get_length(in) == at - bytes);
		}
	}
	evbuffer_free(in);
	*end_r = r;
	return bytes;
}

void fuzz_link_frame(const uint8_t *data, size_t len)
{
	int whole = 0, pieces = 0;

	if (len == 0)
		return;
	FUZZ_CHECK(read_link(data + 1, len - 1, len, &whole) ==
		   read_link(data + 1, len - 1, 1 + data[0] % 97, &pieces));
	FUZZ_CHECK(whole == pieces && (whole == 0 || whole == MAG_EPROTO));
}

size_t seed_link_frame(struct dice *d, uint8_t *out)
{
	size_t n = 1;

	out[0] = (uint8_t)dice_roll(d);
	for (size_t i = 0, frames = dice_below(d, 4); i < frames; i++) {
		size_t body = dice_below(d, 40), len = 9 + body;

		out[n] = out[n + 1] = 0;
		out[n + 2] = (uint8_t)(len >> 8);
		out[n + 3] = (uint8_t)len;
		out[n + 4] = (uint8_t)(1 + dice_below(d, 5));
		for (size_t k = 5; k < 4 + len; k++)
			out[n + k] = (uint8_t)dice_roll(d);
		n += 4 + len;
	}
	return n;
}

/* ---- the audit log ---- */

#define RECORDS 6

/* A log of a few records as the broker writes it. */
static const char *log_text(void)
{
	static char text[RECORDS * 256];
	static const char *const said[] = { "start version=0.1", "verdict user=alice service=sshd",
		"send user=alice masked=0134", "verdict user=alice service=sshd verdict=ok",
		"revoke user=bob", "stop" };
	struct audit_chain c = { 0 };
	size_t n = 0;

	for (size_t i = 0; !*text && i < RECORDS; i++) {
		struct mag_buf b;

		mag_buf_init(&b, text + n, sizeof text - n);
		FUZZ_CHECK(audit_chain_append(&c, 1900000000 + (int64_t)i, said[i], &b) == 0);
		n += b.len;
	}
	return text;
}

/* Only a record that follows moves the chain on, and then to what it says itself. */
void fuzz_audit(const uint8_t *data, size_t len)
{
	char *text = fuzz_string(data, len), *p = text, *line;
	unsigned char signature[AUDIT_HASH_LEN];
	struct audit_chain c = { 0 };
	char host[65];

	while ((line = strsep(&p, "\n")) != NULL) {
		struct audit_chain before = c;
		struct audit_record record = { 0 };
		enum audit_fault fault = audit_chain_follow(&c, line, &record);

		if (fault == AUDIT_SOUND) {
			FUZZ_CHECK(c.n == before.n + 1 && record.n == c.n);
			FUZZ_CHECK(memcmp(c.hash, record.hash, AUDIT_HASH_LEN) == 0);
		} else {
			FUZZ_CHECK(memcmp(&c, &before, sizeof c) == 0);
		}
		if (fault != AUDIT_UNREADABLE) {
			FUZZ_CHECK(record.text >= line && record.text <= line + strlen(line));
			FUZZ_CHECK(memchr(record.time, 0, sizeof record.time) != NULL);
			if (audit_head_parse(record.text, host, signature))
				FUZZ_CHECK(memchr(host, 0, sizeof host) != NULL);
		}
	}
	free(text);
}

size_t seed_audit(struct dice *d, uint8_t *out)
{
	static const unsigned char signature[AUDIT_HASH_LEN] = "signature";
	const char *text = log_text();
	size_t n = strlen(text);
	char head[256];
	struct mag_buf b = MAG_BUF(head), line;
	struct audit_chain c = { 0 };

	if (dice_below(d, 2)) {
		audit_head_text("web1", signature, &b);
		mag_buf_init(&line, (char *)out, 1024);
		FUZZ_CHECK(audit_chain_append(&c, 1900000000, head, &line) == 0);
		return line.len;
	}
	memcpy(out, text, n);
	return n;
}

/* ---- the journal ---- */

/* Stands for the keyed hash, quick and known: a mutation may hit it. */
static int sum(const void *arg, const void *data, size_t len, unsigned char mac_r[HASH_LEN])
{
	const unsigned char *p = data;

	(void)arg;
	memset(mac_r, 0, HASH_LEN);
	for (size_t i = 0; i < len; i++)
		mac_r[0] ^= p[i];
	return 0;
}

static const struct journal_key journal_key = { sum, NULL };

struct copied {
	struct journal_chain chain;
	const uint8_t *data;
	size_t n;
};

/* What was read is written once more, and is the same. */
static int copy_fact(const struct journal_fact *f, void *arg)
{
	struct copied *c = arg;
	struct journal_fact copy = *f;
	unsigned char record[JOURNAL_RECORD];

	FUZZ_CHECK((c->n == 0) == (f->kind == JOURNAL_BEGIN) && f->n >= 0);
	FUZZ_CHECK(journal_append(&c->chain, &journal_key, &copy, record) == 0);
	FUZZ_CHECK(memcmp(record, c->data + c->n * JOURNAL_RECORD, sizeof record) == 0);
	FUZZ_CHECK(copy.n == f->n);
	c->n++;
	return 0;
}

void fuzz_journal(const uint8_t *data, size_t len)
{
	struct copied c = { .data = data };
	struct journal_reading r;

	FUZZ_CHECK(journal_read(data, len, &journal_key, copy_fact, &c, &r) == 0);
	FUZZ_CHECK(r.sound == c.n * JOURNAL_RECORD && r.sound <= len);
	FUZZ_CHECK((r.end == JOURNAL_WHOLE) == (r.sound == len));
	FUZZ_CHECK(r.chain.begun == (c.n > 0));
}

size_t seed_journal(struct dice *d, uint8_t *out)
{
	struct journal_chain c = { 0 };
	size_t n = 1 + dice_below(d, 12);

	for (size_t i = 0; i < n; i++) {
		struct journal_fact f = { .kind = i ? 2 + (int64_t)dice_below(d, 3) : JOURNAL_BEGIN,
			.about = (int64_t)dice_below(d, 11),
			.n = i ? (int64_t)dice_below(d, 40) : 0,
			.id = 1 + (int64_t)dice_below(d, 1000),
			.value = (int64_t)dice_roll(d) };

		FUZZ_CHECK(journal_append(&c, &journal_key, &f, out + i * JOURNAL_RECORD) == 0);
	}
	n *= JOURNAL_RECORD;
	return dice_below(d, 3) ? n : n - dice_below(d, JOURNAL_RECORD);
}
