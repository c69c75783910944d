/* Replies that a client can read, whatever the bytes are that they are made of: a fuzzer
 * that had to guess the wire's own form would rarely come to what is behind it. */
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "tests/fuzz/fuzz.h"

struct choice {
	const uint8_t *at, *end;
};

static unsigned choose(struct choice *c)
{
	return c->at < c->end ? *c->at++ : 0;
}

/* What may stand in a field of that name; the last row: in any other. */
static const struct {
	const char *field, *words[24];
} rows[] = {
	{ "kind", { "phone", "token", "mobile", "recovery" } },
	{ "state", { "active", "locked", "suspended", "active" } },
	{ "mode", { "separate", "short", "combined", "none" } },
	{ "channel", { "sms", "voice", "", "email" } },
	{ "channels", { "sms voice", "sms", "voice", "" } },
	{ "separator", { "comma", "none" } },
	{ "language", { "en", "de", "fr", "es", "ja", "xx" } },
	{ "product", { "phone-us", "phone-intl", "hardware", "mobile", "mobile-hardware", "x" } },
	{ "strength", { "phone-otp", "", "token-otp", "password" } },
	{ "masked", { "0134", "", "5551", "A100" } },
	{ "id", { "phone-expired", "carrier-charge", "token-locked", "token-expired",
			"phone-expires", "password-expires", "licence-expires", "x" } },
	{ "what", { "0134", "", "A100", "5551" } },
	{ NULL, { "", "US", "phone-otp", "web1.example.org", "Ann Example", "help desk 555",
			"\xe2\x82\xac\x1b[2J", "+12025550134", "A100", "0134", "sms" } },
};

static void choose_text(struct choice *c, const struct wire_field *f, char *text)
{
	size_t row = 0, n = 0;

	while (rows[row].field && !mag_streq(rows[row].field, f->name))
		row++;
	while (n < sizeof rows->words / sizeof *rows->words && rows[row].words[n])
		n++;
	mag_copy(text, f->max + 1, rows[row].words[choose(c) % n]);
}

/* Tickets, addresses (the length is the input's) and pictures (as wide as the field before
 * says). */
static void choose_secret(
	struct choice *c, const struct wire_field *f, uint32_t width, struct mag_secret *s)
{
	static unsigned char bytes[1024];
	size_t n = strlen("ticket");

	if (mag_streq(f->name, "qr"))
		n = width < 90 ? ((size_t)width * width + 7) / 8 : 0;
	else if (!mag_streq(f->name, "txn"))
		n = 2 * (size_t)choose(c);
	for (size_t i = 0; i < n && i < sizeof bytes; i++)
		bytes[i] = (unsigned char)"ticket"[i % 6];
	if (n > 0 && n <= f->max && n <= sizeof bytes)
		FUZZ_CHECK(mag_secret_set(s, bytes, n) == 0);
}

static uint32_t choose_number(struct choice *c, const struct wire_field *f)
{
	static const struct {
		const char *field;
		unsigned below;
	} few[] = { { "decision", 8 }, { "takes", 16 }, { "delivery", 6 }, { "skip", 2 },
		{ "autosend", 2 }, { "reused", 2 }, { "is_default", 2 }, { "tries_left", 4 } };
	unsigned n = choose(c);

	for (size_t i = 0; i < sizeof few / sizeof *few; i++)
		if (mag_streq(f->name, few[i].field))
			return n % few[i].below;
	return n;
}

static void choose_struct(struct choice *c, const struct wire_struct *s, void *object)
{
	uint32_t number = 0;

	for (size_t i = 0; i < s->n_fields; i++) {
		const struct wire_field *f = wire_field_of(s, i);
		unsigned char *p = (unsigned char *)object + f->offset;
		int64_t wide;
		size_t n;

		switch (f->type) {
		case WIRE_U32:
			number = choose_number(c, f);
			memcpy(p, &number, sizeof number);
			break;
		case WIRE_I64:
			wide = INT64_C(31557600) * choose(c);
			memcpy(p, &wide, sizeof wide);
			break;
		case WIRE_TEXT:
		case WIRE_ACCOUNT:
		case WIRE_SERVICE:
			choose_text(c, f, (char *)p);
			break;
		case WIRE_SECRET:
		case WIRE_SEALED:
			choose_secret(c, f, number, (void *)p);
			break;
		case WIRE_LIST:
			n = choose(c) % 5;
			n = n < f->max ? n : f->max;
			memcpy((unsigned char *)object + f->count_offset, &n, sizeof n);
			for (size_t k = 0; k < n; k++)
				choose_struct(c, &f->row, p + k * f->row.size);
			break;
		case WIRE_BYTES:
			break;
		}
	}
}

size_t fuzz_fitting_reply(
	const struct wire_message *m, const uint8_t *data, size_t len, uint8_t *out)
{
	static const int errors[] = { MAG_EPERM, MAG_ESTALE, MAG_EDOWN, MAG_EBUSY };
	struct choice c = { data, data + len };
	void *reply = calloc(1, m->reply.size);
	struct wire_result result = { 0 };
	size_t out_len = 0;

	FUZZ_CHECK(reply != NULL);
	result.verdict = choose(&c);
	if (result.verdict < 240)
		result.verdict %= 64; /* all there are, and some that are not */
	result.seconds = choose(&c);
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (result.verdict == 255 - i)
			result.error = errors[i];
	choose_struct(&c, &m->reply, reply);
	FUZZ_CHECK(wire_encode_reply(m->id, &result, reply, out, &out_len) == 0);
	wire_free(&m->reply, &reply);
	return out_len;
}
