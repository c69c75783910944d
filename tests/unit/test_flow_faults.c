/* Whole conversations in which each allocation of ours fails once (security.md 35): nobody
 * is in by that, and nothing is read or freed that is not there. And what a broker says
 * that no broker of ours would say. */
#define client_call fake_client_call
#include "fake_login.h"
#undef client_call

/* ---- the allocation that fails, counted from 1; 0: none ---- */

static unsigned fail_at, passed;

static bool fails(void)
{
	return fail_at && ++passed == fail_at;
}

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

/* The broker has memory. */
int client_call(const struct client *c, uint16_t message, const void *request,
	struct wire_result *result_r, void *reply);
int client_call(const struct client *c, uint16_t message, const void *request,
	struct wire_result *result_r, void *reply)
{
	unsigned n = fail_at;
	int r;

	fail_at = 0;
	r = fake_client_call(c, message, request, result_r, reply);
	fail_at = n;
	return r;
}

/* ---- conversations: what is typed, whatever is asked ---- */

#define TYPED_MAX 8
static const char *const *typed;

static int ask_any(void *arg, const char *prompt, bool echo, struct mag_secret *answer_r)
{
	(void)arg;
	(void)echo;
	assert_true(strlen(prompt) <= TEXT_PROMPT_MAX);
	if (!*typed)
		return MAG_ECONV;
	return mag_secret_set_text(answer_r, *typed++) ? MAG_ECONV : 0;
}

struct talk {
	const char *mode;
	unsigned takes; /* 0: no enrolment */
	const char *kind, *state;
	const char *typed[TYPED_MAX];
	const char *combined;
	bool in; /* how it ends without a fault */
};

static const struct talk talks[] = {
	{ "separate", 0, "phone", "active", { "1", "483920" }, NULL, true },
	{ "separate", 0, "phone", "active", { "1", "111111", "r", "222222", "333333" }, NULL,
		false },
	{ "separate", 0, "token", "active", { "483920" }, NULL, true },
	{ "separate", 0, "token", "locked", { "1", "481920", "113574" }, NULL, true },
	{ "separate", 0, "token", "suspended", { "1", "12345", "481920", "111111", "m" }, NULL,
		false },
	{ "combined", 0, "token", "active", { NULL }, "483920", true },
	{ "combined", 0, "token", "active", { NULL }, "111111", false },
	{ "combined", 0, "phone", "active", { NULL }, "sms", false },
	{ "combined", 0, "phone", "active", { NULL }, "sms2", false },
	{ "combined", 0, "phone", "active", { NULL }, "call1", false },
	{ "separate", TAKES_PHONE, NULL, NULL, { "key", "+1", "", "483920" }, NULL, true },
	{ "separate", TAKES_PHONE, NULL, NULL, { "key", "+1", "v", "111111", "n" }, NULL, false },
	{ "separate", TAKES_TOKEN, NULL, NULL, { "key", "A100", "481920", "113574" }, NULL, true },
	{ "separate", TAKES_TOKEN, NULL, NULL, { "key", "A100", "12345", "123456789", "n" }, NULL,
		false },
	{ "separate", TAKES_APP, NULL, NULL, { "key", "q", "12345", "483920" }, NULL, true },
	{ "separate", TAKES_APP | TAKES_TOKEN, NULL, NULL, { "key", "1", "n", "2", "A100" }, NULL,
		false },
};

static enum flow_end run(const struct talk *t)
{
	const struct client c = { .timeout_ms = 1000 };
	const struct flow_io io = { .ask = ask_any, .tell = fake_tell };
	struct mag_secret combined = { 0 };
	struct flow_params p = {
		.user = "alice", .service = "sshd", .proof = PROOF_STACK, .echo = true
	};
	struct flow_result out = { .end = FLOW_REFUSED };
	enum flow_end end = FLOW_UNAVAILABLE;
	unsigned n = fail_at;

	fail_at = 0;
	fake_reset(t->mode);
	fake.live = true;
	fake.qr_width = 21;
	fake.enroll_takes = t->takes;
	if (t->takes)
		fake.login.decision = DECISION_ENROLL;
	else
		add_factor(4, t->kind, !strcmp(t->kind, "phone") ? "sms" : "", "0134");
	if (t->state)
		mag_copy(fake.login.factors[0].state, 24, t->state);
	if (t->combined) {
		mag_secret_set_text(&combined, t->combined);
		p.combined = &combined;
		p.proof = PROOF_NESTED;
	}
	typed = t->typed;
	passed = 0;
	fail_at = n;
	if (!flow_run(&c, &io, &p, &out))
		end = out.end;
	fail_at = 0;
	assert_true(end == FLOW_OK || !*out.strength);
	flow_result_clear(&out);
	mag_secret_free(&combined);
	return end;
}

static void test_threat_35_no_memory_lets_nobody_in(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof talks / sizeof *talks; i++) {
		enum flow_end end;
		unsigned n = 0;

		do {
			fail_at = ++n;
			end = run(&talks[i]);
			assert_true(talks[i].in || end != FLOW_OK);
		} while (passed >= n && n < 500);
		if ((end == FLOW_OK) != talks[i].in)
			fail_msg("conversation %zu: %d", i, (int)end);
		assert_in_range(n, 2, 499);
	}
}

