/* Asking the broker, and not giving up when it is restarted meanwhile. */
#include <poll.h>
#include <time.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "otpcore/login/steps.h"

#define TIMEOUT_DEFAULT_MS 10000
#define PATIENCE_FIRST_MS  1000 /* nobody listens and nobody has: a restart, or down */
#define PAUSE_FIRST_MS     20
#define PAUSE_MAX_MS       250

static int64_t ticks_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Worth another try after `waited_ms`? A full backlog is said at once to who has
 * not been served yet (security.md 31); silence has used up the deadline. */
static bool try_again(int error, bool answered, int64_t waited_ms)
{
	switch (error) {
	case MAG_EGONE:
		return true;
	case MAG_EDOWN:
		return answered || waited_ms < PATIENCE_FIRST_MS;
	case MAG_EBUSY:
		return answered;
	default:
		return false;
	}
}

int flow_request(const struct client *c, bool answered, uint16_t message, const void *request,
	struct wire_result *result_r, void *reply)
{
	const struct wire_message *m = wire_message_by_id(message);
	struct client patient = *c;
	int64_t start = ticks_ms(), waited = 0;
	int64_t limit = c->timeout_ms > 0 ? c->timeout_ms : TIMEOUT_DEFAULT_MS;
	int pause = PAUSE_FIRST_MS;
	int r = MAG_EINVAL;

	if (message == WIRE_MSG_SEND || message == WIRE_MSG_ENROLL_PHONE)
		limit += FLOW_SEND_EXTRA_MS;
	while (m) {
		struct wire_result result = { .error = MAG_ESYS };
		patient.timeout_ms = (int)(limit - waited);
		r = client_call(&patient, message, request, &result, reply);
		if (!r && result.error == MAG_EDOWN)
			r = MAG_EDOWN; /* a relay without an auth host: nobody has answered */
		waited = ticks_ms() - start;
		bool again = try_again(r ? r : result.error, answered || !r, waited);
		if (!again || waited + pause >= limit) {
			if (!r)
				*result_r = result;
			return r;
		}
		if (reply)
			wire_clear(&m->reply, reply);
		poll(NULL, 0, pause);
		waited = ticks_ms() - start;
		pause = pause * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause * 2;
	}
	return r;
}

int flow_call(struct flow *f, uint16_t message, const void *request, struct wire_result *result_r,
	void *reply)
{
	struct flow_result *out = f->out;
	int r = flow_request(f->client, out->answered, message, request, result_r, reply);

	if (!r)
		out->answered = true;
	if (!r && result_r->error) {
		r = result_r->error;
		mag_clean(out->detail, sizeof out->detail, result_r->detail);
	}
	if (!r)
		return 0;
	out->error = r;
	if (r == MAG_ESTALE)
		flow_refuse_text(f, VERDICT_TRY_LATER, TEXT_TOO_OLD);
	else if (r == MAG_EPERM)
		flow_refuse(f, VERDICT_NOT_ALLOWED, 0, NULL);
	else
		out->end = FLOW_UNAVAILABLE;
	return r;
}
