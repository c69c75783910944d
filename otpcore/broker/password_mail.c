/* A temporary password: made, and mailed. It goes from memory to smsd as codes do; the
 * store never has it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/mail.h"
#include "otpcore/broker/parts.h"
#include "otpcore/broker/password.h"
#include "otpcore/engine/symbols.h"

#define MAIL_SECONDS  300
#define MAIL_PRIORITY 3
#define SYMBOLS       13 /* of 5 random bits each */
#define GROUP         5

int password_make(struct mag_secret *new_r)
{
	unsigned char random[10], symbols[SYMBOLS] = { 0 };
	char text[32] = "";
	int r = mag_random(random, sizeof random);

	if (!r) {
		symbols_split(random, SYMBOLS, symbols);
		symbols_write(symbols, SYMBOLS, GROUP, text);
		for (char *c = text; *c; c++)
			if (*c >= 'A' && *c <= 'Z')
				*c = (char)(*c - 'A' + 'a');
		r = mag_secret_set_text(new_r, text);
	}
	mag_wipe(random, sizeof random);
	mag_wipe(symbols, sizeof symbols);
	mag_wipe(text, sizeof text);
	return r;
}

bool password_can_mail(const struct broker *b, const struct aggregate *a)
{
	return a->exists && a->account.email.len && mail_enabled(b->settings, "password-reset");
}

/* ---- the request ---- */

struct job {
	char account[257];
	int64_t order;
};

static int want(struct request *r)
{
	return store_want_account(r->tick, ((const struct job *)r->body)->account);
}

static int make_order(struct request *r, const struct aggregate *a, int64_t id)
{
	const struct mag_secret *new = passwords_new_of(r->broker->passwords, id);
	struct sms_order *s = &r->sms;
	struct mag_secret address = { 0 };
	struct mag_buf args = MAG_BUF(s->args);
	char user[sizeof a->account.name];
	int res = new ? seal_open(r->broker->keyring, "account.email", a->account.row.id,
				&a->account.email, &address)
		      : MAG_ESTALE;

	if (!res)
		res = mag_copy(s->to, sizeof s->to, mag_secret_text(&address));
	if (!res)
		res = mag_secret_set(&s->code, new->data, new->len);
	mag_secret_free(&address);
	mag_buf_printf(&args, "account=%s\n", mag_clean(user, sizeof user, a->account.name));
	if (!res)
		res = mag_buf_error(&args);
	if (res)
		return res;
	snprintf(s->id, sizeof s->id, "w%016" PRIx64, id);
	mag_copy(s->template, sizeof s->template, "password-reset");
	mag_copy(s->channel, sizeof s->channel, "email");
	mag_copy(s->language, sizeof s->language, a->account.language);
	s->expires_at = r->now + MAIL_SECONDS;
	s->priority = MAIL_PRIORITY;
	s->mail = id;
	s->wanted = true;
	return 0;
}

static void decide(struct request *r)
{
	const struct job *j = r->body;
	const struct aggregate *a = store_account(r->tick, j->account);

	request_verdict(r, VERDICT_OK);
	if (password_can_mail(r->broker, a) && make_order(r, a, j->order))
		r->sms.wanted = false;
}

/* Without an order no word will come. */
static void after(struct request *r)
{
	const struct job *j = r->body;

	if (!r->sms.wanted)
		passwords_mailed(r->broker->passwords, j->order, DELIVERY_NONE);
}

static const struct handler handle_mail = { 0, want, decide, NULL, NULL, after };

int password_mail(struct broker *b, const char *account, int64_t order)
{
	struct job *j = calloc(1, sizeof *j);
	struct request *r = j ? request_new(b, NULL, &handle_mail, j) : NULL;

	if (!r) {
		free(j);
		return MAG_ENOMEM;
	}
	mag_copy(j->account, sizeof j->account, account);
	j->order = order;
	ticker_add(b->ticker, r);
	return 0;
}
