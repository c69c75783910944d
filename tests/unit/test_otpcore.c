/* libotpcore over a fake otpcored that answers by a script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/base/verdict.h"
#include "otpcore/client/otpcore.h"
#include "tests/unit/fake_server.h"

/* ---- the fake: knows anna, whose code is 123456. It lives in a child. ---- */

static struct {
	uint32_t last_seq;
	unsigned hang_ups; /* before each numbered answer, so often */
	unsigned hung;
	uint32_t decision, account_decision;
	int begin_error;
} script = { 0, 0, 0, DECISION_ASK, DECISION_PASS, 0 };

static size_t reply(uint16_t id, struct wire_result *result, const void *object, unsigned char *out)
{
	size_t len = 0;

	return wire_encode_reply(id, result, object, out, &len) == 0 ? len : 0;
}

static size_t answer_begin(const struct wire_begin_req *q, unsigned char *out)
{
	static struct wire_begin_rep r;
	struct wire_result result = { script.begin_error, VERDICT_OK, 0, "" };

	r.decision = script.decision;
	strcpy(r.require, "phone-otp");
	strcpy(r.help, "ask the porter");
	r.code_digits = 6;
	r.skip = 1;
	r.n_factors = 2;
	r.factors[0] =
		(struct wire_factor){ 2, "phone", "sms", "sms voice", "0134", "", 1, "active" };
	r.factors[1] =
		(struct wire_factor){ 1, "phone", "voice", "voice", "0177", "desk", 0, "active" };
	if (strcmp(q->user, "anna") != 0 || strcmp(q->service, "door") != 0 ||
		q->proof != PROOF_STACK || strcmp(q->rhost, "192.0.2.1") != 0 || q->uid != 4711)
		result.error = MAG_EINVAL;
	mag_secret_set(&r.txn, "\0ticket\xff", 8);
	return reply(WIRE_MSG_BEGIN, &result, &r, out);
}

/* Numbers rise by one; only a repeat of an unanswered one may come again. */
static int check_number(const struct mag_secret *txn, uint32_t seq)
{
	bool again = script.hung > 0;

	if (txn->len != 8 || memcmp(txn->data, "\0ticket\xff", 8) != 0)
		return MAG_ESTALE;
	if (seq != script.last_seq + (again ? 0 : 1))
		return MAG_ECONFLICT;
	script.last_seq = seq;
	return 0;
}

static size_t answer_verify(const struct wire_verify_req *q, unsigned char *out)
{
	struct wire_verify_rep r = { "password", 1, 2, 60, 0, 0, "" };
	struct wire_result result = { 0, VERDICT_CODE_WRONG, 0, "" };

	result.error = check_number(&q->txn, q->seq);
	if (script.hung++ < script.hang_ups)
		return 0;
	script.hung = 0;
	if (strcmp(mag_secret_text(&q->code), "123456") == 0 && q->ref == 2) {
		result.verdict = VERDICT_OK;
		strcpy(r.strength, "phone-otp");
		r.level = 2;
	}
	if (strcmp(mag_secret_text(&q->code), "silence") == 0)
		usleep(200000);
	return reply(WIRE_MSG_VERIFY, &result, &r, out);
}

static size_t answer_send(const struct wire_send_req *q, unsigned char *out)
{
	struct wire_send_rep r = { DELIVERY_ACCEPTED, 0, "sms", "0134", 120, 3, 20 };
	struct wire_result result = { check_number(&q->txn, q->seq), VERDICT_OK, 0, "" };

	if (q->again)
		result =
			(struct wire_result){ result.error, VERDICT_SEND_LIMITED, 1800, "account" };
	if (q->ref == 1) {
		r.delivery = DELIVERY_FAILED;
		result.verdict = VERDICT_SEND_FAILED;
	}
	return reply(WIRE_MSG_SEND, &result, &r, out);
}

static size_t answer_skip(const struct wire_skip_req *q, unsigned char *out)
{
	struct wire_skip_rep r = { "password", 1 };
	struct wire_result result = { check_number(&q->txn, q->seq), VERDICT_OK, 0, "" };

	return reply(WIRE_MSG_SKIP, &result, &r, out);
}

