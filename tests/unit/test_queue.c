/* The life of messages under a clock, a chance and gateways of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "sms_fake.h"
#include "smsd/queue.h"

#define START_MS    1795299482000 /* wall clock when ticks are 0 */
#define ANSWERS_MAX 2048

static int64_t ticks;
static int64_t wall_jump; /* what the wall clock is off by, ms */
static unsigned woken;
static struct gateway *gateways[4];
static struct queue_config config;
static struct queue *queue;

static struct answer {
	unsigned times;
	struct queue_answer answer;
	struct queue_waiter *waiter;
} answers[ANSWERS_MAX];

static struct queue_time time_now(void *arg)
{
	(void)arg;
	return (struct queue_time){ ticks, START_MS + ticks + wall_jump };
}

/* The least: pauses are as short as they can be. */
static uint32_t no_chance(void *arg, uint32_t below)
{
	(void)arg;
	assert_true(below > 0);
	return 0;
}

static void wake(void *arg)
{
	(void)arg;
	woken++;
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
	(void)state;
	mag_log_open("test", 0, MAG_LOG_ERROR);
	ticks = wall_jump = 0;
	woken = 0;
	fake_n_attempts = 0;
	memset(answers, 0, sizeof answers);
	gateways[0] = fake_gateway("first", 10, 1);
	gateways[1] = fake_gateway("second", 20, 1);
	config = (struct queue_config){ .gateways = gateways,
		.n_gateways = 2,
		.parallel = 64,
		.max_waiting = 1000,
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
	for (size_t i = 0; i < 4; i++)
		gateway_free(&gateways[i]);
	return 0;
}

struct order {
	const char *id;
	unsigned priority;
	int64_t life;             /* ms; 0: 120 s */
	const char *to, *channel; /* NULL: the usual ones */
};

static int submit_order(struct answer *a, const struct order *o)
{
	struct sms_message m = { .priority = o->priority, .template = "code", .channel = "sms" };
	int r;

	snprintf(m.id, sizeof m.id, "%s", o->id);
	snprintf(m.to, sizeof m.to, "%s", o->to ? o->to : "+12025550134");
	snprintf(m.channel, sizeof m.channel, "%s", o->channel ? o->channel : "sms");
	assert_int_equal(mag_secret_set_text(&m.code, "483920"), 0);
	m.expires_at = (START_MS + ticks + wall_jump + (o->life ? o->life : 120000)) / 1000;
	r = queue_submit(queue, &m, on_answer, a, &a->waiter);
	if (r == 0)
		queue_run(queue);
	sms_message_clear(&m);
	return r;
}

static void submit(struct answer *a, const char *id)
{
	const struct order o = { .id = id };

	assert_int_equal(submit_order(a, &o), 0);
}

static void expect(const struct answer *a, enum sms_outcome outcome, const char *gateway)
{
	assert_int_equal(a->times, 1);
	assert_int_equal(a->answer.outcome, outcome);
	assert_string_equal(a->answer.gateway, gateway);
	assert_null(a->waiter);
}

static void answer_and_run(size_t attempt, enum sms_outcome outcome)
{
	unsigned before = woken;

	fake_answer(attempt, outcome);
	assert_int_equal(woken, before + 1);
	queue_run(queue);
}

/* ---- outcomes ---- */

static void accepted_is_answered_at_once(void **state)
{
	(void)state;
	submit(&answers[0], "a");
	assert_int_equal(fake_n_attempts, 1);
	assert_string_equal(fake_attempts[0].gateway, "first");
	assert_int_equal(fake_attempts[0].timeout_ms, 6000);
	assert_false(queue_idle(queue));
	answer_and_run(0, SMS_ACCEPTED);
	expect(&answers[0], SMS_ACCEPTED, "first");
	assert_string_equal(answers[0].answer.provider_id, "id0");
	assert_string_equal(answers[0].answer.error, "");
	assert_true(queue_idle(queue));
	assert_int_equal(gateways[0]->stats.accepted, 1);
	assert_int_equal(gateways[0]->stats.waiting, 0);
	assert_int_equal(gateways[0]->stats.last_accepted, START_MS / 1000);
}

static void what_fails_goes_to_the_next_with_the_same_code(void **state)
{
	static const enum sms_outcome failures[] = { SMS_RETRYABLE, SMS_PERMANENT, SMS_AMBIGUOUS };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char id[8];

		snprintf(id, sizeof id, "m%zu", i);
		submit(&answers[i], id);
		answer_and_run(2 * i, failures[i]);
		assert_int_equal(answers[i].times, 0);
		assert_string_equal(fake_attempts[2 * i + 1].gateway, "second");
		assert_string_equal(fake_attempts[2 * i + 1].text, fake_attempts[2 * i].text);
		answer_and_run(2 * i + 1, SMS_ACCEPTED);
		expect(&answers[i], SMS_ACCEPTED, "second");
	}
}

