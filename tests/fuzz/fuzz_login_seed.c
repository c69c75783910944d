/* Scripts for fuzz_login.c to begin with: logins that are right, or nearly. */
#include <stdbool.h>
#include <stdio.h>

#include "otpcore/base/verdict.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/login_script.h"

static size_t put_record(uint8_t *out, enum says what, const void *data, size_t len)
{
	out[0] = (uint8_t)what;
	out[1] = (uint8_t)(len >> 8);
	out[2] = (uint8_t)len;
	if (len > 0)
		memcpy(out + 3, data, len);
	return 3 + len;
}

static size_t put_typed(uint8_t *out, const char *text)
{
	return put_record(out, SAYS_TYPED, text, strlen(text));
}

static size_t put_reply(uint8_t *out, uint16_t id, unsigned verdict, const void *reply)
{
	static uint8_t frame[WIRE_FRAME_MAX];
	const struct wire_result result = { .verdict = verdict, .seconds = verdict % 3 };
	size_t len = 0;

	FUZZ_CHECK(wire_encode_reply(id, &result, reply, frame, &len) == 0);
	return put_record(out, SAYS_REPLY, frame, len);
}

static void add_factor(struct wire_begin_rep *a, const char *kind, const char *channel)
{
	static const char *const states[] = { "active", "active", "locked", "suspended" };
	struct wire_factor *x = &a->factors[a->n_factors++];

	x->ref = (uint32_t)a->n_factors;
	strcpy(x->kind, kind);
	strcpy(x->channel, channel);
	strcpy(x->channels, *channel ? "sms voice" : "");
	strcpy(x->masked, "0134");
	strcpy(x->state, *channel ? "active" : states[a->takes % 4]);
	x->is_default = a->n_factors == 1;
}

static size_t put_begin(struct dice *d, uint8_t *out)
{
	static const char *const modes[] = { "separate", "short", "separate", "combined", "none" };
	static const char *const languages[] = { "en", "de", "fr", "ja", "es", "xx" };
	static struct wire_begin_rep a;
	size_t n;

	memset(&a, 0, sizeof a);
	a.decision = dice_below(d, 3) ? DECISION_ASK : (uint32_t)dice_below(d, 8);
	if (dice_below(d, 4) == 0)
		a.decision = DECISION_ENROLL;
	strcpy(a.mode, modes[dice_below(d, 5)]);
	strcpy(a.require, "phone-otp");
	strcpy(a.host, "web1");
	strcpy(a.separator, "comma");
	strcpy(a.language, languages[dice_below(d, 6)]);
	a.code_digits = 6;
	a.code_validity = 120;
	a.skip = (uint32_t)dice_below(d, 2);
	a.autosend = (uint32_t)dice_below(d, 2);
	a.takes = (uint32_t)dice_below(d, 8);
	if (dice_below(d, 2))
		add_factor(&a, "phone", "sms");
	if (dice_below(d, 2))
		add_factor(&a, "phone", "voice");
	if (dice_below(d, 3) == 0)
		add_factor(&a, "token", "");
	if (dice_below(d, 4) == 0)
		add_factor(&a, "mobile", "");
	FUZZ_CHECK(mag_secret_set_text(&a.txn, "ticket") == 0);
	n = put_reply(out, WIRE_MSG_BEGIN, VERDICT_OK, &a);
	wire_clear(&wire_begin_rep, &a);
	return n;
}

/* What the next answers are made of does not depend on the question: a reply is taken
 * for whatever was asked, and mostly fits where the fields are the same. */
static size_t put_step(struct dice *d, uint8_t *out)
{
	static const uint16_t ids[] = { WIRE_MSG_SEND, WIRE_MSG_VERIFY, WIRE_MSG_VERIFY,
		WIRE_MSG_FATE, WIRE_MSG_RESYNC, WIRE_MSG_SKIP, WIRE_MSG_ENROLL_KEY,
		WIRE_MSG_ENROLL_PHONE, WIRE_MSG_ENROLL_VERIFY, WIRE_MSG_ENROLL_TOKEN,
		WIRE_MSG_ENROLL_MOBILE };
	const struct wire_message *m = wire_message_by_id(ids[dice_below(d, 11)]);
	void *reply = calloc(1, m->reply.size);
	unsigned verdict = dice_below(d, 2) ? VERDICT_OK : (unsigned)dice_below(d, 48);
	size_t n;

	FUZZ_CHECK(reply != NULL);
	random_struct(d, &m->reply, reply, dice_below(d, 2) ? FILL_RANDOM : FILL_EMPTY);
	n = put_reply(out, m->id, verdict, reply);
	wire_free(&m->reply, &reply);
	return n;
}

