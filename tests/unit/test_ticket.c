#include "broker_room.h"

static const struct wire_ticket sample = { .login = 7,
	.account = 8,
	.user = "anna",
	.service = "sshd",
	.host = "host1",
	.rhost = "203.0.113.7",
	.peer_uid = 33,
	.require = "phone-otp",
	.sid = -1,
	.started_at = ROOM_NOW };

static int open_at(struct room *m, const struct mag_secret *txn, int64_t now)
{
	struct wire_ticket t = { .login = 1 };
	struct request *r = room_request(m, WIRE_MSG_SEND, 0);
	int res;

	r->now = now;
	res = ticket_open(r, txn, &t);
	request_free(&r);
	return res;
}

static void seal_sample(struct room *m, const struct wire_ticket *t, struct mag_secret *txn)
{
	struct request *r = room_request(m, WIRE_MSG_BEGIN, 0);

	assert_int_equal(ticket_seal(r, t, txn), 0);
	request_free(&r);
}

static void test_what_was_sealed_comes_back(void **state)
{
	struct mag_secret txn = { 0 };
	struct wire_ticket t = { 0 };
	struct request *r;
	struct room m;

	(void)state;
	room_open(&m, "");
	seal_sample(&m, &sample, &txn);
	r = room_request(&m, WIRE_MSG_SEND, 0);
	assert_int_equal(ticket_open(r, &txn, &t), 0);
	request_free(&r);
	assert_memory_equal(&t, &sample, sizeof t);
	mag_secret_free(&txn);
	room_close(&m);
}

static void test_threat_14_ticket_is_dead_after_ten_minutes(void **state)
{
	struct mag_secret txn = { 0 };
	struct room m;

	(void)state;
	room_open(&m, "");
	seal_sample(&m, &sample, &txn);
	assert_int_equal(open_at(&m, &txn, ROOM_NOW + 599), 0);
	assert_int_equal(open_at(&m, &txn, ROOM_NOW + 600), MAG_ESTALE);
	/* A clock that was set back by an hour makes none of it younger. */
	assert_int_equal(open_at(&m, &txn, ROOM_NOW - 3600), MAG_ESTALE);
	mag_secret_free(&txn);
	room_close(&m);
}

static void test_every_changed_byte_makes_it_none(void **state)
{
	struct mag_secret txn = { 0 };
	struct room m;
	size_t whole;

	(void)state;
	room_open(&m, "");
	seal_sample(&m, &sample, &txn);
	whole = txn.len;
	for (size_t i = 0; i < txn.len; i++) {
		txn.data[i] ^= 0x40;
		assert_int_equal(open_at(&m, &txn, ROOM_NOW), MAG_ESTALE);
		txn.data[i] ^= 0x40;
	}
	for (; txn.len > 0; txn.len--)
		if (txn.len != whole)
			assert_int_equal(open_at(&m, &txn, ROOM_NOW), MAG_ESTALE);
	assert_int_equal(open_at(&m, &txn, ROOM_NOW), MAG_ESTALE);
	mag_secret_free(&txn);
	room_close(&m);
}

static void test_of_another_host_or_key_is_none(void **state)
{
	struct mag_secret txn = { 0 };
	struct room m, other;

	(void)state;
	room_open(&m, "");
	room_open(&other, "");
	seal_sample(&m, &sample, &txn);
	assert_int_equal(open_at(&other, &txn, ROOM_NOW), MAG_ESTALE);
	strcpy(m.broker.host, "host2");
	assert_int_equal(open_at(&m, &txn, ROOM_NOW), MAG_ESTALE);
	mag_secret_free(&txn);
	room_close(&m);
	room_close(&other);
}

/* What a ticket holds at the most must still fit what messages carry. */
static void test_the_longest_ticket_fits(void **state)
{
	struct wire_ticket t = sample;
	struct mag_secret txn = { 0 };
	struct room m;

	(void)state;
	room_open(&m, "");
	memset(t.user, 'u', sizeof t.user - 1);
	memset(t.parent, 'p', sizeof t.parent - 1);
	memset(t.service, 's', sizeof t.service - 1);
	memset(t.rhost, 'r', sizeof t.rhost - 1);
	memset(t.tty, 't', sizeof t.tty - 1);
	memset(t.host, 'h', sizeof t.host - 1);
	memset(t.require, 'q', sizeof t.require - 1);
	seal_sample(&m, &t, &txn);
	assert_in_range(txn.len, 1, 1536);
	mag_secret_free(&txn);
	room_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_sealed_comes_back),
		cmocka_unit_test(test_threat_14_ticket_is_dead_after_ten_minutes),
		cmocka_unit_test(test_every_changed_byte_makes_it_none),
		cmocka_unit_test(test_of_another_host_or_key_is_none),
		cmocka_unit_test(test_the_longest_ticket_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
