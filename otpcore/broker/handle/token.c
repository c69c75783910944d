/* Tokens, apps, recovery codes, sponsorship: the messages of token.wire, and what
 * their handlers share. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/broker/mail.h"
#include "otpcore/engine/lease.h"
#include "otpcore/engine/policy.h"
#include "otpcore/engine/proofing.h"

enum actor token_actor(const struct request *r)
{
	return r->standing.own && !r->standing.root ? ACTOR_USER : ACTOR_ADMIN;
}

struct token *token_by_row(struct aggregate *a, int64_t id)
{
	for (size_t i = 0; i < a->n_tokens; i++)
		if (id && a->tokens[i].row.id == id && a->tokens[i].row.fate != ROW_DELETED)
			return &a->tokens[i];
	return NULL;
}

struct token *token_held(struct aggregate *a, int64_t kind)
{
	for (size_t i = 0; i < a->n_tokens; i++) {
		struct token *t = &a->tokens[i];

		if (t->kind == kind && t->state != TOKEN_REVOKED && t->row.fate != ROW_DELETED)
			return t;
	}
	return NULL;
}

struct token *token_asked(struct request *r, struct aggregate *a, const char *id)
{
	struct token *t;

	if (!phone_may_touch(r, a))
		return NULL;
	t = token_named(a, id);
	if (!t)
		handle_refuse(r, VERDICT_SERIAL_UNKNOWN, id);
	return t;
}

void token_refuse(struct request *r, enum verdict v, const char *state)
{
	char text[64] = "";
	struct mag_buf b = MAG_BUF(text);

	if (v == VERDICT_NOT_ALLOWED)
		mag_buf_printf(&b, "it is %s", state);
	handle_refuse(r, v, text);
}

/* ---- codes ---- */

void token_windows_of(const struct settings *s, struct token_windows *w_r)
{
	*w_r = (struct token_windows){ .hotp = s->hotp_window,
		.totp = s->totp_window,
		.resync_hotp = s->resync_window_hotp,
		.resync_totp = s->resync_window_totp };
}

int token_seed(struct request *r, const struct token *t, struct mag_secret *seed_r)
{
	return seal_open(r->broker->keyring, "token.secret", t->row.id, &t->secret, seed_r);
}

enum verdict token_pair(struct request *r, struct token *t, const struct mag_secret *code1,
	const struct mag_secret *code2)
{
	const char *const codes[2] = { mag_secret_text(code1), mag_secret_text(code2) };
	struct mag_secret seed = { 0 };
	struct token_position next = { t->moving, t->drift };
	struct token view = lease_view(t, r->now);
	struct token_windows w;
	enum verdict v = VERDICT_NONE;

	if (!lease_allows(t, r->host, r->lease, r->now))
		return VERDICT_TOKEN_LEASED;
	token_windows_of(r->broker->settings, &w);
	if (!token_seed(r, t, &seed))
		v = token_resync(&view, &seed, codes, r->now, &w, &next);
	mag_secret_free(&seed);
	if (v == VERDICT_OK) {
		lease_passed(t, r->now);
		t->moving = next.moving;
		t->drift = next.drift;
	}
	return v;
}

/* ---- the subscription beneath ---- */

static bool carries(int64_t product, int64_t kind)
{
	return product == PRODUCT_MOBILE_HARDWARE ||
	       product == (kind == TOKEN_HARDWARE ? PRODUCT_HARDWARE : PRODUCT_MOBILE);
}

/* Does a credential that can be used rest on it? */
static bool in_use(const struct aggregate *a, const struct subscription *s)
{
	for (size_t i = 0; i < a->n_phones; i++)
		if (a->phones[i].subscription == s->row.id && a->phones[i].state == PHONE_ACTIVE &&
			a->phones[i].row.fate != ROW_DELETED)
			return true;
	for (size_t i = 0; i < a->n_tokens; i++)
		if (a->tokens[i].subscription == s->row.id && a->tokens[i].state == TOKEN_ACTIVE)
			return true;
	return false;
}

/* Whoever comes first must not bind what somebody else paid for: an unregistered
 * sponsorship serves what an administrator does or has assigned (security.md 11). */
static bool may_open(const struct request *r, const struct subscription *s, bool assigned)
{
	return !sponsor_waits(s) || assigned || r->standing.root || r->standing.admin;
}