/* Verdicts that lead on, mostly; then a byte for each field. */
static size_t put_fitting(struct dice *d, uint8_t *out)
{
	static const uint8_t verdicts[] = { VERDICT_CODE_WRONG, VERDICT_CODE_EXPIRED,
		VERDICT_CODE_USED, VERDICT_NO_CODE_PENDING, VERDICT_TRY_LATER, VERDICT_TOKEN_LOCKED,
		VERDICT_TRIES_EXCEEDED, VERDICT_SEND_LIMITED, VERDICT_SEND_FAILED,
		VERDICT_CODES_WRONG, VERDICT_KEY_MISTYPED, VERDICT_KEY_UNKNOWN,
		VERDICT_PHONE_INVALID, VERDICT_SERIAL_UNKNOWN };
	uint8_t bytes[120];
	size_t n = 2 + dice_below(d, sizeof bytes - 2);

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)dice_below(d, dice_below(d, 6) ? 40 : 256);
	if (dice_below(d, 6))
		bytes[0] = dice_below(d, 2) ? VERDICT_OK : verdicts[dice_below(d, sizeof verdicts)];
	return put_record(out, SAYS_FITS, bytes, n);
}

static size_t put_fixed(uint8_t *out, const uint8_t *fields, size_t n)
{
	return put_record(out, SAYS_FITS, fields, n);
}

/* An app is set up, its address drawn as a picture. */
static size_t put_picture(struct dice *d, uint8_t *out)
{
	static struct wire_begin_rep a = { .decision = DECISION_ENROLL, .takes = TAKES_APP };
	const uint8_t address[] = { VERDICT_OK, 0, (uint8_t)dice_below(d, 255) };
	const uint8_t picture[] = { VERDICT_OK, 0, 9, (uint8_t)dice_below(d, 99) };
	size_t n = put_reply(out, WIRE_MSG_BEGIN, VERDICT_OK, &a);

	n += put_fixed(out + n, address, sizeof address);
	n += put_typed(out + n, "q");
	n += put_fixed(out + n, picture, sizeof picture);
	n += put_typed(out + n, dice_below(d, 2) ? "q" : "483920");
	return n + put_fitting(d, out + n);
}

/* A token is put right, or set up: two codes of it. */
static size_t put_two_codes(struct dice *d, uint8_t *out)
{
	static const uint8_t verdicts[] = { VERDICT_OK, VERDICT_CODES_WRONG, VERDICT_SERIAL_UNKNOWN,
		VERDICT_NOT_ALLOWED, VERDICT_REQUIREMENTS_NOT_MET, VERDICT_TOKEN_LOCKED };
	static struct wire_begin_rep a;
	const uint8_t taken[] = { VERDICT_OK, 0 };
	const uint8_t judged[] = { verdicts[dice_below(d, 6)], 0, 0, 1, (uint8_t)dice_below(d, 4) };
	bool new = dice_below(d, 2);
	size_t n;

	memset(&a, 0, sizeof a);
	a.decision = new ? DECISION_ENROLL : DECISION_ASK;
	a.takes = TAKES_TOKEN;
	strcpy(a.mode, "separate");
	if (!new)
		add_factor(&a, "token", "");
	if (!new)
		strcpy(a.factors[0].state, dice_below(d, 2) ? "locked" : "suspended");
	n = put_reply(out, WIRE_MSG_BEGIN, VERDICT_OK, &a);
	n += put_typed(out + n, new ? "A100" : "1");
	if (new)
		n += put_fixed(out + n, taken, sizeof taken);
	for (unsigned i = 0; i < 2; i++)
		n += put_typed(out + n, dice_below(d, 9) ? "483920" : "m");
	return n + put_fixed(out + n, judged, sizeof judged);
}

size_t seed_login(struct dice *d, uint8_t *out)
{
	static const char *const typed[] = { "1", "2", "", "483920", "111111", "r", "v", "t", "m",
		"s", "n", "q", "A100", "+1 202 555 0134", "KVXA-2222-2222-2222-2222-2222", "9",
		"abcd-efgh-ijkl" };
	size_t n = 1;

	out[0] = (uint8_t)dice_roll(d);
	if (dice_below(d, 20) == 0)
		return n + put_picture(d, out + n);
	if (dice_below(d, 20) == 0)
		return n + put_two_codes(d, out + n);
	n += dice_below(d, 4) ? put_begin(d, out + n) : put_fitting(d, out + n);
	for (size_t i = 0, steps = 1 + dice_below(d, 12); i < steps; i++) {
		const char *first = i == 0 ? "1" : "483920";

		n += put_typed(out + n, dice_below(d, 2) ? first : typed[dice_below(d, 17)]);
		n += dice_below(d, 4) ? put_fitting(d, out + n) : put_step(d, out + n);
		if (dice_below(d, 12) == 0)
			n += put_record(out + n, SAYS_HANG_UP, NULL, 0);
		if (dice_below(d, 20) == 0)
			n += put_record(out + n, SAYS_REFUSES, NULL, 0);
	}
	return n;
}