static void all_refused_is_permanent(void **state)
{
	(void)state;
	submit(&answers[0], "a");
	answer_and_run(0, SMS_PERMANENT);
	answer_and_run(1, SMS_PERMANENT);
	expect(&answers[0], SMS_PERMANENT, "second");
	assert_string_equal(answers[0].answer.error, "error 1");
	assert_int_equal(fake_n_attempts, 2);
}

static void unclear_outweighs_what_came_before_and_after(void **state)
{
	(void)state;
	submit(&answers[0], "a");
	answer_and_run(0, SMS_AMBIGUOUS);
	answer_and_run(1, SMS_PERMANENT);
	expect(&answers[0], SMS_AMBIGUOUS, "second");
	/* Never repeated on the gateway where it was unclear. */
	ticks += 100000;
	queue_run(queue);
	assert_int_equal(fake_n_attempts, 2);
}

static void nonsense_of_a_driver_is_never_success(void **state)
{
	(void)state;
	config.n_gateways = 1;
	submit(&answers[0], "a");
	answer_and_run(0, (enum sms_outcome)77);
	expect(&answers[0], SMS_AMBIGUOUS, "first");
}

static void no_gateway_is_permanent(void **state)
{
	(void)state;
	config.n_gateways = 0;
	submit(&answers[0], "a");
	expect(&answers[0], SMS_PERMANENT, "");
}

/* ---- rounds and deadlines ---- */

/* Runs the clock forward as the loop would. */
static void sleep_until_due(void)
{
	int64_t wait = queue_run(queue);

	assert_true(wait >= 0);
	ticks += wait;
	queue_run(queue);
}

static void retries_pause_longer_each_time(void **state)
{
	int64_t last = 0, pause = 0;

	(void)state;
	config.n_gateways = 1;
	submit(&answers[0], "a");
	for (size_t i = 0; i < 8 && !answers[0].times; i++) {
		assert_int_equal(fake_n_attempts, i + 1);
		last = ticks;
		answer_and_run(i, SMS_RETRYABLE);
		sleep_until_due();
		assert_true(ticks - last >= 250 && ticks - last >= pause);
		assert_true(ticks - last <= 15000);
		pause = ticks - last;
	}
	assert_int_equal(pause, 7500); /* the longest, halved by our lack of chance */
}

static void pause_that_a_gateway_asks_for_is_kept(void **state)
{
	(void)state;
	config.n_gateways = 1;
	submit(&answers[0], "a");
	fake_answer_rest(0, SMS_RETRYABLE, 30000);
	queue_run(queue);
	/* A message that comes meanwhile does not ask it either. */
	ticks = 1000;
	submit(&answers[1], "b");
	assert_int_equal(fake_n_attempts, 1);
	sleep_until_due();
	assert_true(ticks >= 30000 && ticks < 31000);
	assert_int_equal(fake_n_attempts, 3);
	fake_answer(1, SMS_ACCEPTED);
	answer_and_run(2, SMS_ACCEPTED);
	expect(&answers[0], SMS_ACCEPTED, "first");
	expect(&answers[1], SMS_ACCEPTED, "first");
}