static size_t answer_account(const struct wire_account_req *q, unsigned char *out)
{
	static struct wire_account_rep r;
	struct wire_result result = { q->txn.len == 8 ? 0 : MAG_ESTALE, VERDICT_OK, 0, "" };

	r.decision = script.account_decision;
	strcpy(r.strength, "phone-otp");
	return reply(WIRE_MSG_ACCOUNT, &result, &r, out);
}

static size_t answer_status(const struct wire_status_req *q, unsigned char *out)
{
	static struct wire_status_rep r;
	struct wire_result result = { 0, VERDICT_OK, 0, "" };

	if (strcmp(q->user, "anna") != 0)
		result.error = MAG_EPERM;
	r.recorded = 1;
	r.since = 1795269600;
	strcpy(r.strength, "hardware-otp");
	strcpy(r.from, "192.0.2.1");
	return reply(WIRE_MSG_STATUS, &result, &r, out);
}

static size_t answer(const unsigned char *in, size_t len, unsigned char *out)
{
	const struct wire_message *m = NULL;
	void *request = NULL;
	size_t n = 0;

	if (wire_decode_request(in, len, &m, &request) < 0)
		_exit(97);
	switch (m->id) {
	case WIRE_MSG_BEGIN:
		n = answer_begin(request, out);
		break;
	case WIRE_MSG_SEND:
		n = answer_send(request, out);
		break;
	case WIRE_MSG_VERIFY:
		n = answer_verify(request, out);
		break;
	case WIRE_MSG_SKIP:
		n = answer_skip(request, out);
		break;
	case WIRE_MSG_ACCOUNT:
		n = answer_account(request, out);
		break;
	case WIRE_MSG_STATUS:
		n = answer_status(request, out);
		break;
	default:
		break; /* hangs up */
	}
	wire_free(&m->request, &request);
	return n;
}

/* ---- tests ---- */

struct scene {
	struct fake fake;
	struct otpcore *login;
	int decision;
};

/* The script is set before: the child takes it along. */
static void enter(struct scene *s)
{
	s->fake = (struct fake){ .mode = FAKE_ASK, .uid = getuid(), .answer = answer };
	s->login = NULL;
	s->decision = -1;
	assert_int_equal(fake_start(&s->fake), 0);
	assert_int_equal(otpcore_new(&s->login), 0);
	assert_int_equal(otpcore_set_socket(s->login, s->fake.path), 0);
	otpcore_set_server_uid(s->login, getuid());
	otpcore_set_uid(s->login, 4711);
	assert_int_equal(otpcore_set(s->login, OTPCORE_RHOST, "192.0.2.1"), 0);
}

static int begin(struct scene *s)
{
	return otpcore_begin(s->login, "anna", "door", OTPCORE_PROOF_PASSWORD, &s->decision);
}

static void leave(struct scene *s)
{
	otpcore_free(&s->login);
	assert_null(s->login);
	fake_stop(&s->fake);
	memset(&script, 0, sizeof script);
	script.decision = DECISION_ASK;
	script.account_decision = DECISION_PASS;
}

static void test_a_whole_login(void **state)
{
	const struct otpcore_answer *a;
	struct scene s;
	int yes = -1;

	(void)state;
	enter(&s);
	a = otpcore_answer(s.login);
	assert_string_equal(a->verdict, "undecided");
	assert_int_equal(begin(&s), 0);
	assert_int_equal(s.decision, OTPCORE_ASK);
	assert_string_equal(otpcore_policy(s.login)->require, "phone-otp");
	assert_string_equal(otpcore_policy(s.login)->help, "ask the porter");
	assert_int_equal(otpcore_policy(s.login)->may_skip, 1);
	assert_int_equal(otpcore_n_factors(s.login), 2);
	assert_int_equal(otpcore_factor(s.login, 0)->ref, 2);
	assert_string_equal(otpcore_factor(s.login, 0)->masked, "0134");
	assert_string_equal(otpcore_factor(s.login, 1)->label, "desk");
	assert_null(otpcore_factor(s.login, 2));

	assert_int_equal(otpcore_send(s.login, 2, NULL, 0, &yes), 0);
	assert_int_equal(yes, 1);
	assert_int_equal(a->delivery, OTPCORE_DELIVERY_ACCEPTED);
	assert_int_equal(a->seconds_left, 120);
	assert_string_equal(a->masked, "0134");

	assert_int_equal(otpcore_verify(s.login, 2, "654321", &yes), 0);
	assert_int_equal(yes, 0);
	assert_string_equal(a->verdict, "code-wrong");
	assert_int_equal(a->tries_left, 2);
	assert_int_equal(otpcore_verify(s.login, 2, "123456", &yes), 0);
	assert_int_equal(yes, 1);
	assert_string_equal(a->strength, "phone-otp");
	assert_int_equal(a->level, 2);

	assert_int_equal(otpcore_account(s.login, &yes), 0);
	assert_int_equal(yes, 1);
	leave(&s);
}

