/* The codec over every message there is, by walking the descriptors; and each
 * way in which a frame can be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/base/verdict.h"
#include "tests/unit/wire_random.h"

static unsigned char frame[WIRE_FRAME_MAX + 1], again[WIRE_FRAME_MAX];

static const struct wire_struct *const loose_structs[] = { &wire_ticket };

static const enum fill fills[] = { FILL_EMPTY, FILL_FULL, FILL_RANDOM, FILL_RANDOM, FILL_RANDOM,
	FILL_RANDOM, FILL_RANDOM, FILL_RANDOM };
#define N_FILLS (sizeof fills / sizeof *fills)

static void *new_object(const struct wire_struct *s)
{
	void *object = calloc(1, s->size);

	assert_non_null(object);
	return object;
}

static void *random_object(struct dice *d, const struct wire_struct *s, enum fill fill)
{
	void *object = new_object(s);

	random_struct(d, s, object, fill);
	return object;
}

static void round_trip_struct(struct dice *d, const struct wire_struct *s, enum fill fill)
{
	void *object = random_object(d, s, fill), *back = new_object(s);
	size_t len = 0, len_again = 0;

	assert_int_equal(wire_encode_struct(s, object, frame, WIRE_FRAME_MAX, &len), 0);
	assert_int_equal(wire_decode_struct(s, frame, len, back), 0);
	assert_true(same_struct(s, object, back));
	assert_int_equal(wire_encode_struct(s, back, again, len, &len_again), 0);
	assert_int_equal(len, len_again);
	assert_memory_equal(frame, again, len);
	if (len > 0)
		assert_int_equal(
			wire_encode_struct(s, back, again, len - 1, &len_again), MAG_ENOSPACE);
	wire_free(s, &object);
	wire_free(s, &back);
	assert_null(back);
}

static void test_every_struct_round_trips(void **state)
{
	struct dice d = { 1 };

	(void)state;
	for (size_t k = 0; k < N_FILLS; k++) {
		for (size_t i = 0; i < wire_n_messages; i++) {
			round_trip_struct(&d, &wire_messages[i].request, fills[k]);
			round_trip_struct(&d, &wire_messages[i].reply, fills[k]);
		}
		for (size_t i = 0; i < sizeof loose_structs / sizeof *loose_structs; i++)
			round_trip_struct(&d, loose_structs[i], fills[k]);
	}
}

static void test_every_request_round_trips(void **state)
{
	struct dice d = { 2 };

	(void)state;
	for (size_t k = 0; k < N_FILLS * wire_n_messages; k++) {
		const struct wire_message *m = &wire_messages[k / N_FILLS], *got = NULL;
		void *request = random_object(&d, &m->request, fills[k % N_FILLS]), *back = NULL;
		size_t len = 0;

		assert_int_equal(wire_encode_request(m->id, request, frame, &len), 0);
		assert_int_equal(wire_decode_request(frame, len, &got, &back), 0);
		assert_ptr_equal(got, m);
		assert_true(same_struct(&m->request, request, back));
		wire_free(&m->request, &request);
		wire_free(&m->request, &back);
	}
}

/* Also proves that the largest reply fits into a frame. */
static void test_every_reply_round_trips(void **state)
{
	struct dice d = { 3 };

	(void)state;
	for (size_t k = 0; k < N_FILLS * wire_n_messages; k++) {
		const struct wire_message *m = &wire_messages[k / N_FILLS];
		void *reply = random_object(&d, &m->reply, fills[k % N_FILLS]);
		void *back = new_object(&m->reply);
		struct wire_result result = { 0, VERDICT_CODE_WRONG, 17, "" }, got = { 0 };
		size_t len = 0;

		random_text(&d, result.detail, sizeof result.detail - 1);
		assert_int_equal(wire_encode_reply(m->id, &result, reply, frame, &len), 0);
		assert_int_equal(wire_decode_reply(frame, len, m->id, &got, back), 0);
		assert_int_equal(got.error, 0);
		assert_int_equal(got.verdict, VERDICT_CODE_WRONG);
		assert_int_equal(got.seconds, 17);
		assert_string_equal(got.detail, result.detail);
		assert_true(same_struct(&m->reply, reply, back));
		wire_free(&m->reply, &reply);
		wire_free(&m->reply, &back);
	}
}