static void where_one_asks_for_a_pause_the_next_sends_at_once(void **state)
{
	(void)state;
	submit(&answers[0], "a");
	fake_answer_rest(0, SMS_RETRYABLE, 30000);
	queue_run(queue);
	assert_string_equal(fake_attempts[1].gateway, "second");
	answer_and_run(1, SMS_ACCEPTED);
	submit(&answers[1], "b");
	assert_string_equal(fake_attempts[2].gateway, "second");
}

static void pause_beyond_a_message_s_life_is_told_at_once(void **state)
{
	(void)state;
	config.n_gateways = 1;
	submit(&answers[0], "a");
	fake_answer_rest(0, SMS_RETRYABLE, 86400000);
	queue_run(queue);
	expect(&answers[0], SMS_EXPIRED, "first");
	submit(&answers[1], "b");
	expect(&answers[1], SMS_EXPIRED, "");
	assert_string_equal(answers[1].answer.error, "the gateways asked for a longer pause");
	/* Nobody is silenced for a day by one answer. */
	ticks = 300001;
	submit(&answers[2], "c");
	assert_int_equal(fake_n_attempts, 2);
}

static void P4_never_sent_after_its_time(void **state)
{
	(void)state;
	config.n_gateways = 1;
	submit(&answers[0], "a");
	for (size_t i = 0; !answers[0].times; i++) {
		assert_true(ticks < 120000);
		assert_true(fake_attempts[i].timeout_ms <= 120000 - ticks);
		answer_and_run(i, SMS_RETRYABLE);
		if (!answers[0].times)
			sleep_until_due();
	}
	expect(&answers[0], SMS_EXPIRED, "first");
	assert_true(ticks > 100000);
	assert_string_not_equal(answers[0].answer.error, "");
	ticks += 10000000;
	queue_run(queue);
	assert_int_equal(answers[0].times, 1);
}

static void P4_jumps_of_the_wall_clock_change_no_deadline(void **state)
{
	(void)state;
	config.parallel = 1;
	submit(&answers[0], "flies");
	submit(&answers[1], "waits");
	wall_jump = -86400000;
	ticks = 119999;
	queue_run(queue);
	assert_int_equal(answers[1].times, 0);
	wall_jump = 86400000;
	queue_run(queue);
	assert_int_equal(answers[1].times, 0);
	ticks = 120001;
	queue_run(queue);
	expect(&answers[1], SMS_EXPIRED, "");
	assert_int_equal(fake_n_attempts, 1);
}

static void attempt_is_cut_at_the_deadline(void **state)
{
	const struct order o = { .id = "a", .life = 4000 };

	(void)state;
	ticks = 1000;
	submit_order(&answers[0], &o);
	assert_true(fake_attempts[0].timeout_ms <= 4000);
	ticks = 10000; /* the driver is late: its word still counts */
	queue_run(queue);
	assert_int_equal(answers[0].times, 0);
	answer_and_run(0, SMS_AMBIGUOUS);
	expect(&answers[0], SMS_AMBIGUOUS, "first");
	assert_int_equal(fake_n_attempts, 1);
}

static void expired_when_it_comes_is_not_sent(void **state)
{
	const struct order o = { .id = "a", .life = -1000 };

	(void)state;
	submit_order(&answers[0], &o);
	expect(&answers[0], SMS_EXPIRED, "");
	assert_int_equal(fake_n_attempts, 0);
}

/* ---- the same message twice ---- */

