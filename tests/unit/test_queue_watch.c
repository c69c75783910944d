/* What receipts, and their silence, do to messages: with a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "sms_fake.h"
#include "smsd/queue.h"
#include "smsd/queue_item.h" /* where codes are looked for after they must be gone */

#define START_MS 1795299482000 /* wall clock when ticks are 0 */
#define LIFE_MS  120000
#define WAIT_MS  25000

static int64_t ticks;
static struct gateway *gateways[3];
static struct queue_config config;
static struct queue *queue;

static struct answer {
	unsigned times;
	struct queue_answer answer;
	struct queue_waiter *waiter;
} outcomes[64], fates[64];

static struct queue_time time_now(void *arg)
{
	(void)arg;
	return (struct queue_time){ ticks, START_MS + ticks };
}

static uint32_t no_chance(void *arg, uint32_t below)
{
	(void)arg;
	(void)below;
	return 0;
}

static void wake(void *arg)
{
	(void)arg;
}

static int make_url(void *arg, const struct gateway *g, const char *id, struct mag_secret *url_r)
{
	char url[128];

	(void)arg;
	snprintf(url, sizeof url, "https://sms.example.org/%s/%s", g->name, id);
	return mag_secret_set_text(url_r, url);
}

static void on_answer(void *arg, const struct queue_answer *answer)
{
	struct answer *a = arg;

	a->times++;
	a->answer = *answer;
	a->waiter = NULL;
}

static int setup(void **state)
{
	static const char *const names[] = { "first", "second", "third" };

	(void)state;
	mag_log_open("test", 0, MAG_LOG_ERROR);
	ticks = 0;
	fake_n_attempts = fake_n_polls = 0;
	memset(outcomes, 0, sizeof outcomes);
	memset(fates, 0, sizeof fates);
	for (int i = 0; i < 3; i++) {
		gateways[i] = fake_gateway(names[i], 10 + i, 1);
		gateways[i]->receipts = RECEIPTS_CALLBACK;
		gateways[i]->receipt_wait = WAIT_MS / 1000;
		gateways[i]->poll_every = 5;
	}
	config = (struct queue_config){ .gateways = gateways,
		.n_gateways = 3,
		.parallel = 64,
		.max_waiting = 1000,
		.max_watched = 1000,
		.receipt_url = make_url,
		.time = time_now,
		.chance = no_chance,
		.wake = wake };
	config.limits.allowed_countries = "US";
	if (limits_init(&config.limits, 10000, 10000) < 0)
		return -1;
	for (int i = 0; i < LIMIT_SCOPES; i++)
		config.limits.each[i].hour = config.limits.each[i].day = 10000;
	return queue_new(&config, &queue);
}

static int teardown(void **state)
{
	(void)state;
	queue_abort(queue);
	queue_free(&queue);
	limits_clear(&config.limits);
	for (size_t i = 0; i < 3; i++)
		gateway_free(&gateways[i]);
	return 0;
}

/* Message n, its fate asked for at once. */
static void submit(unsigned n)
{
	struct sms_message m = { .template = "code", .channel = "sms", .to = "+12025550134" };

	char id[8];

	snprintf(id, sizeof id, "m%u", n);
	memcpy(m.id, id, sizeof id);
	assert_int_equal(mag_secret_set_text(&m.code, "483920"), 0);
	m.expires_at = (START_MS + ticks + LIFE_MS) / 1000;
	assert_int_equal(queue_submit(queue, &m, on_answer, &outcomes[n], &outcomes[n].waiter), 0);
	assert_int_equal(queue_delivery(queue, id, on_answer, &fates[n], &fates[n].waiter), 0);
	queue_run(queue);
	sms_message_clear(&m);
}

static void attempt_ends(size_t attempt, enum sms_outcome outcome)
{
	fake_answer(attempt, outcome);
	queue_run(queue);
}