/* One that was bought for this kind, else any that is in use: an add-on shares its
 * date (H10). */
static struct subscription *found(
	struct request *r, struct aggregate *a, const struct licence_ask *ask)
{
	struct subscription *own = NULL, *other = NULL;

	for (size_t i = 0; i < a->n_subscriptions; i++) {
		struct subscription *s = &a->subscriptions[i];

		if (!subscription_active(s, r->now) || !may_open(r, s, ask->assigned))
			continue;
		if (carries(s->product, ask->kind)) {
			if (!own || s->expires_at > own->expires_at)
				own = s;
		} else if (in_use(a, s) && (!other || s->expires_at > other->expires_at)) {
			other = s;
		}
	}
	return own ? own : other;
}

/* Without keys: root's work, or what an administrator assigned. */
static bool automatic(const struct request *r, const struct licence_ask *ask)
{
	return r->broker->settings->mode == LICENCES_AUTOMATIC &&
	       (r->standing.root || ask->assigned);
}

bool token_licensed(struct request *r, struct aggregate *a, const struct licence_ask *ask)
{
	return found(r, a, ask) || automatic(r, ask);
}

struct subscription *token_licence(
	struct request *r, struct aggregate *a, const struct licence_ask *ask)
{
	struct subscription *s = found(r, a, ask);

	if (s) {
		sponsor_taken(r, s);
		return s;
	}
	if (!automatic(r, ask) || !(s = store_add_subscription(r->tick, a)))
		return NULL;
	s->row.id = store_new_id();
	s->account = a->account.row.id;
	s->product = ask->kind == TOKEN_HARDWARE ? PRODUCT_HARDWARE : PRODUCT_MOBILE;
	s->state = SUBSCRIPTION_ACTIVE;
	s->level = 2;
	s->started_at = s->purchased_at = r->now;
	s->expires_at = licence_expiry(r->now, 1);
	store_mark_subscription(r->tick, r->index, s, ROW_NEW);
	return s;
}

void token_licence_undo(struct request *r, struct aggregate *a, int64_t made)
{
	for (size_t i = 0; i < a->n_subscriptions; i++) {
		struct subscription *s = &a->subscriptions[i];

		if (!made || s->row.id != made)
			continue;
		s->state = SUBSCRIPTION_REVOKED;
		store_mark_subscription(r->tick, r->index, s, ROW_CHANGED);
	}
}

enum verdict token_activate(
	struct request *r, struct aggregate *a, struct token *t, enum life_guard guard)
{
	const struct subscription *s = token_subscription(a, t);
	bool waits = proofing_waits(s);
	char name[32], day[32], more[128];
	struct mag_buf b = MAG_BUF(more);
	enum verdict v = lifecycle_move(t, waits ? LIFE_HOLD : LIFE_ACTIVATE,
		waits ? ACTOR_BROKER : ACTOR_USER, guard, r->now);

	if (v != VERDICT_OK)
		return v;
	store_mark_token(r->tick, r->index, t, ROW_CHANGED);
	store_charge(r->tick, r->index, THROTTLE_ACTIVATION, a->account.row.id, 0, STORE_RESET);
	mag_buf_printf(&b, "credential=%s\ndate=%s\n", token_name(t, name, sizeof name),
		mag_time_day(s ? s->expires_at : 0, day, sizeof day));
	token_mail(r, a, waits ? "proofing-wanted" : "activation", more);
	return v;
}

/* ---- lines of lists ---- */

int64_t token_state_of(const char *id)
{
	for (int64_t s = TOKEN_STOCK; s < TOKEN_STATE_N; s++)
		if (mag_streq(lifecycle_state_id(s), id))
			return s;
	return 0;
}

void token_fill(const struct token_line *l, struct wire_token *w_r)
{
	const struct token *t = l->token;
	bool hardware = t->kind == TOKEN_HARDWARE;

	if (t->account && t->state != TOKEN_REVOKED)
		mag_copy(w_r->id, sizeof w_r->id, hardware ? "t1" : "m1");
	mag_copy(w_r->kind, sizeof w_r->kind, hardware ? "hardware" : "mobile");
	mag_clean(w_r->serial, sizeof w_r->serial, t->serial);
	mag_copy(w_r->type, sizeof w_r->type, t->type == TOKEN_HOTP ? "hotp" : "totp");
	w_r->digits = (uint32_t)t->digits;
	mag_copy(w_r->state, sizeof w_r->state, l->state);
	w_r->since = t->state_since;
	mag_clean(w_r->account, sizeof w_r->account, l->account ? l->account : "");
	mag_clean(w_r->organisation, sizeof w_r->organisation, t->organisation);
	w_r->last_used = t->last_used_at;
	w_r->expires = l->expires;
	lifecycle_actions(t, l->who, w_r->actions, sizeof w_r->actions);
	mag_clean(w_r->label, sizeof w_r->label, t->label);
}