static void same_id_joins_and_is_sent_once(void **state)
{
	struct order other = { .id = "a", .to = "+12025550199" };

	(void)state;
	submit(&answers[0], "a");
	submit(&answers[1], "a");
	assert_int_equal(submit_order(&answers[9], &other), MAG_ECONFLICT);
	assert_int_equal(fake_n_attempts, 1);
	answer_and_run(0, SMS_ACCEPTED);
	expect(&answers[0], SMS_ACCEPTED, "first");
	expect(&answers[1], SMS_ACCEPTED, "first");
	/* And later, as long as it would have lived. */
	ticks = 119000;
	submit(&answers[2], "a");
	expect(&answers[2], SMS_ACCEPTED, "first");
	assert_int_equal(fake_n_attempts, 1);
	/* Then it is forgotten. */
	ticks = 120000 + 60000;
	queue_run(queue);
	submit(&answers[3], "a");
	assert_int_equal(fake_n_attempts, 2);
}

static void one_who_leaves_is_not_answered_the_others_are(void **state)
{
	(void)state;
	submit(&answers[0], "a");
	submit(&answers[1], "a");
	queue_leave(&answers[0].waiter);
	queue_leave(&answers[0].waiter); /* NULL by now */
	answer_and_run(0, SMS_ACCEPTED);
	assert_int_equal(answers[0].times, 0);
	expect(&answers[1], SMS_ACCEPTED, "first");
}

/* ---- order and bounds ---- */

static void login_codes_go_first(void **state)
{
	static const struct order orders[] = { { .id = "flies" }, { .id = "mail", .priority = 3 },
		{ .id = "test", .priority = 2 }, { .id = "login1" },
		{ .id = "register", .priority = 1 }, { .id = "login2" } };
	static const char *const sent[] = { "flies", "login1", "login2", "register", "test",
		"mail" };

	(void)state;
	config.parallel = 1;
	for (size_t i = 0; i < 6; i++)
		submit_order(&answers[i], &orders[i]);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(fake_n_attempts, i + 1);
		assert_string_equal(fake_attempts[i].id, sent[i]);
		answer_and_run(i, SMS_ACCEPTED);
	}
}

static void no_more_than_parallel_at_once_and_max_waiting_in_all(void **state)
{
	(void)state;
	config.parallel = 3;
	config.max_waiting = 5;
	for (size_t i = 0; i < 8; i++) {
		const char id[] = { 'a', (char)('0' + i), '\0' };
		const struct order o = { .id = id };

		assert_int_equal(submit_order(&answers[i], &o), i < 5 ? 0 : MAG_EBUSY);
	}
	assert_int_equal(fake_n_attempts, 3);
	answer_and_run(1, SMS_ACCEPTED);
	assert_int_equal(fake_n_attempts, 4);
	submit(&answers[5], "z");
}

/* A gateway that hangs with all it may have does not keep the others from working. */
static void gateway_that_hangs_holds_up_no_other(void **state)
{
	struct order o = { .id = "o" };
	char id[8];

	(void)state;
	config.parallel = 8;
	strcpy(gateways[0]->channels, "sms");
	strcpy(gateways[1]->channels, "voice");
	for (size_t i = 0; i < 20; i++) {
		snprintf(id, sizeof id, "s%zu", i);
		submit(&answers[i], id);
	}
	assert_int_equal(fake_n_attempts, 6);
	o.channel = "voice";
	submit_order(&answers[30], &o);
	assert_int_equal(fake_n_attempts, 7);
	assert_string_equal(fake_attempts[6].gateway, "second");
	answer_and_run(6, SMS_ACCEPTED);
	expect(&answers[30], SMS_ACCEPTED, "second");
	/* Each place that gets free is the first one's who waits. */
	answer_and_run(2, SMS_ACCEPTED);
	assert_int_equal(fake_n_attempts, 8);
	assert_string_equal(fake_attempts[7].id, "s6");
	queue_used(queue, "s7", false);
	expect(&answers[7], SMS_EXPIRED, "");
	for (size_t i = 0; i < fake_n_attempts; i++)
		if (fake_attempts[i].attempt)
			answer_and_run(i, SMS_ACCEPTED);
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(answers[i].times, 1);
	assert_true(queue_idle(queue));
}