static int receipt(const char *id, const char *gateway, enum sms_delivery state, const char *word)
{
	const struct queue_receipt q = { id, gateway, word, state };
	int r = queue_receipt(queue, &q);

	queue_run(queue);
	return r;
}

static void pass(int64_t ms)
{
	ticks += ms;
	queue_run(queue);
}

static void expect_fate(unsigned n, enum sms_delivery state, const char *word)
{
	assert_int_equal(fates[n].times, 1);
	assert_int_equal(fates[n].answer.delivery, state);
	assert_string_equal(fates[n].answer.word, word);
}

static void expect_wiped(const char *id)
{
	const struct item *e = queue_find(queue, id);

	assert_non_null(e);
	assert_int_equal(e->message.code.len + e->message.text.len, 0);
	assert_null(e->trial);
}

/* ---- what comes ---- */

static void acceptance_is_answered_before_any_receipt(void **state)
{
	(void)state;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	assert_int_equal(outcomes[0].times, 1);
	assert_int_equal(outcomes[0].answer.outcome, SMS_ACCEPTED);
	assert_string_equal(outcomes[0].answer.gateway, "first");
	assert_int_equal(fates[0].times, 0);
	assert_true(queue_idle(queue)); /* a daemon that stops does not wait for receipts */
}

static void delivered_ends_it_and_wipes_the_code(void **state)
{
	(void)state;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	assert_int_equal(receipt("m0", "first", SMS_DELIVERED, ""), 0);
	expect_fate(0, SMS_DELIVERED, "");
	expect_wiped("m0");
	pass(LIFE_MS - 1);
	assert_int_equal(fake_n_attempts, 1);
}

static void word_that_it_is_under_way_changes_nothing(void **state)
{
	(void)state;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	assert_int_equal(receipt("m0", "first", SMS_NOTHING, ""), 0);
	assert_int_equal(fates[0].times, 0);
	pass(WAIT_MS);
	assert_int_equal(fake_n_attempts, 2);
}

static void failed_goes_to_the_next_gateway_at_once_with_the_same_code(void **state)
{
	(void)state;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	pass(1000);
	assert_int_equal(receipt("m0", "first", SMS_FAILED, "undelivered"), 0);
	assert_int_equal(fake_n_attempts, 2);
	assert_string_equal(fake_attempts[1].gateway, "second");
	assert_string_equal(fake_attempts[1].text, fake_attempts[0].text);
	assert_int_equal(fates[0].times, 0);
	attempt_ends(1, SMS_ACCEPTED);
	assert_int_equal(outcomes[0].times, 1);
	receipt("m0", "second", SMS_DELIVERED, "");
	expect_fate(0, SMS_DELIVERED, "");
}

static void silence_goes_to_the_next_gateway_and_no_further_than_there_are_any(void **state)
{
	(void)state;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	pass(WAIT_MS - 1);
	assert_int_equal(fake_n_attempts, 1);
	pass(1);
	assert_int_equal(fake_n_attempts, 2);
	attempt_ends(1, SMS_ACCEPTED);
	pass(WAIT_MS);
	assert_string_equal(fake_attempts[2].gateway, "third");
	attempt_ends(2, SMS_ACCEPTED);
	pass(WAIT_MS);
	assert_int_equal(fake_n_attempts, 3);
	expect_wiped("m0"); /* nobody is left to send it by */
	assert_int_equal(fates[0].times, 0);
	pass(LIFE_MS);
	expect_fate(0, SMS_NOTHING, "");
	assert_int_equal(outcomes[0].times, 1);
}

static void all_failed_is_failed_at_once_with_the_last_word(void **state)
{
	(void)state;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	receipt("m0", "first", SMS_FAILED, "undelivered");
	attempt_ends(1, SMS_ACCEPTED);
	receipt("m0", "second", SMS_FAILED, "busy");
	attempt_ends(2, SMS_PERMANENT);
	expect_fate(0, SMS_FAILED, "busy");
	expect_wiped("m0");
	assert_int_equal(outcomes[0].answer.outcome, SMS_ACCEPTED);
	assert_string_equal(outcomes[0].answer.gateway, "first");
}

