/* What the calendar does to rows: states by the life cycle's table, notices under
 * the key that makes them go once. */
#include "otpcore/broker/calendar_apply.h"

#include <string.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/proofing.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/broker/mail.h"
#include "otpcore/broker/session.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/lifecycle.h"
#include "otpcore/engine/token.h"

#define DAY INT64_C(86400)

/* ---- settings ---- */

void calendar_settings(const struct settings *s, struct calendar_rules *rules_r)
{
	char words[sizeof s->revoke_reminders], *save = NULL;
	size_t n = 0, max = sizeof rules_r->reminders / sizeof *rules_r->reminders - 1;

	*rules_r = (struct calendar_rules){ .remind_before = s->remind_before,
		.suspended_limit = s->suspended_limit,
		.expired_limit = s->expired_limit,
		.renewal_period = s->renewal_period };
	mag_copy(words, sizeof words, s->revoke_reminders);
	for (char *w = strtok_r(words, " ", &save); w && n < max; w = strtok_r(NULL, " ", &save)) {
		int64_t seconds = 0;
		size_t at = n;

		if (mag_duration_parse(w, &seconds) || seconds <= 0)
			continue;
		for (; at > 0 && rules_r->reminders[at - 1] < seconds; at--)
			rules_r->reminders[at] = rules_r->reminders[at - 1];
		rules_r->reminders[at] = seconds;
		n++;
	}
}

/* Days end at midnight and years may be leap years: two days are plenty. */
void calendar_horizon(const struct calendar_rules *rules, int64_t now, struct store_horizon *h_r)
{
	int64_t ahead = rules->reminders[0] + 2 * DAY;

	h_r->expires_before = now + rules->remind_before + 2 * DAY;
	h_r->expired_before = now - rules->expired_limit + ahead;
	h_r->suspended_before = now - rules->suspended_limit + ahead;
}

/* ---- rows ---- */

static struct subscription *subscription_of(const struct aggregate *a, const struct due *d)
{
	for (size_t i = 0; i < a->n_subscriptions; i++)
		if (a->subscriptions[i].row.id == d->subscription)
			return (struct subscription *)&a->subscriptions[i];
	return NULL;
}

static struct token *token_of(const struct aggregate *a, const struct due *d)
{
	for (size_t i = 0; i < a->n_tokens; i++)
		if (a->tokens[i].row.id == d->token)
			return (struct token *)&a->tokens[i];
	return NULL;
}

static bool expire(struct request *r, struct aggregate *a, const struct due *d)
{
	struct subscription *s = subscription_of(a, d);
	struct token *t = token_of(a, d);

	if (t) {
		if (lifecycle_move(t, LIFE_EXPIRE, ACTOR_CALENDAR, LIFE_HAS_NOTHING, r->now) !=
			VERDICT_OK)
			return false;
		store_mark_token(r->tick, r->index, t, ROW_CHANGED);
		return true;
	}
	if (!s || s->state != SUBSCRIPTION_ACTIVE)
		return false;
	s->state = SUBSCRIPTION_EXPIRED;
	store_mark_subscription(r->tick, r->index, s, ROW_CHANGED);
	return true;
}

static bool revoke(struct request *r, struct aggregate *a, const struct due *d)
{
	struct token *t = token_of(a, d);

	if (!t || lifecycle_move(t, LIFE_TIME_OUT, ACTOR_CALENDAR, LIFE_HAS_NOTHING, r->now) !=
			  VERDICT_OK)
		return false;
	store_mark_token(r->tick, r->index, t, ROW_CHANGED);
	session_end_resting(r, a, t->row.id, NULL);
	proofing_drop_lost(r, a);
	return true;
}

/* ---- notices ---- */

static const struct {
	const char *id, *template;
} kinds[] = {
	[DUE_NOTHING] = { "", NULL },
	[DUE_REMIND_EXPIRY] = { "remind-expiry", "expiry-reminder" },
	[DUE_EXPIRE] = { "expire", "expired" },
	[DUE_REMIND_REVOCATION] = { "remind-revocation", "revocation-reminder" },
	[DUE_REVOKE] = { "revoke", "revocation" },
};

static const struct {
	const char *id, *words;
} reasons[] = {
	[DUE_FOR_NOTHING] = { "", "" },
	[DUE_FOR_EXPIRED] = { "expired", "it was not renewed within its time" },
	[DUE_FOR_SUSPENDED] = { "suspended", "it was suspended for too long" },
};

const char *due_kind_id(enum due_kind kind)
{
	return kinds[kind].id;
}

const char *due_reason_id(enum due_reason reason)
{
	return reasons[reason].id;
}

const char *due_credential(const struct aggregate *a, const struct due *d, char *buf, size_t cap)
{
	const struct subscription *s = subscription_of(a, d);
	const struct token *t = token_of(a, d);
	struct mag_buf b;

	mag_buf_init(&b, buf, cap);
	if (t)
		token_name(t, buf, cap);
	else if (s)
		mag_buf_puts(&b, product_id((enum product)s->product));
	return buf;
}

static void fill_values(const struct aggregate *a, const struct due *d, struct mag_buf *b)
{
	char name[64], day[32];

	/* Of a name with control characters no header or line may come. */
	char user[sizeof a->account.name];

	mag_buf_printf(b, "account=%s\n", mag_clean(user, sizeof user, a->account.name));
	mag_buf_printf(b, "%s=%s\n", d->token ? "credential" : "product",
		due_credential(a, d, name, sizeof name));
	mag_buf_printf(b, "date=%s\n", mag_time_day(d->at, day, sizeof day));
	if (d->kind == DUE_REMIND_REVOCATION)
		mag_buf_printf(b, "state=%s\n", reasons[d->reason].id);
	if (d->kind == DUE_REVOKE)
		mag_buf_printf(b, "reason=%s\n", reasons[d->reason].words);
	if (d->invoice_late)
		mag_buf_puts(b, "late=An invoice that is paid now would come too late.\n");
}

/* NULL: nobody to tell, or switched off. That a token expires with its subscription
 * is told by the subscription's notice. */
static struct mail *notice(struct request *r, const struct aggregate *a, const struct due *d)
{
	const char *template = kinds[d->kind].template;
	struct mag_buf args;
	struct mail *m;

	if (!a->account.email.len || !mail_enabled(r->broker->settings, template) ||
		(d->kind == DUE_EXPIRE && d->token))
		return NULL;
	m = store_add_mail(r->tick);
	if (!m)
		return NULL;
	m->row.id = store_new_id();
	m->account = a->account.row.id;
	mag_copy(m->once, sizeof m->once, d->once);
	mag_copy(m->template, sizeof m->template, template);
	mag_buf_init(&args, m->args, sizeof m->args);
	fill_values(a, d, &args);
	m->state = MAIL_WAITING;
	m->created_at = m->next_at = r->now;
	store_mark_mail(r->tick, r->index, m, ROW_NEW);
	return m;
}

bool calendar_apply(
	struct request *r, struct aggregate *a, const struct due *d, struct mail **mail_r)
{
	bool done = false;

	*mail_r = NULL;
	switch (d->kind) {
	case DUE_EXPIRE:
		done = expire(r, a, d);
		break;
	case DUE_REVOKE:
		done = revoke(r, a, d);
		break;
	case DUE_REMIND_EXPIRY:
	case DUE_REMIND_REVOCATION:
		done = true;
		break;
	case DUE_NOTHING:
		break;
	}
	if (done)
		*mail_r = notice(r, a, d);
	return done;
}
