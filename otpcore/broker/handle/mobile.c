/* Mobile ID (M1): the broker makes a seed, the app takes it from the QR code, one
 * code of it binds it. The seed leaves once, in the answer to mobile_add. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/token.h"
#include "otpcore/engine/otp.h"

#define SEED_LEN 20 /* RFC 4226 §4, R6 */
#define DIGITS   6
#define PERIOD   30 /* what every app assumes */

/* request.state, from decide to settle. */
enum { TOKEN_ID, RIGHT, MADE };

/* ---- the address ---- */

/* RFC 3986 §2.3: all but the unreserved is percent-encoded. */
static void put_encoded(struct mag_buf *b, const char *s)
{
	for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			     (*p >= '0' && *p <= '9') || strchr("-._~", *p);

		mag_buf_printf(b, plain ? "%c" : "%%%02X", *p);
	}
}

/* RFC 4648 §6 without padding: 20 bytes are 32 characters. */
static void put_base32(struct mag_buf *b, const unsigned char seed[SEED_LEN])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

	for (size_t bit = 0; bit < SEED_LEN * 8; bit += 5) {
		unsigned two = (unsigned)seed[bit / 8] << 8;

		if (bit / 8 + 1 < SEED_LEN)
			two |= seed[bit / 8 + 1];
		mag_buf_putn(b, &alphabet[two >> (11 - bit % 8) & 31], 1);
	}
}

/* Who issued it and for whom, cut so that three bytes for one still fit. */
static int address(struct request *r, const struct account *account,
	const unsigned char seed[SEED_LEN], struct mag_secret *uri_r)
{
	char issuer[33], name[49], text[513];
	struct mag_buf b = MAG_BUF(text);
	int res;

	mag_clean(issuer, sizeof issuer, *account->organisation ? account->organisation : r->host);
	mag_clean(name, sizeof name, account->name);
	mag_buf_puts(&b, "otpauth://totp/");
	put_encoded(&b, issuer);
	mag_buf_puts(&b, ":");
	put_encoded(&b, name);
	mag_buf_puts(&b, "?secret=");
	put_base32(&b, seed);
	mag_buf_puts(&b, "&issuer=");
	put_encoded(&b, issuer);
	mag_buf_printf(&b, "&algorithm=SHA1&digits=%d&period=%d", DIGITS, PERIOD);
	res = mag_buf_error(&b);
	if (!res)
		res = mag_secret_set_text(uri_r, text);
	mag_wipe(text, sizeof text);
	return res;
}

/* ---- add ---- */

int mobile_add_want(struct request *r)
{
	return grant_want(r, &((const struct wire_mobile_add_req *)r->body)->grant);
}

/* A new row, in the state in which an assigned token waits. */
static struct token *new_row(struct request *r, struct aggregate *a)
{
	struct token *t = store_add_token(r->tick, a);
	struct mag_buf serial;

	if (!t)
		return NULL;
	t->row.id = store_new_id();
	t->account = a->account.row.id;
	t->kind = TOKEN_MOBILE;
	t->type = TOKEN_TOTP;
	t->algorithm = OTP_SHA1;
	t->digits = DIGITS;
	t->period = PERIOD;
	t->state = TOKEN_STOCK;
	t->created_at = r->now;
	mag_copy(t->organisation, sizeof t->organisation, a->account.organisation);
	mag_buf_init(&serial, t->serial, sizeof t->serial);
	mag_buf_printf(&serial, "M%lld", (long long)t->row.id);
	if (lifecycle_move(t, LIFE_ASSIGN, ACTOR_ADMIN, LIFE_HAS_NOTHING, r->now) != VERDICT_OK)
		return NULL;
	return t;
}

/* One that was never confirmed gets a new seed; one that was must go first. */
static struct token *place(struct request *r, struct aggregate *a)
{
	const struct licence_ask ask = { .kind = TOKEN_MOBILE };
	struct token *t = token_held(a, TOKEN_MOBILE);

	if (t && t->state != TOKEN_PENDING_ACTIVATION)
		handle_refuse(r, VERDICT_NOT_ALLOWED, "the account's app must be revoked first");
	else if (!token_licensed(r, a, &ask))
		request_verdict(r, VERDICT_LICENCE_NEEDED);
	else if (t || (t = new_row(r, a)))
		return t;
	else
		request_error(r, MAG_ENOSPACE);
	return NULL;
}

