/* What is taken from a submit request, and how numbers are masked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "smsd/message.h"

static struct wire_submit_req good(void)
{
	struct wire_submit_req q = { .id = "a-1",
		.to = "+12025550134",
		.channel = "sms",
		.template = "code",
		.language = "en",
		.host = "web1.example.org",
		.expires_at = 7,
		.priority = 1 };

	assert_int_equal(mag_secret_set_text(&q.code, "483920"), 0);
	return q;
}

static void secrets_change_hands(void **state)
{
	struct wire_submit_req q = good();
	struct sms_message m = { 0 };
	char error[SMS_ERROR_MAX];

	(void)state;
	assert_int_equal(sms_message_take(&m, &q, error), 0);
	assert_null(q.code.data);
	assert_string_equal(mag_secret_text(&m.code), "483920");
	assert_string_equal(m.host, "web1.example.org");
	assert_int_equal(m.expires_at, 7);
	assert_int_equal(m.priority, 1);
	sms_message_clear(&m);
	assert_null(m.code.data);
}

#define SET(field, value) snprintf(q->field, sizeof q->field, "%s", value)
static void bad_id(struct wire_submit_req *q)
{
	SET(id, "../x");
}

static void empty_id(struct wire_submit_req *q)
{
	SET(id, "");
}

static void bad_channel(struct wire_submit_req *q)
{
	SET(channel, "fax");
}

static void no_plus(struct wire_submit_req *q)
{
	SET(to, "12025550134");
}

static void leading_zero(struct wire_submit_req *q)
{
	SET(to, "+02025550134");
}

static void too_long(struct wire_submit_req *q)
{
	SET(to, "+1234567890123456");
}

static void too_short(struct wire_submit_req *q)
{
	SET(to, "+123456");
}

static void letters(struct wire_submit_req *q)
{
	SET(to, "+1202555013x");
}

static void mail_as_number(struct wire_submit_req *q)
{
	SET(to, "a@example.org");
}

static void number_as_mail(struct wire_submit_req *q)
{
	SET(channel, "email");
}

static void late_priority(struct wire_submit_req *q)
{
	q->priority = SMS_PRIORITIES;
}

static void no_words(struct wire_submit_req *q)
{
	SET(template, "");
}

static void both(struct wire_submit_req *q)
{
	assert_int_equal(mag_secret_set_text(&q->text, "x"), 0);
}

static void odd_code(struct wire_submit_req *q)
{
	assert_int_equal(mag_secret_set_text(&q->code, "4 8"), 0);
}

static void sender_of_a_text(struct wire_submit_req *q)
{
	SET(from, "otp@example.org");
}

static void letters_in_a_code(struct wire_submit_req *q)
{
	assert_int_equal(mag_secret_set_text(&q->code, "ab123-cd456-efg"), 0);
}

static void what_is_malformed_is_refused_without_repeating_it(void **state)
{
	static void (*const spoil[])(struct wire_submit_req * q) = { bad_id, empty_id, bad_channel,
		no_plus, leading_zero, too_long, too_short, letters, mail_as_number, number_as_mail,
		late_priority, no_words, both, odd_code, sender_of_a_text, letters_in_a_code };

	(void)state;
	for (size_t i = 0; i < sizeof spoil / sizeof *spoil; i++) {
		struct wire_submit_req q = good();
		struct sms_message m = { 0 };
		char error[SMS_ERROR_MAX] = "";

		spoil[i](&q);
		assert_int_equal(sms_message_take(&m, &q, error), MAG_EINVAL);
		assert_true(error[0]);
		assert_null(strstr(error, "5550134"));
		assert_null(strstr(error, "483920"));
		assert_null(m.code.data);
		mag_secret_free(&q.code);
		mag_secret_free(&q.text);
	}
}

/* H8: the temporary password of an e-mail. */
static void an_e_mail_may_bring_a_password(void **state)
{
	static const struct {
		const char *password;
		int r;
	} cases[] = { { "ab123-cd456-efg", 0 }, { "ab 12", MAG_EINVAL }, { "{x}", MAG_EINVAL } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct wire_submit_req q = good();
		struct sms_message m = { 0 };
		char error[SMS_ERROR_MAX];

		snprintf(q.to, sizeof q.to, "anna@example.org");
		snprintf(q.channel, sizeof q.channel, "email");
		snprintf(q.args, sizeof q.args, "account=anna\n");
		assert_int_equal(mag_secret_set_text(&q.code, cases[i].password), 0);
		assert_int_equal(sms_message_take(&m, &q, error), cases[i].r);
		sms_message_clear(&m);
		mag_secret_free(&q.code);
	}
}

static void host_that_is_none_is_left_out(void **state)
{
	struct wire_submit_req q = good();
	struct sms_message m = { 0 };
	char error[SMS_ERROR_MAX];

	(void)state;
	snprintf(q.host, sizeof q.host, "evil\nhost");
	assert_int_equal(sms_message_take(&m, &q, error), 0);
	assert_string_equal(m.host, "");
	sms_message_clear(&m);
}

static void numbers_are_masked(void **state)
{
	char buf[40];

	(void)state;
	assert_string_equal(sms_masked("+12025550134", buf, sizeof buf), "...0134");
	assert_string_equal(sms_masked("a.b@example.org", buf, sizeof buf), "...@example.org");
	assert_string_equal(sms_masked("123", buf, sizeof buf), "...");
	assert_string_equal(sms_masked("", buf, sizeof buf), "...");
}

static void words_are_found_whole(void **state)
{
	(void)state;
	assert_true(sms_has_word("sms voice", "sms"));
	assert_true(sms_has_word("sms voice", "voice"));
	assert_true(sms_has_word("mms sms", "sms"));
	assert_false(sms_has_word("mmsms", "sms"));
	assert_false(sms_has_word("smss", "sms"));
	assert_false(sms_has_word("", "sms"));
	assert_false(sms_has_word("sms", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets_change_hands),
		cmocka_unit_test(what_is_malformed_is_refused_without_repeating_it),
		cmocka_unit_test(an_e_mail_may_bring_a_password),
		cmocka_unit_test(host_that_is_none_is_left_out),
		cmocka_unit_test(numbers_are_masked),
		cmocka_unit_test(words_are_found_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