static void test_what_cannot_be_sent(void **state)
{
	struct scene s;
	int yes = -1;

	(void)state;
	enter(&s);
	assert_int_equal(begin(&s), 0);
	assert_int_equal(otpcore_send(s.login, 1, "voice", 0, &yes), 0);
	assert_int_equal(yes, 0);
	assert_string_equal(otpcore_answer(s.login)->verdict, "send-failed");
	assert_int_equal(otpcore_send(s.login, 2, NULL, 1, &yes), 0);
	assert_int_equal(yes, 0);
	assert_string_equal(otpcore_answer(s.login)->verdict, "send-limited");
	assert_string_equal(otpcore_answer(s.login)->detail, "account");
	assert_int_equal(otpcore_answer(s.login)->seconds, 1800);
	assert_int_equal(otpcore_skip(s.login, &yes), 0);
	assert_int_equal(yes, 1);
	assert_string_equal(otpcore_answer(s.login)->strength, "password");
	leave(&s);
}

/* A broker that goes away is asked again under the same number (threat 30). */
static void test_threat_30_a_lost_answer_is_asked_again(void **state)
{
	struct scene s;
	int yes = -1;

	(void)state;
	script.hang_ups = 3;
	enter(&s);
	assert_int_equal(begin(&s), 0);
	assert_int_equal(otpcore_verify(s.login, 2, "123456", &yes), 0);
	assert_int_equal(yes, 1);
	leave(&s);
}

static void test_a_broker_that_never_answers(void **state)
{
	struct scene s;
	int yes = -1;

	(void)state;
	script.hang_ups = 1000000;
	enter(&s);
	assert_int_equal(begin(&s), 0);
	assert_int_equal(otpcore_set_timeout(s.login, 200), 0);
	assert_int_equal(otpcore_verify(s.login, 2, "123456", &yes), OTPCORE_EGONE);
	assert_int_equal(yes, 0);
	leave(&s);
}

/* After silence, the next code goes under the next number: the answer to the
 * first code may not be taken for the answer to the second. */
static void test_a_number_is_used_for_one_code_only(void **state)
{
	struct scene s;
	int yes = -1;

	(void)state;
	enter(&s);
	assert_int_equal(begin(&s), 0);
	assert_int_equal(otpcore_set_timeout(s.login, 50), 0);
	assert_int_equal(otpcore_verify(s.login, 2, "silence", &yes), OTPCORE_ETIMEOUT);
	assert_int_equal(yes, 0);
	assert_int_equal(otpcore_set_timeout(s.login, 5000), 0);
	for (int i = 0; i < 3; i++) /* the fake refuses a number that comes twice */
		assert_int_equal(otpcore_verify(s.login, 2, "000000", &yes), 0);
	leave(&s);
}

static void test_refusals_set_every_output(void **state)
{
	struct scene s;
	int yes = 1;

	(void)state;
	script.begin_error = MAG_EPERM;
	enter(&s);
	s.decision = OTPCORE_PASS;
	assert_int_equal(begin(&s), OTPCORE_EPERM);
	assert_int_equal(s.decision, OTPCORE_DENY);
	assert_int_equal(otpcore_n_factors(s.login), 0);
	assert_int_equal(otpcore_send(s.login, 2, NULL, 0, &yes), OTPCORE_EINVAL);
	assert_int_equal(yes, 0);
	yes = 1;
	assert_int_equal(otpcore_verify(s.login, 2, "123456", &yes), OTPCORE_EINVAL);
	assert_int_equal(yes, 0);
	yes = 1;
	assert_int_equal(otpcore_skip(s.login, &yes), OTPCORE_EINVAL);
	assert_int_equal(yes, 0);
	yes = 1;
	assert_int_equal(otpcore_account(s.login, &yes), OTPCORE_EINVAL);
	assert_int_equal(yes, 0);
	leave(&s);
}

