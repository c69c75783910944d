/* Frames and tickets: what decodes is what encoding makes. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/seal/seal.h"
#include "otpcore/base/secret.h"
#include "tests/fuzz/fuzz.h"

static unsigned char again[WIRE_FRAME_MAX];

void fuzz_wire_request(const uint8_t *data, size_t len)
{
	const struct wire_message *m = NULL;
	void *request = NULL;
	size_t n = 0;
	int r = wire_decode_request(data, len, &m, &request);

	if (r < 0) {
		FUZZ_CHECK(m == NULL && request == NULL);
		FUZZ_CHECK(r == MAG_EPROTO || r == MAG_EVERSION);
		return;
	}
	FUZZ_CHECK(wire_encode_request(m->id, request, again, &n) == 0);
	FUZZ_CHECK(n == len && memcmp(data, again, n) == 0);
	wire_free(&m->request, &request);
}

size_t seed_wire_request(struct dice *d, uint8_t *out)
{
	const struct wire_message *m = &wire_messages[dice_below(d, wire_n_messages)];
	void *request = calloc(1, m->request.size);
	size_t n = 0;

	random_struct(d, &m->request, request, dice_below(d, 3) ? FILL_EMPTY : FILL_RANDOM);
	wire_encode_request(m->id, request, out, &n);
	wire_free(&m->request, &request);
	return n;
}

void fuzz_wire_reply(const uint8_t *data, size_t len)
{
	/* The client knows which message it waits for: here the frame says. */
	uint16_t id = len >= 4 ? (uint16_t)(data[2] << 8 | data[3]) : 0;
	const struct wire_message *m = wire_message_by_id(id);
	struct wire_result result = { 0, 0, 0, "" };
	void *reply;
	size_t n = 0;

	if (m == NULL)
		return;
	reply = calloc(1, m->reply.size);
	if (wire_decode_reply(data, len, id, &result, reply) == 0) {
		FUZZ_CHECK(result.error <= 0);
		FUZZ_CHECK(wire_encode_reply(id, &result, reply, again, &n) == 0);
		FUZZ_CHECK(n == len && memcmp(data, again, n) == 0);
	}
	wire_free(&m->reply, &reply);
}

size_t seed_wire_reply(struct dice *d, uint8_t *out)
{
	const struct wire_message *m = &wire_messages[dice_below(d, wire_n_messages)];
	void *reply = calloc(1, m->reply.size);
	struct wire_result result = { dice_below(d, 4) ? 0 : MAG_EPERM, 1, 0, "detail" };
	size_t n = 0;

	random_struct(d, &m->reply, reply, dice_below(d, 3) ? FILL_EMPTY : FILL_RANDOM);
	wire_encode_reply(m->id, &result, reply, out, &n);
	wire_free(&m->reply, &reply);
	return n;
}

/* A key of this process only. */
static const struct keyring *ring(void)
{
	static struct keyring *k;
	char dir[] = "/tmp/magotp-fuzz-XXXXXX", path[64], source[80];

	if (k != NULL)
		return k;
	FUZZ_CHECK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof path, "%s/key", dir);
	snprintf(source, sizeof source, "file:%s", path);
	FUZZ_CHECK(keyring_create(path) == 0);
	FUZZ_CHECK(keyring_open(source, &k) == 0);
	unlink(path);
	rmdir(dir);
	return k;
}

/* The one sealed ticket that may open: a mutation can undo what the seed broke. */
static unsigned char right[4096];
static size_t right_len;

/* As a sealed ticket, other bytes than those of `right` never open; as what is
 * inside, they may decode. The first byte chooses. */
void fuzz_ticket(const uint8_t *data, size_t len)
{
	struct wire_ticket ticket = { 0 };
	struct mag_secret clear = { 0 };
	size_t n = 0;

	if (len == 0)
		return;
	if (data[0] & 1) {
		int r = seal_open_bytes(ring(), "ticket", data + 1, len - 1, &clear);

		FUZZ_CHECK(
			r < 0 || (len - 1 == right_len && memcmp(data + 1, right, right_len) == 0));
		FUZZ_CHECK(r == 0 || clear.data == NULL);
	} else if (wire_decode_struct(&wire_ticket, data + 1, len - 1, &ticket) == 0) {
		FUZZ_CHECK(wire_encode_struct(&wire_ticket, &ticket, again, sizeof again, &n) == 0);
		FUZZ_CHECK(n == len - 1 && memcmp(data + 1, again, n) == 0);
	}
	mag_secret_free(&clear);
	wire_clear(&wire_ticket, &ticket);
}

size_t seed_ticket(struct dice *d, uint8_t *out)
{
	struct wire_ticket ticket = { 0 };
	size_t n = 0, sealed = 0;

	random_struct(d, &wire_ticket, &ticket, FILL_RANDOM);
	out[0] = (uint8_t)dice_roll(d);
	wire_encode_struct(&wire_ticket, &ticket, again, sizeof again, &n);
	if (!(out[0] & 1)) {
		memcpy(out + 1, again, n);
		return n + 1;
	}
	/* One bit of a ticket that was right. */
	FUZZ_CHECK(seal_bytes(ring(), "ticket", again, n, right, sizeof right, &sealed) == 0);
	right_len = sealed;
	memcpy(out + 1, right, sealed);
	out[1 + dice_below(d, sealed)] ^= (uint8_t)(1 << dice_below(d, 8));
	return sealed + 1;
}
