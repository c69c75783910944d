/* Frames of links, whole and in pieces; and which services and accounts fit a relay's
 * words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/link.h"
#include "otpcore/broker/remote_gate.h"

static void add(struct evbuffer *b, size_t len, int kind, const char *body)
{
	unsigned char head[13] = { (unsigned char)(len >> 24), (unsigned char)(len >> 16),
		(unsigned char)(len >> 8), (unsigned char)len, (unsigned char)kind };

	head[12] = 7;
	evbuffer_add(b, head, sizeof head);
	evbuffer_add(b, body, strlen(body));
}

static void test_frames_come_in_pieces(void **state)
{
	struct evbuffer *whole = evbuffer_new(), *in = evbuffer_new();
	struct link_frame f;
	unsigned char byte;

	(void)state;
	add(whole, 9 + 5, LINK_ANSWER, "hello");
	add(whole, 9, LINK_PING, "");
	for (int frames = 0, n = 0; evbuffer_remove(whole, &byte, 1) == 1;) {
		evbuffer_add(in, &byte, 1);
		n++;
		if (link_next(in, &f) == 0)
			continue;
		assert_int_equal(n, frames == 0 ? 18 : 31);
		assert_int_equal(f.number, 7);
		assert_int_equal(f.kind, frames == 0 ? LINK_ANSWER : LINK_PING);
		assert_int_equal(f.len, frames == 0 ? 5 : 0);
		if (frames++ == 0)
			assert_memory_equal(f.body, "hello", 5);
		link_done(in, &f);
		assert_int_equal(evbuffer_get_length(in), 0);
	}
	evbuffer_free(whole);
	evbuffer_free(in);
}

static void test_what_is_no_frame_is_refused_at_its_head(void **state)
{
	static const struct {
		size_t len;
		int kind;
	} bad[] = { { 8, LINK_CALL }, { 0, LINK_CALL }, { 9 + LINK_BODY_MAX + 1, LINK_CALL },
		{ 0xffffffff, LINK_PING }, { 9, 0 }, { 9, LINK_PONG + 1 }, { 9, 255 } };
	struct link_frame f;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct evbuffer *in = evbuffer_new();

		add(in, bad[i].len, bad[i].kind, "");
		assert_int_equal(link_next(in, &f), MAG_EPROTO);
		evbuffer_free(in);
	}
}

static void test_what_is_sent_is_what_comes(void **state)
{
	struct event_base *base = event_base_new();
	struct bufferevent *pair[2];
	struct link_frame f = { LINK_CALL, UINT64_MAX - 1, (const unsigned char *)"ab", 2 }, got;
	int n = 0;

	(void)state;
	assert_int_equal(bufferevent_pair_new(base, 0, pair), 0);
	bufferevent_enable(pair[1], EV_READ);
	assert_int_equal(link_send(pair[0], &f, "cdef", 4), 0);
	while ((n = link_next(bufferevent_get_input(pair[1]), &got)) == 0)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(n, 1);
	assert_true(got.number == UINT64_MAX - 1 && got.kind == LINK_CALL);
	assert_int_equal(got.len, 6);
	assert_memory_equal(got.body, "abcdef", 6);
	bufferevent_free(pair[0]);
	bufferevent_free(pair[1]);
	event_base_free(base);
}

/* A new message of a login is not to be forgotten, one of administrators not let in. */
static void threat_40_what_a_login_consists_of(void **state)
{
	(void)state;
	for (size_t i = 0; i < wire_n_messages; i++) {
		const struct wire_message *m = &wire_messages[i];
		bool txn = false;

		for (size_t k = 0; k < m->request.n_fields; k++)
			txn = txn || mag_streq(wire_field_of(&m->request, k)->name, "txn");
		if (txn)
			assert_true(link_of_login(m->id));
		else if (m->authority == AUTH_ADMIN || m->authority == AUTH_AGENT ||
			 m->authority == AUTH_ROOT)
			assert_false(link_of_login(m->id));
	}
}

static void threat_40_words_of_a_relay(void **state)
{
	struct aggregate red = { .exists = true }, nobody = { .exists = false };

	(void)state;
	mag_copy(red.account.organisation, sizeof red.account.organisation, "Red");
	assert_int_equal(remote_account_fit("", "anna", &red), REMOTE_FITS);
	assert_int_equal(remote_account_fit("anna", "anna", &red), REMOTE_FITS);
	assert_int_equal(remote_account_fit("bert an*", "anna", &red), REMOTE_FITS);
	assert_int_equal(remote_account_fit("ann?", "anna", &red), REMOTE_FITS);
	assert_int_equal(remote_account_fit("x @Red", "anna", &red), REMOTE_FITS);
	assert_int_equal(remote_account_fit("@Red", "who", &nobody), REMOTE_UNKNOWN);
	assert_int_equal(remote_account_fit("@Blue", "anna", &red), REMOTE_UNKNOWN);
	assert_int_equal(remote_account_fit("@Blue bert", "bert", &nobody), REMOTE_FITS);
	assert_int_equal(remote_account_fit("bert @Blue @Red", "anna", &red), REMOTE_FITS);
	assert_int_equal(remote_account_fit("ann", "anna", &red), REMOTE_REFUSED);
	assert_int_equal(remote_account_fit("anna", "annab", &red), REMOTE_REFUSED);
	assert_int_equal(remote_account_fit("anna", "who", &nobody), REMOTE_REFUSED);
	assert_int_equal(remote_account_fit("@", "anna", &red), REMOTE_UNKNOWN);
	assert_true(remote_service_fits("", "sshd"));
	assert_true(remote_service_fits("sudo sshd", "sshd"));
	assert_true(remote_service_fits("sudo", "elevate"));
	assert_false(remote_service_fits("sudo sshd", "ssh"));
	assert_false(remote_service_fits("sudo", "sshd"));
	assert_false(remote_service_fits("sshd", "sshd sudo"));
	assert_false(remote_service_fits("sshd", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_come_in_pieces),
		cmocka_unit_test(test_what_is_no_frame_is_refused_at_its_head),
		cmocka_unit_test(test_what_is_sent_is_what_comes),
		cmocka_unit_test(threat_40_what_a_login_consists_of),
		cmocka_unit_test(threat_40_words_of_a_relay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