/* The bytes of wire.h's description, written out by hand. */
static void test_bytes_on_the_wire(void **state)
{
	static const unsigned char verify[] = { 0, 1, 0, 3, 0, 2, 0xff, 0, 0, 0, 0, 7, 0, 0, 0, 2,
		0, 3, '1', '2', '3' };
	static const unsigned char skip[] = { 0, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 2, 0x80, 0, 0, 1, 0,
		1, 'd', 0, 8, 'p', 'a', 's', 's', 'w', 'o', 'r', 'd', 0, 0, 0, 1 };
	static const unsigned char refusal[] = { 0, 1, 0, 5, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0 };
	struct wire_verify_req request = { .seq = 7, .ref = 2 };
	struct wire_skip_rep reply = { "password", 1 };
	struct wire_result result = { 0, 2, 0x80000001, "d" };
	size_t len = 0;

	(void)state;
	assert_int_equal(mag_secret_set(&request.txn, "\xff\0", 2), 0);
	assert_int_equal(mag_secret_set_text(&request.code, "123"), 0);
	assert_int_equal(wire_encode_request(WIRE_MSG_VERIFY, &request, frame, &len), 0);
	assert_int_equal(len, sizeof verify);
	assert_memory_equal(frame, verify, len);
	wire_clear(&wire_verify_req, &request);

	assert_int_equal(wire_encode_reply(WIRE_MSG_SKIP, &result, &reply, frame, &len), 0);
	assert_int_equal(len, sizeof skip);
	assert_memory_equal(frame, skip, len);

	result = (struct wire_result){ MAG_EPERM, 0, 0, "" };
	assert_int_equal(wire_encode_reply(WIRE_MSG_SKIP, &result, NULL, frame, &len), 0);
	assert_int_equal(len, sizeof refusal);
	assert_memory_equal(frame, refusal, len);
}

/* Every prefix and every extension of a frame that is right is wrong, and the
 * outputs stay untouched (under ASan: and nothing leaks). */
static void test_cut_and_long_requests_are_refused(void **state)
{
	struct dice d = { 4 };

	(void)state;
	for (size_t i = 0; i < wire_n_messages; i++) {
		const struct wire_message *m = &wire_messages[i], *got = NULL;
		void *request = random_object(&d, &m->request, FILL_RANDOM), *back = NULL;
		size_t len = 0;

		assert_int_equal(wire_encode_request(m->id, request, frame, &len), 0);
		for (size_t cut = 0; cut < len; cut++)
			assert_int_equal(wire_decode_request(frame, cut, &got, &back), MAG_EPROTO);
		frame[len] = 0;
		assert_int_equal(wire_decode_request(frame, len + 1, &got, &back), MAG_EPROTO);
		assert_null(got);
		assert_null(back);
		wire_free(&m->request, &request);
	}
}

static void test_cut_and_long_replies_are_refused(void **state)
{
	struct dice d = { 5 };

	(void)state;
	for (size_t i = 0; i < wire_n_messages; i++) {
		const struct wire_message *m = &wire_messages[i];
		void *reply = random_object(&d, &m->reply, FILL_RANDOM),
		     *back = new_object(&m->reply);
		void *zero = new_object(&m->reply);
		struct wire_result result = { 0, 1, 0, "why" }, got = { -77, 0, 0, "" };
		size_t len = 0, step;

		assert_int_equal(wire_encode_reply(m->id, &result, reply, frame, &len), 0);
		step = 1 + len / 500;
		for (size_t cut = 0; cut < len; cut += step)
			assert_int_equal(
				wire_decode_reply(frame, cut, m->id, &got, back), MAG_EPROTO);
		frame[len] = 0;
		assert_int_equal(wire_decode_reply(frame, len + 1, m->id, &got, back), MAG_EPROTO);
		assert_int_equal(got.error, -77);
		assert_memory_equal(back, zero, m->reply.size);
		wire_free(&m->reply, &reply);
		wire_free(&m->reply, &back);
		free(zero);
	}
}

