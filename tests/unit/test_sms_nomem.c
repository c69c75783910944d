/* Memory runs out at each of our own allocations in turn, from reading the settings
 * to the file in the outbox: nothing crashes, nothing leaks (under ASan), and
 * "accepted" is said only when the message is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "smsd/queue.h"
#include "smsd/settings.h"

#define ALLOCATIONS_MAX 5000

static long fail_at = -1, allocations; /* the one that fails; -1: none does */

static int fails(void)
{
	return allocations++ == fail_at;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

/* ---- one whole run ---- */

static char directory[] = "/tmp/magotp-nomem-XXXXXX";
static char config[64], outbox[64];
static struct queue_answer answer;
static int answered;

static struct queue_time time_now(void *arg)
{
	(void)arg;
	return (struct queue_time){ 0, 1795299482000 };
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

static void on_answer(void *arg, const struct queue_answer *a)
{
	(void)arg;
	answered++;
	answer = *a;
}

static int send_one(const struct smsd_settings *s)
{
	struct queue_config c = { .gateways = s->gateways,
		.n_gateways = s->n_gateways,
		.parallel = 4,
		.max_waiting = 4,
		.time = time_now,
		.chance = no_chance,
		.wake = wake,
		.limits.allowed_countries = "US" };
	struct sms_message m = { .id = "m",
		.to = "+12025550134",
		.channel = "sms",
		.template = "code",
		.host = "web1",
		.expires_at = 1795299602 };
	struct queue_waiter *waiter;
	struct queue *q = NULL;
	int r;

	for (int i = 0; i < LIMIT_SCOPES; i++)
		c.limits.each[i].hour = c.limits.each[i].day = 10;
	if ((r = limits_init(&c.limits, 10, 10)) < 0 ||
		(r = mag_secret_set_text(&m.code, "483920")) < 0 || (r = queue_new(&c, &q)) < 0)
		goto out;
	r = queue_submit(q, &m, on_answer, NULL, &waiter);
	if (r == 0) {
		queue_run(q);
		queue_abort(q);
	}
out:
	sms_message_clear(&m);
	queue_free(&q);
	limits_clear(&c.limits);
	return r;
}

static int run(void)
{
	void *shared[8] = { NULL };
	struct smsd_settings *s = NULL;
	char err[OPT_ERROR_MAX];
	int r = smsd_settings_load(config, shared, &s, err);

	if (r < 0) {
		assert_true(err[0]);
		return r;
	}
	r = send_one(s);
	smsd_settings_free(&s);
	return r;
}

static bool sent(void)
{
	char file[128];

	snprintf(file, sizeof file, "%s/m.json", outbox);
	return unlink(file) == 0;
}

static void threat_35_no_memory_is_never_success(void **state)
{
	long total, refused = 0;

	(void)state;
	mag_log_open("test", 0, MAG_LOG_ERROR);
	allocations = 0;
	answered = 0;
	assert_int_equal(run(), 0);
	assert_int_equal(answered, 1);
	assert_int_equal(answer.outcome, SMS_ACCEPTED);
	assert_true(sent());
	total = allocations;
	assert_in_range(total, 50, ALLOCATIONS_MAX);
	for (long n = 0; n < total; n++) {
		int r;

		allocations = 0;
		answered = 0;
		fail_at = n;
		r = run();
		fail_at = -1;
		/* Either the submit failed and nobody was answered, or one was. */
		assert_int_equal(answered, r == 0);
		assert_int_equal(sent(), r == 0 && answer.outcome == SMS_ACCEPTED);
		refused += r < 0 || answer.outcome != SMS_ACCEPTED;
	}
	assert_true(refused > total / 2);
}

static int setup(void **state)
{
	FILE *f;

	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(config, sizeof config, "%s/smsd.conf", directory);
	snprintf(outbox, sizeof outbox, "%s/outbox", directory);
	if (mkdir(outbox, 0700) < 0 || !(f = fopen(config, "w")))
		return -1;
	fprintf(f,
		"[smsd]\nautofill = yes\n"
		"[gateway web]\ndriver = http\nchannels = voice\nurl = "
		"https://a.example/{var.a}?b={id}\n"
		"username = {var.a}\nvar.a = x\nheader.X-A = {from}\nencode = json\n"
		"field./a/0/to = {to}\nfield./t = {text}\nsuccess_match = /a = 1\n"
		"[gateway files]\ndriver = outbox\ndirectory = %s\n",
		outbox);
	return fclose(f);
}

static int teardown(void **state)
{
	(void)state;
	unlink(config);
	rmdir(outbox);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			threat_35_no_memory_is_never_success, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