static void full_gateway_is_passed_over_and_time_still_ends(void **state)
{
	char id[8];

	(void)state;
	config.parallel = 4;
	for (size_t i = 0; i < 6; i++) {
		snprintf(id, sizeof id, "s%zu", i);
		submit(&answers[i], id);
	}
	assert_int_equal(fake_n_attempts, 4);
	assert_string_equal(fake_attempts[2].gateway, "first");
	assert_string_equal(fake_attempts[3].gateway, "second");
	ticks = 120000; /* nobody answers: who waits is told in time */
	queue_run(queue);
	expect(&answers[4], SMS_EXPIRED, "");
	expect(&answers[5], SMS_EXPIRED, "");
}

static void threat_18_budget_counts_what_may_have_been_sent(void **state)
{
	(void)state;
	config.limits.hour.limit = 2;
	submit(&answers[0], "a");
	answer_and_run(0, SMS_RETRYABLE); /* given back */
	answer_and_run(1, SMS_PERMANENT); /* given back */
	ticks += 300;
	queue_run(queue);
	answer_and_run(2, SMS_AMBIGUOUS);
	submit(&answers[1], "b");
	answer_and_run(3, SMS_ACCEPTED);
	submit(&answers[2], "c");
	expect(&answers[2], SMS_PERMANENT, "");
	assert_int_equal(fake_n_attempts, 4);
	ticks += 3700000;
	submit(&answers[3], "d");
	assert_int_equal(fake_n_attempts, 5);
}

static void threat_18_other_countries_are_refused_before_any_attempt(void **state)
{
	const struct order o = { .id = "a", .to = "+442079460000" };

	(void)state;
	submit_order(&answers[0], &o);
	expect(&answers[0], SMS_PERMANENT, "");
	assert_int_equal(fake_n_attempts, 0);
}

static void failing_gateway_rests_and_comes_back(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const char id[] = { 'r', (char)('0' + i), '\0' };

		submit(&answers[i], id);
		answer_and_run(n++, SMS_AMBIGUOUS);
		answer_and_run(n++, SMS_ACCEPTED);
	}
	submit(&answers[3], "x");
	assert_string_equal(fake_attempts[n].gateway, "second");
	answer_and_run(n++, SMS_ACCEPTED);
	ticks += 30001;
	submit(&answers[4], "y");
	assert_string_equal(fake_attempts[n].gateway, "first");
	answer_and_run(n++, SMS_ACCEPTED);
	assert_int_equal(gateways[0]->stats.health[0].failures, 0);
}

static void after_a_rest_one_message_tries_and_the_others_do_not_wait(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const char id[] = { 'r', (char)('0' + i), '\0' };

		submit(&answers[i], id);
		answer_and_run(2 * i, SMS_RETRYABLE);
		answer_and_run(2 * i + 1, SMS_ACCEPTED);
	}
	ticks += 30001;
	submit(&answers[3], "probe");
	submit(&answers[4], "other");
	assert_string_equal(fake_attempts[6].gateway, "first");
	assert_string_equal(fake_attempts[7].gateway, "second");
	/* It still fails: a rest again, after one failure. */
	answer_and_run(6, SMS_AMBIGUOUS);
	assert_string_equal(fake_attempts[8].gateway, "second");
	answer_and_run(7, SMS_ACCEPTED);
	answer_and_run(8, SMS_ACCEPTED);
	ticks += 7000;
	submit(&answers[5], "later");
	assert_string_equal(fake_attempts[9].gateway, "second");
	answer_and_run(9, SMS_ACCEPTED);
}

static void where_all_fail_all_are_still_asked(void **state)
{
	struct order o = { .id = "x", .life = 100000 };
	size_t n = 0;

	(void)state;
	submit_order(&answers[0], &o);
	for (int round = 0; round < 5; round++) {
		assert_string_equal(fake_attempts[n].gateway, "first");
		answer_and_run(n++, SMS_RETRYABLE);
		assert_string_equal(fake_attempts[n].gateway, "second");
		answer_and_run(n++, SMS_RETRYABLE);
		ticks += 15001;
		queue_run(queue);
	}
	answer_and_run(n, SMS_ACCEPTED);
	expect(&answers[0], SMS_ACCEPTED, "first");
}