/* Where field `i` begins in a frame: the length of what stands before it. */
static size_t place_of(const struct wire_struct *s, const void *object, size_t i)
{
	const struct wire_struct before = { s->size, s->first, (uint16_t)i };
	size_t len = 0;

	assert_int_equal(wire_encode_struct(&before, object, again, sizeof again, &len), 0);
	return len;
}

static int decode_changed(const struct wire_struct *s, size_t len)
{
	void *back = new_object(s);
	int r = wire_decode_struct(s, frame, len, back);

	wire_free(s, &back);
	return r;
}

static void put_count(size_t at, size_t n)
{
	frame[at] = (unsigned char)(n >> 8);
	frame[at + 1] = (unsigned char)n;
}

/* What may not stand in a text (RFC 3629). */
static const struct {
	const char *bytes;
	size_t len;
} bad_texts[] = {
	{ "\0", 1 },
	{ "\xff", 1 },
	{ "\x80", 1 },
	{ "\xc0\x80", 2 },
	{ "\xed\xa0\x80", 3 },
	{ "\xf4\x90\x80\x80", 4 },
	{ "\xe2\x82", 2 },
};

static void break_text(
	const struct wire_struct *s, const struct wire_field *f, size_t at, size_t rest)
{
	for (size_t k = 0; k < sizeof bad_texts / sizeof *bad_texts; k++) {
		size_t n = bad_texts[k].len;

		if (n > f->max)
			continue;
		memmove(frame + at + 2 + n, frame + at + 2, rest);
		memcpy(frame + at + 2, bad_texts[k].bytes, n);
		put_count(at, n);
		assert_int_equal(decode_changed(s, at + 2 + n + rest), MAG_EPROTO);
		memmove(frame + at + 2, frame + at + 2 + n, rest);
	}
}

/* One byte, or row, more than the maximum, with the bytes there. */
static void break_maximum(
	const struct wire_struct *s, const struct wire_field *f, size_t at, size_t rest)
{
	size_t n = f->max + 1;
	size_t row = 0;

	if (f->type == WIRE_LIST) {
		void *empty = new_object(&f->row);

		assert_int_equal(wire_encode_struct(&f->row, empty, again, sizeof again, &row), 0);
		free(empty);
		if (at + 2 + n * row + rest > WIRE_FRAME_MAX)
			return;
	} else {
		row = 1;
	}
	memmove(frame + at + 2 + n * row, frame + at + 2, rest);
	memset(frame + at + 2, row == 1 ? 'x' : 0, n * row);
	put_count(at, n);
	assert_int_equal(decode_changed(s, at + 2 + n * row + rest), MAG_EPROTO);
	put_count(at, n - 1);
	memmove(frame + at + 2 + (n - 1) * row, frame + at + 2 + n * row, rest);
	assert_int_equal(decode_changed(s, at + 2 + (n - 1) * row + rest), 0);
}

/* All fields are empty but one, which is wrong in each way its type can be. */
static void break_fields(const struct wire_struct *s)
{
	void *empty = new_object(s);

	for (size_t i = 0; i < s->n_fields; i++) {
		const struct wire_field *f = wire_field_of(s, i);
		size_t at = place_of(s, empty, i), len = 0;

		assert_int_equal(wire_encode_struct(s, empty, frame, WIRE_FRAME_MAX, &len), 0);
		if (f->type == WIRE_U32 || f->type == WIRE_I64)
			continue;
		put_count(at, 0xffff);
		assert_int_equal(decode_changed(s, len), MAG_EPROTO);
		put_count(at, 0);
		if (f->type != WIRE_LIST && f->type != WIRE_BYTES && f->type != WIRE_SEALED)
			break_text(s, f, at, len - at - 2);
		break_maximum(s, f, at, len - at - 2);
	}
	free(empty);
}

static void test_each_field_in_each_wrong_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < wire_n_messages; i++) {
		break_fields(&wire_messages[i].request);
		break_fields(&wire_messages[i].reply);
	}
}

/* Whatever bytes decode are the bytes that encoding makes: no two frames mean
 * the same, so a repeat can be told by its bytes. */