void mobile_add_decide(struct request *r)
{
	const struct wire_mobile_add_req *q = r->body;
	struct wire_mobile_add_rep *p = r->reply;
	struct aggregate *a = request_account(r);
	unsigned char seed[SEED_LEN];
	struct token *t;
	int res;

	if (!phone_may_change(r, a, &q->grant) || !(t = place(r, a)))
		return;
	res = mag_random(seed, sizeof seed);
	if (!res)
		res = seal(r->broker->keyring, "token.secret", t->row.id, seed, sizeof seed,
			&t->secret);
	if (!res)
		res = address(r, &a->account, seed, &p->uri);
	mag_wipe(seed, sizeof seed);
	if (res) {
		request_error(r, res);
		return;
	}
	t->moving = -1;
	t->drift = 0;
	if (*q->label)
		mag_clean(t->label, sizeof t->label, q->label);
	store_mark_token(r->tick, r->index, t, t->row.version ? ROW_CHANGED : ROW_NEW);
	mag_copy(p->id, sizeof p->id, "m1");
	request_verdict(r, VERDICT_OK);
}

/* ---- confirm ---- */

/* The code of the app, and of no step before: burnt if it was right. */
static enum verdict judge(struct request *r, struct token *t)
{
	const struct wire_mobile_confirm_req *q = r->body;
	struct token_position next = { t->moving, t->drift };
	struct mag_secret seed = { 0 };
	struct token_windows w;
	enum verdict v = VERDICT_NONE;

	token_windows_of(r->broker->settings, &w);
	if (!token_seed(r, t, &seed))
		v = token_judge(t, &seed, mag_secret_text(&q->code), r->now, &w, &next);
	mag_secret_free(&seed);
	if (v == VERDICT_OK) {
		t->moving = next.moving;
		t->drift = next.drift;
	}
	return v;
}

static void claim(struct request *r, struct aggregate *a, struct token *t)
{
	const struct licence_ask ask = { TOKEN_MOBILE, false, true };
	struct subscription *s = token_licence(r, a, &ask);

	if (!s) {
		request_verdict(r, VERDICT_LICENCE_NEEDED);
		return;
	}
	t->subscription = s->row.id;
	r->state.i[RIGHT] = 1;
	r->state.i[MADE] = s->row.fate == ROW_NEW ? s->row.id : 0;
	store_mark_token(r->tick, r->index, t, ROW_CHANGED);
}

void mobile_confirm_decide(struct request *r)
{
	struct aggregate *a = request_account(r);
	struct token *t;
	enum verdict v;

	if (!phone_may_touch(r, a))
		return;
	t = token_held(a, TOKEN_MOBILE);
	if (!t || t->state != TOKEN_PENDING_ACTIVATION) {
		request_verdict(r, VERDICT_NO_CODE_PENDING);
		return;
	}
	if (phone_count(a, THROTTLE_ACTIVATION, a->account.row.id, 0) >= ACTIVATION_TRIES) {
		request_verdict(r, VERDICT_ACTIVATION_BLOCKED);
		return;
	}
	r->state.i[TOKEN_ID] = t->row.id;
	r->charge[r->n_charges++] =
		store_charge(r->tick, r->index, THROTTLE_ACTIVATION, a->account.row.id, 0, 1);
	v = judge(r, t);
	request_verdict(r, v);
	if (v == VERDICT_OK)
		claim(r, a, t);
	else if (v == VERDICT_NONE)
		request_error(r, MAG_ECRYPTO);
}

static void activate(struct request *r, struct aggregate *a)
{
	struct wire_mobile_confirm_rep *p = r->reply;
	struct token *t = token_by_row(a, r->state.i[TOKEN_ID]);
	struct subscription *s = t ? token_subscription(a, t) : NULL;

	request_verdict(r, s ? token_activate(r, a, t, LIFE_HAS_CODE) : VERDICT_NONE);
	if (r->result.verdict != VERDICT_OK)
		return;
	mag_copy(p->id, sizeof p->id, "m1");
	p->expires = s->expires_at;
	mag_copy(p->state, sizeof p->state, token_state_id(a, t, r->now));
}

void mobile_confirm_settle(struct request *r)
{
	struct wire_mobile_confirm_rep *p = r->reply;
	struct aggregate *a = request_account(r);
	int64_t tried;

	if (!r->n_charges || r->result.error)
		return;
	tried = store_charged(r->tick, r->charge[0]);
	if (tried > ACTIVATION_TRIES) {
		token_licence_undo(r, a, r->state.i[MADE]);
		request_verdict(r, VERDICT_ACTIVATION_BLOCKED);
	} else if (r->state.i[RIGHT]) {
		activate(r, a);
	} else {
		p->tries_left = phone_left(ACTIVATION_TRIES, tried);
		if (tried == ACTIVATION_TRIES)
			request_verdict(r, VERDICT_ACTIVATION_BLOCKED);
	}
}