static void P4_failure_that_comes_too_late_for_another_is_only_told(void **state)
{
	(void)state;
	gateways[0]->receipt_wait = (LIFE_MS - 9000) / 1000;
	submit(0);
	submit(1);
	attempt_ends(0, SMS_ACCEPTED);
	attempt_ends(1, SMS_ACCEPTED);
	pass(LIFE_MS - 9500);
	receipt("m0", "first", SMS_FAILED, "no-answer");
	expect_fate(0, SMS_FAILED, "no-answer");
	expect_wiped("m0");
	pass(500); /* silence, too */
	expect_wiped("m1");
	receipt("m1", "first", SMS_FAILED, "busy");
	expect_fate(1, SMS_FAILED, "busy");
	assert_int_equal(fake_n_attempts, 2);
}

static void late_receipt_of_an_earlier_gateway_counts(void **state)
{
	(void)state;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	pass(WAIT_MS);
	attempt_ends(1, SMS_ACCEPTED);
	/* An old failure says nothing about the newer try. */
	receipt("m0", "first", SMS_FAILED, "undelivered");
	assert_int_equal(fates[0].times, 0);
	assert_int_equal(fake_n_attempts, 2);
	receipt("m0", "first", SMS_DELIVERED, "");
	expect_fate(0, SMS_DELIVERED, "");
	/* And nothing takes it back. */
	receipt("m0", "second", SMS_FAILED, "busy");
	receipt("m0", "first", SMS_FAILED, "busy");
	assert_int_equal(queue_delivery(queue, "m0", on_answer, &fates[1], &fates[1].waiter), 0);
	expect_fate(1, SMS_DELIVERED, "");
	assert_int_equal(fake_n_attempts, 2);
}

static void receipt_of_an_unclear_attempt_stops_the_tries(void **state)
{
	(void)state;
	config.n_gateways = 2;
	submit(0);
	attempt_ends(0, SMS_AMBIGUOUS);
	attempt_ends(1, SMS_RETRYABLE);
	assert_int_equal(outcomes[0].times, 0);
	assert_int_equal(receipt("m0", "first", SMS_DELIVERED, ""), 0);
	assert_int_equal(outcomes[0].answer.outcome, SMS_ACCEPTED);
	assert_string_equal(outcomes[0].answer.gateway, "first");
	expect_fate(0, SMS_DELIVERED, "");
	pass(LIFE_MS);
	assert_int_equal(fake_n_attempts, 2);
}

static void receipt_while_the_next_gateway_is_asked_waits_for_its_word(void **state)
{
	(void)state;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	pass(WAIT_MS);
	receipt("m0", "first", SMS_DELIVERED, "");
	assert_int_equal(fates[0].times, 0);
	attempt_ends(1, SMS_RETRYABLE);
	expect_fate(0, SMS_DELIVERED, "");
	assert_int_equal(fake_n_attempts, 2);
}

static void threat_24_receipt_of_what_was_never_sent_has_no_effect(void **state)
{
	(void)state;
	assert_int_equal(receipt("m0", "first", SMS_FAILED, "busy"), MAG_ENOTFOUND);
	submit(0);
	assert_int_equal(receipt("m0", "first", SMS_FAILED, "busy"), MAG_ENOTFOUND);
	attempt_ends(0, SMS_ACCEPTED);
	assert_int_equal(receipt("m0", "second", SMS_FAILED, "busy"), MAG_ENOTFOUND);
	assert_int_equal(receipt("m1", "first", SMS_FAILED, "busy"), MAG_ENOTFOUND);
	assert_int_equal(fake_n_attempts, 1);
}

/* ---- used ---- */