static void unclear_one_is_repeated_only_while_its_code_is_worth_it(void **state)
{
	struct order o = { .id = "x", .life = 60000 };

	(void)state;
	submit_order(&answers[0], &o);
	ticks += 49000;
	answer_and_run(0, SMS_AMBIGUOUS);
	assert_int_equal(fake_n_attempts, 2);
	ticks += 1500;
	answer_and_run(1, SMS_AMBIGUOUS);
	expect(&answers[0], SMS_AMBIGUOUS, "second");
	o.id = "y";
	submit_order(&answers[1], &o);
	ticks += 51000;
	answer_and_run(2, SMS_AMBIGUOUS);
	expect(&answers[1], SMS_AMBIGUOUS, "first");
	assert_int_equal(fake_n_attempts, 3);
}

static void reload_between_rounds_takes_the_new_gateways(void **state)
{
	(void)state;
	config.n_gateways = 1;
	submit(&answers[0], "a");
	answer_and_run(0, SMS_RETRYABLE);
	gateway_free(&gateways[0]);
	gateways[0] = fake_gateway("new", 10, 1);
	sleep_until_due();
	assert_string_equal(fake_attempts[1].gateway, "new");
	answer_and_run(1, SMS_ACCEPTED);
	expect(&answers[0], SMS_ACCEPTED, "new");
}

static void stopping_answers_everybody(void **state)
{
	(void)state;
	config.parallel = 1;
	submit(&answers[0], "flies");
	submit(&answers[1], "waits");
	fake_answer(0, SMS_AMBIGUOUS); /* what a driver says when it is torn down */
	queue_abort(queue);
	expect(&answers[0], SMS_AMBIGUOUS, "first");
	expect(&answers[1], SMS_RETRYABLE, "");
	assert_true(queue_idle(queue));
}

/* ---- what became of it ---- */

static void ask_delivery(struct answer *a, const char *id)
{
	assert_int_equal(queue_delivery(queue, id, on_answer, a, &a->waiter), 0);
}

static void delivery_without_receipts_is_known_with_the_outcome(void **state)
{
	(void)state;
	submit(&answers[0], "a");
	ask_delivery(&answers[1], "a");
	assert_int_equal(answers[1].times, 0);
	answer_and_run(0, SMS_ACCEPTED);
	assert_int_equal(answers[1].times, 1);
	assert_int_equal(answers[1].answer.delivery, SMS_NOTHING);
	ask_delivery(&answers[2], "a");
	assert_int_equal(answers[2].answer.delivery, SMS_NOTHING);
	submit(&answers[3], "b");
	answer_and_run(1, SMS_PERMANENT);
	answer_and_run(2, SMS_PERMANENT);
	ask_delivery(&answers[4], "b");
	assert_int_equal(answers[4].answer.delivery, SMS_FAILED);
	assert_string_equal(answers[4].answer.word, "unsent");
}

static void delivery_of_an_id_that_is_not_known_is_unknown(void **state)
{
	(void)state;
	ask_delivery(&answers[0], "never-seen");
	assert_int_equal(answers[0].times, 1);
	assert_int_equal(answers[0].answer.delivery, SMS_UNKNOWN);
	ask_delivery(&answers[1], "0123456789012345678901234567890123456789-too-long");
	assert_int_equal(answers[1].answer.delivery, SMS_UNKNOWN);
	submit(&answers[2], "a");
	ask_delivery(&answers[3], "a");
	queue_leave(&answers[3].waiter);
	answer_and_run(0, SMS_ACCEPTED);
	assert_int_equal(answers[3].times, 0);
}

