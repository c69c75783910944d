/* Requests: made from a frame, given to the handler of their message. */
#include "otpcore/broker/parts.h"

#include <stdlib.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

/* Families of handle/. */
static const struct handler *const families[] = {
	handle_login,
	handle_session,
	handle_session_list,
	handle_observe,
	handle_phone,
	handle_account,
	handle_connect,
	handle_licence,
	handle_explain,
	handle_sweep,
	handle_terms,
	handle_certificate,
	handle_token,
	handle_proofing,
	handle_host,
	handle_key,
	handle_lease,
	NULL,
};

const struct handler *handler_of(uint16_t message)
{
	for (const struct handler *const *family = families; *family; family++)
		for (const struct handler *h = *family; h->message; h++)
			if (h->message == message)
				return h;
	return NULL;
}

static void order_clear(struct sms_order *o)
{
	mag_secret_free(&o->code);
	*o = (struct sms_order){ 0 };
}

void request_reset(struct request *r)
{
	r->result = (struct wire_result){ .error = MAG_EPERM, .verdict = VERDICT_NONE };
	if (r->message)
		wire_clear(&r->message->reply, r->reply);
	order_clear(&r->sms);
	r->n_charges = 0;
	r->n_spent = 0;
	r->allowed = false;
	r->hold_ms = 0;
	r->pace_whose = PACE_NONE;
	r->look = 0;
	r->state.p = NULL;
	for (size_t i = 0; i < sizeof r->state.i / sizeof *r->state.i; i++)
		r->state.i[i] = 0;
}

void request_spent(struct request *r, int64_t challenge, bool used)
{
	if (r->n_spent < SPENT_CODES)
		r->spent[r->n_spent++] = (struct spent_code){ challenge, used };
}

struct request *request_new(
	struct broker *b, const struct wire_message *m, const struct handler *h, void *body)
{
	struct request *r = calloc(1, sizeof *r);

	if (r && m)
		r->reply = calloc(1, m->reply.size);
	if (!r || (m && !r->reply)) {
		free(r);
		if (m)
			wire_free(&m->request, &body);
		return NULL;
	}
	r->broker = b;
	r->message = m;
	r->handler = h;
	r->body = body;
	r->peer.pidfd = -1;
	mag_copy(r->host, sizeof r->host, b->host);
	mag_copy(r->boot, sizeof r->boot, b->boot);
	request_reset(r);
	return r;
}

void request_free(struct request **r)
{
	if (!*r)
		return;
	order_clear(&(*r)->sms);
	if ((*r)->message) {
		wire_free(&(*r)->message->request, &(*r)->body);
		wire_free(&(*r)->message->reply, &(*r)->reply);
	} else {
		free((*r)->body);
	}
	free(*r);
	*r = NULL;
}