static void used_code_arrived_and_is_not_sent_again(void **state)
{
	(void)state;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	queue_used(queue, "m0", true);
	expect_fate(0, SMS_DELIVERED, "");
	expect_wiped("m0");
	assert_int_equal(receipt("m0", "first", SMS_FAILED, "undelivered"), 0);
	pass(WAIT_MS);
	assert_int_equal(fake_n_attempts, 1);
}

static void dead_code_is_not_sent_again(void **state)
{
	(void)state;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	queue_used(queue, "m0", false);
	expect_fate(0, SMS_NOTHING, "");
	submit(1);
	attempt_ends(1, SMS_ACCEPTED);
	pass(WAIT_MS); /* m1 flies again when its code dies */
	assert_int_equal(fake_n_attempts, 3);
	queue_used(queue, "m1", false);
	attempt_ends(2, SMS_RETRYABLE);
	expect_fate(1, SMS_NOTHING, "");
	pass(LIFE_MS);
	assert_int_equal(fake_n_attempts, 3);
}

/* ---- bounds and ends ---- */

static void same_id_is_answered_with_the_state_while_it_is_watched(void **state)
{
	(void)state;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	submit(0);
	assert_int_equal(outcomes[0].times, 2);
	assert_int_equal(outcomes[0].answer.outcome, SMS_ACCEPTED);
	assert_int_equal(fake_n_attempts, 1);
}

static void watched_ones_have_a_bound_of_their_own(void **state)
{
	(void)state;
	config.max_watched = 1;
	config.max_waiting = 1;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	submit(1); /* the watched one takes no room of waiting ones */
	attempt_ends(1, SMS_ACCEPTED);
	assert_int_equal(outcomes[1].answer.outcome, SMS_ACCEPTED);
	expect_fate(1, SMS_NOTHING, "");
	expect_wiped("m1");
	receipt("m0", "first", SMS_DELIVERED, "");
	submit(2);
	attempt_ends(2, SMS_ACCEPTED);
	assert_int_equal(fates[2].times, 0);
}

static void watched_ones_hold_nobody_up(void **state)
{
	(void)state;
	config.parallel = 1;
	for (unsigned i = 0; i < 5; i++) {
		submit(i);
		assert_int_equal(fake_n_attempts, i + 1);
		attempt_ends(i, SMS_ACCEPTED);
	}
	assert_true(queue_idle(queue));
}

static void gateway_without_receipts_ends_the_watch(void **state)
{
	(void)state;
	gateways[1]->receipts = RECEIPTS_NO;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	pass(WAIT_MS);
	attempt_ends(1, SMS_ACCEPTED);
	expect_fate(0, SMS_NOTHING, "");
	receipt("m0", "first", SMS_DELIVERED, "");
	assert_int_equal(queue_delivery(queue, "m0", on_answer, &fates[1], &fates[1].waiter), 0);
	expect_fate(1, SMS_DELIVERED, "");
}

static void silent_gateway_is_asked_last_until_it_is_heard_again(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		submit(i);
		attempt_ends(fake_n_attempts - 1, SMS_ACCEPTED);
	}
	pass(WAIT_MS);
	assert_int_equal(fake_n_attempts, 6);
	submit(3);
	assert_string_equal(fake_attempts[6].gateway, "second");
	receipt("m0", "first", SMS_DELIVERED, "");
	submit(4);
	assert_string_equal(fake_attempts[7].gateway, "first");
}

static void stopping_answers_fates_too(void **state)
{
	(void)state;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	submit(1);
	fake_answer(1, SMS_AMBIGUOUS); /* what a driver says when it is torn down */
	queue_abort(queue);
	expect_fate(0, SMS_NOTHING, "");
	expect_fate(1, SMS_NOTHING, "");
	assert_int_equal(outcomes[1].answer.outcome, SMS_AMBIGUOUS);
	assert_int_equal(outcomes[0].times, 1);
}

