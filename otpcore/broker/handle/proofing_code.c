/* The activation code is entered: what waited for it can be used (I1, I3). The failure
 * was charged like a wrong key's before the code is looked at. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/proofing.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/engine/policy.h"
#include "otpcore/engine/throttle.h"

/* SHA-256 of the code; VERDICT_OK, or answered. */
static enum verdict read_code(
	struct request *r, const struct mag_secret *typed, unsigned char hash_r[HASH_LEN])
{
	char text[PROOFING_TEXT_LEN + 1], detail[16] = "";
	struct mag_buf b = MAG_BUF(detail);
	unsigned group = 0;
	enum verdict v = proofing_code_parse(mag_secret_text(typed), text, &group);

	if (v != VERDICT_OK) {
		if (group)
			mag_buf_printf(&b, "%u", group);
		handle_refuse(r, v, detail);
	} else if (proofing_code_hash(text, hash_r)) {
		request_error(r, MAG_ECRYPTO);
		v = VERDICT_NONE;
	}
	mag_wipe(text, sizeof text);
	return v;
}

static void put_name(struct mag_buf *b, const char *kind, const char *masked)
{
	mag_buf_printf(b, "%s%s %s", b->len ? ", " : "", kind, masked);
}

/* The credentials beneath, named; tokens that were held are active. */
static void approve(
	struct request *r, struct aggregate *a, const struct subscription *s, struct mag_buf *names)
{
	char name[32];

	for (size_t i = 0; i < a->n_phones; i++) {
		const struct phone *p = &a->phones[i];

		if (p->subscription == s->row.id && p->state == PHONE_ACTIVE &&
			p->row.fate != ROW_DELETED)
			put_name(names, "phone", p->masked);
	}
	for (size_t i = 0; i < a->n_tokens; i++) {
		struct token *t = &a->tokens[i];

		if (t->subscription != s->row.id || t->state == TOKEN_REVOKED ||
			t->row.fate == ROW_DELETED)
			continue;
		if (lifecycle_move(t, LIFE_APPROVE, ACTOR_BROKER, LIFE_HAS_NOTHING, r->now) ==
			VERDICT_OK)
			store_mark_token(r->tick, r->index, t, ROW_CHANGED);
		token_name(t, name, sizeof name);
		mag_buf_printf(names, "%s%s", names->len ? ", " : "", name);
	}
}

/* All that waits is raised: it is the person who was proofed. What has no credential
 * goes on waiting (H12). The first one that was raised; NULL: none. */
static struct subscription *raise(struct request *r, struct aggregate *a, struct mag_buf *names)
{
	struct subscription *first = NULL;

	for (size_t i = 0; i < a->n_subscriptions; i++) {
		struct subscription *s = &a->subscriptions[i];

		if (!proofing_open(s, r->now) || !proofing_has_credential(a, s))
			continue;
		s->proofing = PROOFING_PASSED;
		s->level = 3;
		store_mark_subscription(r->tick, r->index, s, ROW_CHANGED);
		approve(r, a, s, names);
		if (!first)
			first = s;
	}
	return first;
}

static void use(struct request *r, struct aggregate *a, struct proofing *row)
{
	struct wire_activate_rep *p = r->reply;
	struct mag_buf names, args;
	struct subscription *s;
	char more[320];

	mag_buf_init(&names, p->approved, sizeof p->approved);
	mag_buf_init(&args, more, sizeof more);
	s = raise(r, a, &names);
	if (!s) { /* the code stays good */
		handle_refuse(r, VERDICT_NOT_ALLOWED,
			"register a phone or a token first, then enter the code again");
		return;
	}
	row->state = PROOFING_DONE;
	row->used_at = r->now;
	proofing_mark(r, row);
	p->proofed = 1;
	mag_copy(p->product, sizeof p->product, product_id((enum product)s->product));
	p->level = (uint32_t)s->level;
	p->expires = s->expires_at;
	mag_copy(p->proofing, sizeof p->proofing, proofing_need_id(s->proofing));
	mag_buf_printf(&args, "approved=%s\n", p->approved);
	token_mail(r, a, "proofing-passed", more);
	request_verdict(r, VERDICT_OK);
}

static const char *why_not(const struct proofing *row)
{
	if (row->state == PROOFING_DONE)
		return "it was used already";
	return row->state == PROOFING_DEAD ? "another one replaced it" : "it has expired";
}

void proofing_enter(struct request *r, struct aggregate *a, const struct mag_secret *typed)
{
	unsigned char hash[HASH_LEN];
	struct proofing *row = NULL;
	enum verdict v = read_code(r, typed, hash);

	if (v != VERDICT_OK)
		return;
	r->charge[r->n_charges++] = store_charge(
		r->tick, r->index, THROTTLE_KEY, a->account.row.id, throttle_hour(r->now), 1);
	v = proofing_code_judge(store_proofings(r->tick, a->account.name), hash, r->now, &row);
	if (v == VERDICT_OK)
		use(r, a, row);
	else
		handle_refuse(r, v, row ? why_not(row) : "");
}
