/* Gateways for tests of route and queue: they keep the attempt, and the test says
 * what becomes of it. */
#ifndef SMS_FAKE_H
#define SMS_FAKE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smsd/gateway.h"

#define FAKE_ATTEMPTS_MAX 4096

/* Every attempt that was begun, oldest first; a done one has gateway NULL. */
static struct fake_attempt {
	struct attempt *attempt;
	char gateway[33], id[41], text[200];
	int64_t timeout_ms;
} fake_attempts[FAKE_ATTEMPTS_MAX];
static size_t fake_n_attempts;

static void fake_send(struct attempt *a)
{
	struct fake_attempt *f = &fake_attempts[fake_n_attempts++ % FAKE_ATTEMPTS_MAX];

	f->attempt = a;
	snprintf(f->gateway, sizeof f->gateway, "%s", a->gateway->name);
	snprintf(f->id, sizeof f->id, "%s", a->message->id);
	snprintf(f->text, sizeof f->text, "%s", mag_secret_text(a->text));
	f->timeout_ms = a->timeout_ms;
}

/* Questions after a message, oldest first. */
static struct attempt *fake_polls[FAKE_ATTEMPTS_MAX];
static size_t fake_n_polls;

static void fake_poll(struct attempt *a)
{
	fake_polls[fake_n_polls++ % FAKE_ATTEMPTS_MAX] = a;
}

static void fake_close(struct gateway *g)
{
	(void)g;
}

static const struct gateway_ops fake_ops = {
	.name = "fake",
	.channels = "sms voice email",
	.send = fake_send,
	.poll = fake_poll,
	.close = fake_close,
};

__attribute__((unused)) static struct gateway *fake_gateway(
	const char *name, int64_t priority, int64_t weight)
{
	struct gateway *g = calloc(1, sizeof *g);

	snprintf(g->name, sizeof g->name, "%s", name);
	strcpy(g->channels, "sms voice");
	g->priority = priority;
	g->weight = weight;
	g->timeout = 6;
	g->ops = &fake_ops;
	g->refs = 1;
	return g;
}

/* The gateway's word about attempt i; rest_ms: the pause that it asks for. */
static void fake_answer_rest(size_t i, enum sms_outcome outcome, int64_t rest_ms)
{
	struct attempt *a = fake_attempts[i].attempt;
	struct gateway_result result = { .outcome = outcome, .rest_ms = rest_ms };

	fake_attempts[i].attempt = NULL;
	snprintf(result.provider_id, sizeof result.provider_id, "id%zu", i);
	if (outcome != SMS_ACCEPTED)
		snprintf(result.error, sizeof result.error, "error %zu", i);
	a->done(a, &result);
}

__attribute__((unused)) static void fake_answer(size_t i, enum sms_outcome outcome)
{
	fake_answer_rest(i, outcome, 0);
}

#endif