static void budgets_hold_for_second_sendings(void **state)
{
	(void)state;
	config.limits.hour.limit = 1;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	pass(WAIT_MS);
	assert_int_equal(fake_n_attempts, 1);
	receipt("m0", "first", SMS_DELIVERED, "");
	expect_fate(0, SMS_DELIVERED, "");
}

/* ---- codes that nobody types ---- */

static enum sms_outcome send_one(unsigned n)
{
	size_t before = fake_n_attempts;

	gateways[0]->receipts = RECEIPTS_NO;
	submit(n);
	if (fake_n_attempts > before)
		attempt_ends(before, SMS_ACCEPTED);
	assert_int_equal(outcomes[n].times, 1);
	return outcomes[n].answer.outcome;
}

static void threat_18_block_whose_codes_are_never_used_is_stopped(void **state)
{
	(void)state;
	config.limits.used_watch = 3;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(send_one(i), SMS_ACCEPTED);
	pass(LIFE_MS + 59000); /* good for nothing by now, and yet not given up */
	assert_int_equal(send_one(3), SMS_ACCEPTED);
	pass(1000);
	assert_int_equal(send_one(4), SMS_PERMANENT);
	assert_non_null(strstr(outcomes[4].answer.error, "was used"));
	pass(86400000);
	assert_int_equal(send_one(5), SMS_ACCEPTED);
}

static void one_used_code_keeps_its_block_open(void **state)
{
	(void)state;
	config.limits.used_watch = 2;
	for (unsigned i = 0; i < 12; i++) {
		char id[8];

		snprintf(id, sizeof id, "m%u", i);
		assert_int_equal(send_one(i), SMS_ACCEPTED);
		queue_used(queue, id, i % 2);
		queue_used(queue, id, false); /* said once, it stands */
	}
	assert_int_equal(send_one(12), SMS_ACCEPTED);
	assert_int_equal(send_one(13), SMS_ACCEPTED);
	queue_used(queue, "m12", false); /* dead: nobody typed it */
	queue_used(queue, "m13", false);
	assert_int_equal(send_one(14), SMS_PERMANENT);
	assert_int_equal(limits_refuse_unused(&config.limits, "+12025559134", ticks) == NULL, 1);
}

static void what_was_not_sent_and_mails_and_tests_do_not_count(void **state)
{
	struct sms_message m = { .id = "t", .template = "test", .channel = "sms" };

	(void)state;
	config.limits.used_watch = 1;
	strcpy(m.to, "+12025550134");
	m.expires_at = (START_MS + LIFE_MS) / 1000;
	assert_int_equal(queue_submit(queue, &m, on_answer, &outcomes[0], &outcomes[0].waiter), 0);
	queue_run(queue);
	attempt_ends(0, SMS_ACCEPTED);
	submit(1);
	for (size_t i = 1; i < 4; i++)
		attempt_ends(i, SMS_PERMANENT);
	queue_used(queue, "t", false);
	queue_used(queue, "m1", false);
	assert_int_equal(send_one(2), SMS_ACCEPTED);
}

/* ---- asked instead of called ---- */

static void poll_answers(size_t poll, enum sms_outcome outcome, enum sms_delivery delivery)
{
	const struct gateway_result result = {
		.outcome = outcome, .delivery = delivery, .word = "undelivered"
	};

	fake_polls[poll]->done(fake_polls[poll], &result);
	queue_run(queue);
}

static void polled_gateway_is_asked_at_its_pace_until_it_knows(void **state)
{
	(void)state;
	gateways[0]->receipts = RECEIPTS_POLL;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	assert_int_equal(queue_run(queue), 5000);
	pass(4999);
	assert_int_equal(fake_n_polls, 0);
	pass(1);
	assert_int_equal(fake_n_polls, 1);
	assert_string_equal(fake_polls[0]->provider_id, "id0");
	pass(5000);
	assert_int_equal(fake_n_polls, 1); /* one at a time */
	poll_answers(0, SMS_ACCEPTED, SMS_NOTHING);
	pass(5000);
	poll_answers(1, SMS_AMBIGUOUS, SMS_DELIVERED); /* no answer is no answer */
	assert_int_equal(fates[0].times, 0);
	pass(5000);
	poll_answers(2, SMS_ACCEPTED, SMS_DELIVERED);
	expect_fate(0, SMS_DELIVERED, "");
	pass(LIFE_MS);
	assert_int_equal(fake_n_polls, 3);
}