static void test_split_without_memory_is_no_split(void **state)
{
	static const char *const lines[] = { "secret,483920", "SCRV1:c2VjcmV0:NDgzOTIw" };
	const struct flow_options o = {
		.mode = "combined", .separator = "comma", .code_digits = 6
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct mag_secret line = { 0 }, password = { 0 }, factor = { 0 };
		unsigned n = 0;
		int r;

		assert_int_equal(mag_secret_set_text(&line, lines[i]), 0);
		do {
			passed = 0;
			fail_at = ++n;
			r = flow_split(&line, &o, &password, &factor);
			fail_at = 0;
			if (r)
				assert_true(!password.len && !factor.len);
		} while (passed >= n && n < 50);
		assert_int_equal(r, 0);
		assert_string_equal(mag_secret_text(&password), "secret");
		assert_string_equal(mag_secret_text(&factor), "483920");
		mag_secret_free(&line);
		mag_secret_free(&password);
		mag_secret_free(&factor);
	}
}

/* ---- odd answers ---- */

/* What the codes of an enrolment may be judged as: the next prompt, or the end. */
static void test_O5_each_verdict_on_a_first_code_leads_somewhere(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 60; v++) {
		const unsigned takes[] = { TAKES_PHONE, TAKES_TOKEN, TAKES_APP };

		for (size_t i = 0; i < 3; i++) {
			const char *const lines[] = { "key",
				i == 1 ? "A100"
				: i    ? "483920"
				       : "+1",
				i == 1 ? "481920" : "", i == 1 ? "113574" : "483920", "", "r", "n",
				NULL };
			const struct client c = { .timeout_ms = 1000 };
			const struct flow_io io = { .ask = ask_any, .tell = fake_tell };
			const struct flow_params p = {
				.user = "alice", .service = "sshd", .proof = PROOF_STACK
			};
			struct flow_result out;

			fake_reset(v % 2 ? "short" : "separate");
			fake.login.decision = DECISION_ENROLL;
			fake.login.code_digits = v % 3 ? 6 : 0;
			fake.enroll_takes = takes[i];
			fake.end_verdict = fake.pair_verdict = v;
			fake.delivery = v % 5;
			typed = lines;
			assert_int_equal(flow_run(&c, &io, &p, &out), 0);
			/* Only a verdict that says so is success; the first one is used up. */
			if (out.end == FLOW_OK)
				assert_int_equal(out.verdict, VERDICT_OK);
			flow_result_clear(&out);
		}
	}
}

static void test_O5_a_picture_that_does_not_fit_is_not_drawn(void **state)
{
	static const unsigned widths[] = { 0, 91 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const char *const lines[] = { "key", "q", "483920", NULL };
		const struct client c = { .timeout_ms = 1000 };
		const struct flow_io io = { .ask = ask_any, .tell = fake_tell };
		const struct flow_params p = {
			.user = "alice", .service = "sshd", .proof = PROOF_STACK, .echo = true
		};
		struct flow_result out;

		fake_reset("separate");
		fake.login.decision = DECISION_ENROLL;
		fake.enroll_takes = TAKES_APP;
		fake.qr_width = widths[i] == 91 ? 90 : 0;
		typed = lines;
		assert_int_equal(flow_run(&c, &io, &p, &out), 0);
		assert_int_equal(out.end, FLOW_OK);
		assert_int_equal(strstr(fake.all_told, "\u2588") != NULL, widths[i] == 91);
		flow_result_clear(&out);
	}
}

static void test_refusals_with_nothing_known(void **state)
{
	const struct flow_refusal rows[] = {
		{ .verdict = VERDICT_REQUIREMENTS_NOT_MET, .key_alone = true },
		{ .verdict = VERDICT_REQUIREMENTS_NOT_MET, .level = 3, .require = "phone-otp" },
		{ .verdict = VERDICT_REQUIREMENTS_NOT_MET,
			.level = 3,
			.require = "phone-otp",
			.has = FLOW_HAS_PHONE },
		{ .verdict = VERDICT_REQUIREMENTS_NOT_MET,
			.level = 2,
			.require = "phone-otp",
			.has = FLOW_HAS_PHONE },
		{ .verdict = VERDICT_REQUIREMENTS_NOT_MET, .require = "unknown" },
		{ .verdict = VERDICT_NOT_ALLOWED, .detail = "the account is not active" },
		{ .verdict = VERDICT_NOT_ALLOWED },
	};
	static char help[129];
	char text[512];

	(void)state;
	memset(help, 'h', sizeof help - 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (int helped = 0; helped < 2; helped++) {
			struct flow_refusal r = rows[i];

			r.help = helped ? help : NULL;
			flow_refusal_text(&r, text, sizeof text);
			assert_true(strlen(text) < sizeof text && *text);
			assert_true(text[strlen(text) - 1] != '\n');
			/* The id, or whom to ask, is never what falls out. */
			assert_int_equal(strstr(text, "hhhh") != NULL, helped);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threat_35_no_memory_lets_nobody_in),
		cmocka_unit_test(test_split_without_memory_is_no_split),
		cmocka_unit_test(test_O5_each_verdict_on_a_first_code_leads_somewhere),
		cmocka_unit_test(test_O5_a_picture_that_does_not_fit_is_not_drawn),
		cmocka_unit_test(test_refusals_with_nothing_known),
	};
	(void)converse;
	(void)fake_ask;
	(void)add_notice;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