static void test_decoded_frames_are_canonical(void **state)
{
	struct dice d = { 6 };
	unsigned decoded = 0;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		const struct wire_message *m = &wire_messages[round % wire_n_messages], *got = NULL;
		void *request = random_object(&d, &m->request, FILL_EMPTY), *back = NULL;
		size_t len = 0, len_again = 0;

		assert_int_equal(wire_encode_request(m->id, request, frame, &len), 0);
		for (unsigned flips = 0; flips < 3; flips++)
			frame[2 + dice_below(&d, len - 2)] = (unsigned char)dice_roll(&d);
		if (wire_decode_request(frame, len, &got, &back) == 0) {
			decoded++;
			assert_int_equal(wire_encode_request(got->id, back, again, &len_again), 0);
			assert_int_equal(len, len_again);
			assert_memory_equal(frame, again, len);
			wire_free(&got->request, &back);
		}
		wire_free(&m->request, &request);
	}
	assert_true(decoded > 100);
}

/* A frame of heads: version, message, and for replies the result. */
static const struct {
	const char *what;
	unsigned char bytes[24];
	size_t len;
	int request, reply; /* expected of decode_request, decode_reply(skip) */
} heads[] = {
	{ "nothing", { 0 }, 0, MAG_EPROTO, MAG_EPROTO },
	{ "half a version", { 0 }, 1, MAG_EPROTO, MAG_EPROTO },
	{ "no message", { 0, 1, 0 }, 3, MAG_EPROTO, MAG_EPROTO },
	{ "version 0", { 0, 0, 0, 10 }, 4, MAG_EVERSION, MAG_EVERSION },
	{ "version 2", { 0, 2, 0, 10, 9, 9 }, 6, MAG_EVERSION, MAG_EVERSION },
	{ "version 256", { 1, 0 }, 2, MAG_EVERSION, MAG_EVERSION },
	{ "message 0", { 0, 1, 0, 0 }, 4, MAG_EPROTO, MAG_EPROTO },
	{ "message 65535", { 0, 1, 255, 255 }, 4, MAG_EPROTO, MAG_EPROTO },
	{ "a result cut short", { 0, 1, 0, 5, 0, 0, 0, 9, 0, 0 }, 10, 0, MAG_EPROTO },
	{ "an error with fields", { 0, 1, 0, 5, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 19,
		MAG_EPROTO, MAG_EPROTO },
	{ "error 1000", { 0, 1, 0, 5, 0, 0, 3, 232, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 18, MAG_EPROTO,
		MAG_EPROTO },
	{ "error -9", { 0, 1, 0, 5, 255, 255, 255, 247, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 18,
		MAG_EPROTO, MAG_EPROTO },
	{ "an error", { 0, 1, 0, 5, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 18, MAG_EPROTO, 0 },
	{ "another message's reply", { 0, 1, 0, 8, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 18,
		MAG_EPROTO, MAG_EPROTO },
};

static void test_heads(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		const struct wire_message *m = NULL;
		struct wire_skip_rep reply = { 0 };
		struct wire_result result = { 0 };
		void *request = NULL;

		if (wire_decode_request(heads[i].bytes, heads[i].len, &m, &request) !=
			heads[i].request)
			fail_msg("request: %s", heads[i].what);
		if (wire_decode_reply(heads[i].bytes, heads[i].len, WIRE_MSG_SKIP, &result,
			    &reply) != heads[i].reply)
			fail_msg("reply: %s", heads[i].what);
		assert_int_equal(result.error, heads[i].reply == 0 ? MAG_EPERM : 0);
		if (m != NULL)
			wire_free(&m->request, &request);
	}
}

static void test_encoding_refuses_what_cannot_be_sent(void **state)
{
	struct wire_phone_list_rep list = { .n_phones = 4 };
	struct wire_begin_req begin = { .auth_info.len = 4097 };
	struct wire_verify_req verify = { 0 };
	struct wire_ping_rep ping = { 0 };
	struct wire_result ok = { 0, VERDICT_OK, 0, "" }, positive = { 9, 0, 0, "" };
	size_t len = 4711;

	(void)state;
	assert_int_equal(
		wire_encode_reply(WIRE_MSG_PHONE_LIST, &ok, &list, frame, &len), MAG_ERANGE);
	assert_int_equal(wire_encode_request(WIRE_MSG_BEGIN, &begin, frame, &len), MAG_ERANGE);
	begin.auth_info.len = 0;
	strcpy(begin.rhost, "\xff");
	assert_int_equal(wire_encode_request(WIRE_MSG_BEGIN, &begin, frame, &len), MAG_ERANGE);
	memset(begin.rhost, 'x', sizeof begin.rhost); /* not ended */
	assert_int_equal(wire_encode_request(WIRE_MSG_BEGIN, &begin, frame, &len), MAG_ERANGE);
	assert_int_equal(mag_secret_set(&verify.code, "1\0002", 3), 0);
	assert_int_equal(wire_encode_request(WIRE_MSG_VERIFY, &verify, frame, &len), MAG_ERANGE);
	wire_clear(&wire_verify_req, &verify);
	assert_int_equal(wire_encode_request(0, &verify, frame, &len), MAG_EINVAL);
	assert_int_equal(wire_encode_reply(999, &ok, &ping, frame, &len), MAG_EINVAL);
	assert_int_equal(
		wire_encode_reply(WIRE_MSG_PING, &positive, &ping, frame, &len), MAG_ERANGE);
	assert_int_equal(len, 4711);
	ok.error = MAG_EVERSION; /* a message nobody knows can be refused */
	assert_int_equal(wire_encode_reply(999, &ok, NULL, frame, &len), 0);
	assert_int_equal(len, 18);
}

static void test_a_failed_encoding_leaves_no_secret_behind(void **state)
{
	struct wire_verify_req verify = { 0 };
	size_t len = 0;

	(void)state;
	memset(frame, 0, sizeof frame);
	assert_int_equal(mag_secret_set_text(&verify.txn, "canary"), 0);
	assert_int_equal(mag_secret_set(&verify.code, "\xff", 1), 0);
	assert_int_equal(wire_encode_request(WIRE_MSG_VERIFY, &verify, frame, &len), MAG_ERANGE);
	assert_null(memmem(frame, sizeof frame, "canary", 6));
	wire_clear(&wire_verify_req, &verify);
}

static void test_clear_leaves_zeros(void **state)
{
	struct dice d = { 7 };

	(void)state;
	for (size_t i = 0; i < wire_n_messages; i++) {
		const struct wire_struct *s = &wire_messages[i].reply;
		unsigned char *object = random_object(&d, s, FILL_FULL), *zero = new_object(s);

		wire_clear(s, object);
		assert_memory_equal(object, zero, s->size);
		free(object);
		free(zero);
	}
	wire_clear(&wire_ticket, NULL);
}

static void test_gate_fields(void **state)
{
	struct wire_begin_req begin = { .user = "anna", .service = "sshd" };
	struct wire_send_req send = { 0 };

	(void)state;
	assert_string_equal(wire_text_of_type(&wire_begin_req, &begin, WIRE_ACCOUNT), "anna");
	assert_string_equal(wire_text_of_type(&wire_begin_req, &begin, WIRE_SERVICE), "sshd");
	assert_null(wire_text_of_type(&wire_send_req, &send, WIRE_ACCOUNT));
	assert_null(wire_message_by_id(0));
	for (size_t i = 0; i < wire_n_messages; i++)
		assert_ptr_equal(wire_message_by_id(wire_messages[i].id), &wire_messages[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_struct_round_trips),
		cmocka_unit_test(test_every_request_round_trips),
		cmocka_unit_test(test_every_reply_round_trips),
		cmocka_unit_test(test_bytes_on_the_wire),
		cmocka_unit_test(test_cut_and_long_requests_are_refused),
		cmocka_unit_test(test_cut_and_long_replies_are_refused),
		cmocka_unit_test(test_each_field_in_each_wrong_way),
		cmocka_unit_test(test_decoded_frames_are_canonical),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_encoding_refuses_what_cannot_be_sent),
		cmocka_unit_test(test_a_failed_encoding_leaves_no_secret_behind),
		cmocka_unit_test(test_clear_leaves_zeros),
		cmocka_unit_test(test_gate_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