static void polled_failure_goes_to_the_next_gateway(void **state)
{
	(void)state;
	gateways[0]->receipts = RECEIPTS_POLL;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	pass(5000);
	poll_answers(0, SMS_ACCEPTED, SMS_FAILED);
	assert_string_equal(fake_attempts[1].gateway, "second");
	attempt_ends(1, SMS_ACCEPTED);
	pass(20000);
	assert_int_equal(fake_n_polls, 1); /* the second calls */
}

static void question_outlives_its_message(void **state)
{
	(void)state;
	gateways[0]->receipts = RECEIPTS_POLL;
	submit(0);
	attempt_ends(0, SMS_ACCEPTED);
	pass(5000);
	queue_used(queue, "m0", true);
	expect_fate(0, SMS_DELIVERED, "");
	pass(LIFE_MS + 100000); /* it would be forgotten, were it not asked for */
	assert_non_null(queue_find(queue, "m0"));
	poll_answers(0, SMS_ACCEPTED, SMS_FAILED);
	pass(LIFE_MS);
	assert_null(queue_find(queue, "m0"));
	assert_int_equal(fake_n_polls, 1);
}

static void few_questions_at_once(void **state)
{
	(void)state;
	gateways[0]->receipts = RECEIPTS_POLL;
	for (unsigned i = 0; i < 40; i++) {
		submit(i);
		attempt_ends(i, SMS_ACCEPTED);
	}
	pass(5000);
	assert_int_equal(fake_n_polls, 16);
	poll_answers(3, SMS_ACCEPTED, SMS_NOTHING);
	assert_int_equal(fake_n_polls, 17);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(acceptance_is_answered_before_any_receipt),
		TEST(delivered_ends_it_and_wipes_the_code),
		TEST(word_that_it_is_under_way_changes_nothing),
		TEST(failed_goes_to_the_next_gateway_at_once_with_the_same_code),
		TEST(silence_goes_to_the_next_gateway_and_no_further_than_there_are_any),
		TEST(all_failed_is_failed_at_once_with_the_last_word),
		TEST(P4_failure_that_comes_too_late_for_another_is_only_told),
		TEST(late_receipt_of_an_earlier_gateway_counts),
		TEST(receipt_of_an_unclear_attempt_stops_the_tries),
		TEST(receipt_while_the_next_gateway_is_asked_waits_for_its_word),
		TEST(threat_24_receipt_of_what_was_never_sent_has_no_effect),
		TEST(used_code_arrived_and_is_not_sent_again),
		TEST(dead_code_is_not_sent_again),
		TEST(same_id_is_answered_with_the_state_while_it_is_watched),
		TEST(watched_ones_have_a_bound_of_their_own),
		TEST(watched_ones_hold_nobody_up),
		TEST(gateway_without_receipts_ends_the_watch),
		TEST(silent_gateway_is_asked_last_until_it_is_heard_again),
		TEST(stopping_answers_fates_too),
		TEST(budgets_hold_for_second_sendings),
		TEST(threat_18_block_whose_codes_are_never_used_is_stopped),
		TEST(one_used_code_keeps_its_block_open),
		TEST(what_was_not_sent_and_mails_and_tests_do_not_count),
		TEST(polled_gateway_is_asked_at_its_pace_until_it_knows),
		TEST(polled_failure_goes_to_the_next_gateway),
		TEST(question_outlives_its_message),
		TEST(few_questions_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