static void a_code_that_nobody_needs_is_not_sent_any_more(void **state)
{
	(void)state;
	submit(&answers[0], "flies");
	queue_used(queue, "flies", false);
	assert_int_equal(answers[0].times, 0);
	answer_and_run(0, SMS_RETRYABLE);
	expect(&answers[0], SMS_EXPIRED, "first");
	config.parallel = 0;
	submit(&answers[1], "waits");
	queue_used(queue, "waits", true);
	expect(&answers[1], SMS_EXPIRED, "");
	queue_used(queue, "waits", true);
	queue_used(queue, "unknown", true);
	assert_int_equal(fake_n_attempts, 1);
	assert_true(queue_idle(queue));
}

/* Chance submits, answers and lets time pass: everybody is answered once, never
 * later than the deadline and one attempt's time, and nothing is left over. */
static void everybody_is_answered_once_whatever_happens(void **state)
{
	size_t submitted = 0, open = 0;

	(void)state;
	srandom(4);
	config.parallel = 8;
	while (submitted < 1000 || !queue_idle(queue)) {
		if (submitted < 1000 && random() % 2) {
			struct order o = { .priority = (unsigned)random() % 4,
				.life = 1000 + random() % 60000 };
			char id[16];

			snprintf(id, sizeof id, "n%zu", submitted);
			o.id = id;
			assert_int_equal(submit_order(&answers[submitted++], &o), 0);
		}
		for (; open < fake_n_attempts && random() % 3; open++)
			fake_answer(open, (enum sms_outcome)(1 + random() % 4));
		ticks += random() % 200;
		assert_true(fake_n_attempts < FAKE_ATTEMPTS_MAX);
		queue_run(queue);
	}
	for (size_t i = 0; i < submitted; i++) {
		assert_int_equal(answers[i].times, 1);
		assert_int_not_equal(answers[i].answer.outcome, SMS_NONE);
	}
	assert_int_equal(gateways[0]->stats.waiting + gateways[1]->stats.waiting, 0);
	assert_int_equal(queue_run(queue) >= 0, 1); /* only forgetting is left */
	ticks += 10000000;
	assert_int_equal(queue_run(queue), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(accepted_is_answered_at_once),
		TEST(what_fails_goes_to_the_next_with_the_same_code),
		TEST(all_refused_is_permanent),
		TEST(unclear_outweighs_what_came_before_and_after),
		TEST(nonsense_of_a_driver_is_never_success),
		TEST(no_gateway_is_permanent),
		TEST(retries_pause_longer_each_time),
		TEST(pause_that_a_gateway_asks_for_is_kept),
		TEST(where_one_asks_for_a_pause_the_next_sends_at_once),
		TEST(pause_beyond_a_message_s_life_is_told_at_once),
		TEST(P4_never_sent_after_its_time),
		TEST(P4_jumps_of_the_wall_clock_change_no_deadline),
		TEST(attempt_is_cut_at_the_deadline),
		TEST(expired_when_it_comes_is_not_sent),
		TEST(same_id_joins_and_is_sent_once),
		TEST(one_who_leaves_is_not_answered_the_others_are),
		TEST(login_codes_go_first),
		TEST(no_more_than_parallel_at_once_and_max_waiting_in_all),
		TEST(gateway_that_hangs_holds_up_no_other),
		TEST(full_gateway_is_passed_over_and_time_still_ends),
		TEST(threat_18_budget_counts_what_may_have_been_sent),
		TEST(threat_18_other_countries_are_refused_before_any_attempt),
		TEST(failing_gateway_rests_and_comes_back),
		TEST(after_a_rest_one_message_tries_and_the_others_do_not_wait),
		TEST(where_all_fail_all_are_still_asked),
		TEST(unclear_one_is_repeated_only_while_its_code_is_worth_it),
		TEST(reload_between_rounds_takes_the_new_gateways),
		TEST(stopping_answers_everybody),
		TEST(delivery_without_receipts_is_known_with_the_outcome),
		TEST(delivery_of_an_id_that_is_not_known_is_unknown),
		TEST(a_code_that_nobody_needs_is_not_sent_any_more),
		TEST(everybody_is_answered_once_whatever_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
