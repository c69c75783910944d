/* H6's exception, its memory: what is the same request, how long, how often. */
#include "broker_room.h"

static const struct proof token = { STRENGTH_HARDWARE_OTP, 2, 0, 77 };

/* A right verify of login `login`; fields may be changed before it is used. */
static struct request *verify(struct room *m, int64_t login)
{
	struct request *r = room_request(m, WIRE_MSG_VERIFY, 33);
	struct wire_verify_req *q = r->body;

	r->peer.pid = 500;
	r->ticket = (struct wire_ticket){ .login = login,
		.account = 8,
		.user = "anna",
		.service = "nginx",
		.rhost = "203.0.113.7",
		.require = "phone-otp" };
	assert_int_equal(mag_secret_set_text(&q->code, "123456"), 0);
	return r;
}

/* Is the second answer had? `change`: how the second request differs. */
static bool had(struct room *m, int64_t login, void (*change)(struct request *r))
{
	struct request *r = verify(m, login);
	struct proof proof = { 0 };
	bool yes;

	if (change)
		change(r);
	yes = twins_take(r, &proof);
	assert_int_equal(proof.token, yes ? token.token : 0);
	assert_int_equal(proof.strength, yes ? token.strength : STRENGTH_NONE);
	request_free(&r);
	return yes;
}

static void remember(struct room *m, int64_t login)
{
	struct request *r = verify(m, login);

	twins_remember(r, &token);
	request_free(&r);
}

static void test_H6_the_twin_is_answered_once(void **state)
{
	struct room m;

	(void)state;
	room_open(&m, "");
	assert_false(had(&m, 2, NULL)); /* nothing was right yet */
	remember(&m, 1);
	assert_false(had(&m, 1, NULL)); /* no twin of itself */
	assert_true(had(&m, 2, NULL));
	assert_true(had(&m, 2, NULL)); /* the same login, decided again */
	assert_false(had(&m, 3, NULL));
	room_close(&m);
}

static void other_uid(struct request *r)
{
	r->peer.uid = 34;
}
static void other_process(struct request *r)
{
	r->peer.pid = 501;
}
static void recycled_process(struct request *r)
{
	r->peer.start = 9;
}
static void other_account(struct request *r)
{
	r->ticket.account = 9;
}
static void other_user(struct request *r)
{
	strcpy(r->ticket.user, "ben");
}
static void other_service(struct request *r)
{
	strcpy(r->ticket.service, "dovecot");
}
static void other_address(struct request *r)
{
	strcpy(r->ticket.rhost, "203.0.113.8");
}
static void moved_boundary(struct request *r)
{
	strcpy(r->ticket.service, "nginx2");
	strcpy(r->ticket.rhost, "03.0.113.7");
}
static void other_requirement(struct request *r)
{
	strcpy(r->ticket.require, "hardware-otp");
}
static void other_code(struct request *r)
{
	struct wire_verify_req *q = r->body;

	assert_int_equal(mag_secret_set_text(&q->code, "123457"), 0);
}
static void other_ref(struct request *r)
{
	struct wire_verify_req *q = r->body;

	q->ref = 4;
}
static void three_seconds(struct request *r)
{
	r->now += 3;
}
static void clock_set_back(struct request *r)
{
	r->now -= 1;
}

static void test_H6_only_the_identical_request_is_a_twin(void **state)
{
	static void (*const changes[])(struct request *) = { other_uid, other_process,
		recycled_process, other_account, other_user, other_service, other_address,
		moved_boundary, other_requirement, other_code, other_ref, three_seconds,
		clock_set_back };
	struct room m;

	(void)state;
	room_open(&m, "");
	remember(&m, 1);
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
		assert_false(had(&m, 2, changes[i]));
	assert_true(had(&m, 2, NULL)); /* those took nothing away */
	room_close(&m);
}

static void test_H6_memory_is_small_and_forgets_the_oldest(void **state)
{
	struct request *r;
	struct room m;

	(void)state;
	room_open(&m, "");
	remember(&m, 1);
	for (int i = 0; i < 64; i++) {
		r = verify(&m, 100 + i);
		r->ticket.account = 1000 + i;
		r->now++;
		twins_remember(r, &token);
		request_free(&r);
	}
	assert_false(had(&m, 2, NULL));
	room_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_H6_the_twin_is_answered_once),
		cmocka_unit_test(test_H6_only_the_identical_request_is_a_twin),
		cmocka_unit_test(test_H6_memory_is_small_and_forgets_the_oldest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