/* ---- mail ---- */

char *token_name(const struct token *t, char *buf, size_t cap)
{
	struct mag_buf b;

	mag_buf_init(&b, buf, cap);
	mag_buf_printf(&b, "%s %s", t->kind == TOKEN_HARDWARE ? "token" : "app", token_masked(t));
	return buf;
}

void token_mail(struct request *r, const struct aggregate *a, const char *kind, const char *more)
{
	struct mag_buf once, args;
	struct mail *m;

	if (!a->account.email.len || !mail_enabled(r->broker->settings, kind))
		return;
	m = store_add_mail(r->tick);
	if (!m)
		return; /* the event itself counts, not its notice */
	m->row.id = store_new_id();
	m->account = a->account.row.id;
	/* The event happens once, in this transaction: so does its notice. */
	mag_buf_init(&once, m->once, sizeof m->once);
	mag_buf_printf(&once, "%s:%lld", kind, (long long)m->row.id);
	mag_copy(m->template, sizeof m->template, kind);
	mag_buf_init(&args, m->args, sizeof m->args);
	mag_buf_printf(&args, "account=%s\n%s", a->account.name, more);
	m->state = MAIL_WAITING;
	m->created_at = m->next_at = r->now;
	store_mark_mail(r->tick, r->index, m, ROW_NEW);
	mails_kick(r->broker->mails);
}

const struct handler handle_token[] = {
	{ WIRE_MSG_TOKEN_STAGE, NULL, token_stage_decide, NULL, NULL, token_stage_after },
	{ WIRE_MSG_TOKEN_COMMIT, NULL, token_commit_decide, NULL, NULL, token_commit_after },
	{ WIRE_MSG_TOKEN_LIST, token_list_want, token_list_decide, NULL, NULL, token_list_after },
	{ WIRE_MSG_TOKEN_SHOW, token_list_want, token_show_decide, NULL, NULL, token_show_after },
	{ WIRE_MSG_TOKEN_ASSIGN, token_assign_want, token_assign_decide, NULL, NULL, NULL },
	{ WIRE_MSG_TOKEN_MINE, NULL, token_mine_decide, NULL, NULL, NULL },
	{ WIRE_MSG_TOKEN_ADD, token_add_want, token_add_decide, token_add_settle, NULL, NULL },
	{ WIRE_MSG_TOKEN_RESYNC, NULL, token_resync_decide, token_resync_settle, NULL, NULL },
	{ WIRE_MSG_TOKEN_SUSPEND, NULL, token_suspend_decide, NULL, NULL, NULL },
	{ WIRE_MSG_TOKEN_RESUME, NULL, token_resume_decide, token_resync_settle, NULL, NULL },
	{ WIRE_MSG_TOKEN_REVOKE, token_revoke_want, token_revoke_decide, NULL, NULL, NULL },
	{ WIRE_MSG_TOKEN_UNLOCK, token_unlock_want, token_unlock_decide, NULL, NULL, NULL },
	{ WIRE_MSG_RENEW, NULL, renew_decide, NULL, NULL, NULL },
	{ WIRE_MSG_MOBILE_ADD, mobile_add_want, mobile_add_decide, NULL, NULL, NULL },
	{ WIRE_MSG_MOBILE_CONFIRM, NULL, mobile_confirm_decide, mobile_confirm_settle, NULL, NULL },
	{ WIRE_MSG_RECOVERY_CODES, recovery_codes_want, recovery_codes_decide, NULL, NULL, NULL },
	{ WIRE_MSG_BREAK_GLASS, NULL, break_glass_decide, NULL, NULL, break_glass_after },
	{ WIRE_MSG_SPONSOR, NULL, sponsor_decide, NULL, sponsor_delivered, NULL },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