static void test_unknown_decisions_deny(void **state)
{
	static const uint32_t no[] = { DECISION_NONE, DECISION_DENY, DECISION_ASK, DECISION_ENROLL,
		77 };
	struct scene s;
	int yes;

	(void)state;
	for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
		script.decision = 77;
		script.account_decision = no[i];
		enter(&s);
		assert_int_equal(begin(&s), 0);
		assert_int_equal(s.decision, OTPCORE_DENY);
		yes = 1;
		assert_int_equal(otpcore_account(s.login, &yes), 0);
		assert_int_equal(yes, 0);
		leave(&s);
	}
}

static void test_status(void **state)
{
	const struct otpcore_status *status = NULL;
	struct scene s;

	(void)state;
	enter(&s);
	assert_int_equal(otpcore_status(s.login, "bert", &status), OTPCORE_EPERM);
	assert_null(status);
	assert_int_equal(otpcore_status(s.login, "anna", &status), 0);
	assert_string_equal(status->strength, "hardware-otp");
	assert_int_equal(status->since, 1795269600);
	assert_int_equal(status->recorded, 1);
	assert_string_equal(status->reason, "");
	leave(&s);
}

static void test_arguments_are_checked(void **state)
{
	char longer[300];
	struct scene s;

	(void)state;
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	enter(&s);
	assert_int_equal(otpcore_set_socket(s.login, longer), OTPCORE_ERANGE);
	assert_int_equal(otpcore_set_timeout(s.login, 0), OTPCORE_EINVAL);
	assert_int_equal(otpcore_set(s.login, OTPCORE_TTY, longer), OTPCORE_ERANGE);
	assert_int_equal(otpcore_set(s.login, OTPCORE_TTY, "\xff"), OTPCORE_ERANGE);
	assert_int_equal(otpcore_set(s.login, OTPCORE_RUSER, NULL), 0);
	assert_int_equal(otpcore_set(s.login, (enum otpcore_about)9, ""), OTPCORE_EINVAL);
	assert_int_equal(
		otpcore_begin(s.login, longer, "door", OTPCORE_PROOF_PASSWORD, &s.decision),
		OTPCORE_ERANGE);
	assert_int_equal(otpcore_begin(s.login, "", "door", OTPCORE_PROOF_PASSWORD, &s.decision),
		OTPCORE_EINVAL);
	assert_int_equal(otpcore_begin(s.login, "anna", NULL, OTPCORE_PROOF_PASSWORD, &s.decision),
		OTPCORE_EINVAL);
	assert_int_equal(otpcore_begin(s.login, "anna", "door", (enum otpcore_proof)2, &s.decision),
		OTPCORE_EINVAL);
	assert_int_equal(begin(&s), 0); /* what was refused left nothing behind */
	leave(&s);
	otpcore_free(NULL);
	assert_string_equal(otpcore_strerror(OTPCORE_EDOWN), mag_strerror(MAG_EDOWN));
}

static void test_threat_03_squatter_gets_no_name(void **state)
{
	uid_t stranger = getuid() == 0 ? 65534 : getuid();
	struct fake fake = { .mode = FAKE_ASK, .uid = stranger, .answer = answer };
	struct otpcore *login = NULL;
	int decision = OTPCORE_PASS;

	(void)state;
	assert_int_equal(fake_start(&fake), 0);
	assert_int_equal(otpcore_new(&login), 0);
	assert_int_equal(otpcore_set_socket(login, fake.path), 0);
	otpcore_set_server_uid(login, 0);
	assert_int_equal(otpcore_begin(login, "anna", "door", OTPCORE_PROOF_PASSWORD, &decision),
		OTPCORE_ESERVER);
	assert_int_equal(decision, OTPCORE_DENY);
	otpcore_free(&login);
	assert_int_equal(fake_stop(&fake), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_whole_login),
		cmocka_unit_test(test_what_cannot_be_sent),
		cmocka_unit_test(test_threat_30_a_lost_answer_is_asked_again),
		cmocka_unit_test(test_a_broker_that_never_answers),
		cmocka_unit_test(test_a_number_is_used_for_one_code_only),
		cmocka_unit_test(test_refusals_set_every_output),
		cmocka_unit_test(test_unknown_decisions_deny),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_arguments_are_checked),
		cmocka_unit_test(test_threat_03_squatter_gets_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
