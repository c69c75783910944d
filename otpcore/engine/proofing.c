/* Identity proofing: subscriptions that wait for it, activation codes, outcomes. */
#include <string.h>

#include "otpcore/base/secret.h"
#include "otpcore/base/text.h"
#include "otpcore/engine/crypto.h"
#include "otpcore/engine/proofing.h"
#include "otpcore/engine/symbols.h"

/* ---- subscriptions ---- */

bool proofing_waits(const struct subscription *s)
{
	return s && s->proofing == PROOFING_WANTED;
}

bool proofing_open(const struct subscription *s, int64_t now)
{
	return subscription_active(s, now) &&
	       (s->proofing == PROOFING_WANTED || s->proofing == PROOFING_ASKED);
}

enum proofing_need proofing_after_key(
	enum proofing_need before, bool with_proofing, bool new_subscription)
{
	if (!with_proofing || before != PROOFING_NONE)
		return before;
	return new_subscription ? PROOFING_WANTED : PROOFING_ASKED;
}

static bool phone_holds(const struct phone *p, int64_t subscription)
{
	return p->subscription == subscription && p->state == PHONE_ACTIVE &&
	       p->row.fate != ROW_DELETED;
}

static bool token_holds(const struct token *t, int64_t subscription)
{
	return t->subscription == subscription && t->row.fate != ROW_DELETED &&
	       t->state != TOKEN_REVOKED && t->state != TOKEN_PENDING_ACTIVATION;
}

bool proofing_has_credential(const struct aggregate *a, const struct subscription *s)
{
	size_t i;

	for (i = 0; i < a->n_phones && i < PHONES_MAX; i++)
		if (phone_holds(&a->phones[i], s->row.id))
			return true;
	for (i = 0; i < a->n_tokens && i < TOKENS_MAX; i++)
		if (token_holds(&a->tokens[i], s->row.id))
			return true;
	return false;
}

bool proofing_lost(const struct aggregate *a, const struct subscription *s)
{
	return s->proofing == PROOFING_PASSED && s->row.fate != ROW_DELETED &&
	       !proofing_has_credential(a, s);
}

/* ---- codes ---- */

void proofing_code_format(
	const unsigned char random[PROOFING_RANDOM_LEN], char text_r[PROOFING_TEXT_LEN + 1])
{
	key_groups_format(random, PROOFING_GROUPS, text_r);
}

bool proofing_code_form(const char *typed)
{
	unsigned char symbols[PROOFING_GROUPS * 5];
	bool same = typed && symbols_read(typed, symbols, sizeof(symbols)) == sizeof(symbols);

	mag_wipe(symbols, sizeof(symbols));
	return same;
}

enum verdict proofing_code_parse(
	const char *typed, char text_r[PROOFING_TEXT_LEN + 1], unsigned *group_r)
{
	return key_groups_parse(typed, PROOFING_GROUPS, text_r, group_r);
}

int proofing_code_hash(const char text[PROOFING_TEXT_LEN + 1], unsigned char hash_r[HASH_LEN])
{
	return crypto_sha256((struct crypto_text){ text, PROOFING_TEXT_LEN }, hash_r);
}

static bool good(const struct proofing *p, int64_t now)
{
	return p->state == PROOFING_ISSUED && p->row.fate != ROW_DELETED && now <= p->expires_at;
}

enum verdict proofing_code_judge(struct proofings *p, const unsigned char hash[HASH_LEN],
	int64_t now, struct proofing **row_r)
{
	struct proofing *found = NULL;
	size_t i;

	for (i = 0; i < p->n && i < PROOFINGS_MAX; i++)
		if (p->rows[i].hash.len == HASH_LEN &&
			mag_equal(p->rows[i].hash.data, hash, HASH_LEN))
			found = &p->rows[i];
	*row_r = found;
	return found && good(found, now) ? VERDICT_OK : VERDICT_PROOFING_CODE_WRONG;
}

/* ---- the agent's work ---- */

static bool later(const struct proofing *x, const struct proofing *y)
{
	return !y || x->created_at > y->created_at;
}

struct proofing *proofing_under_way(struct proofings *p)
{
	struct proofing *found = NULL;
	size_t i;

	for (i = 0; i < p->n && i < PROOFINGS_MAX; i++)
		if (p->rows[i].state >= PROOFING_REQUESTED && p->rows[i].state <= PROOFING_MISSED &&
			later(&p->rows[i], found))
			found = &p->rows[i];
	return found;
}

struct proofing *proofing_issued(struct proofings *p, int64_t now)
{
	struct proofing *found = NULL;
	size_t i;

	for (i = 0; i < p->n && i < PROOFINGS_MAX; i++)
		if (good(&p->rows[i], now) && later(&p->rows[i], found))
			found = &p->rows[i];
	return found;
}

const char *proofing_method_fault(const struct account *a, enum proofing_method m)
{
	if (m != PROOFING_CREDIT || mag_streq(a->country, "US"))
		return NULL;
	return *a->country ? "the credit bureaus know people of the US only: webcam or in-person"
			   : "the account has no country: magotpctl account set USER --country US, "
			     "or webcam or in-person";
}

/* Bits of the methods of which an outcome may come; whether the webcam is next. */
#define BY(method) (1u << (method))
#define BY_SIGHT   (BY(PROOFING_WEBCAM) | BY(PROOFING_IN_PERSON))
#define BY_ANY     (BY_SIGHT | BY(PROOFING_CREDIT))

static const struct {
	const char *id;
	unsigned methods;
	bool then_webcam;
} outcomes[] = {
	[PROOFED_OK] = { "passed", BY_ANY, false },
	[PROOFED_BY_POST] = { "by-post", BY(PROOFING_CREDIT), false },
	[PROOFED_NOT_LOCATED] = { "not-located", BY(PROOFING_CREDIT), true },
	[PROOFED_UNWILLING] = { "unwilling", BY(PROOFING_CREDIT), true },
	[PROOFED_DISAGREED] = { "disagreed", BY(PROOFING_CREDIT), true },
	[PROOFED_DOCUMENTS] = { "documents", BY_SIGHT, false },
	[PROOFED_OTHER] = { "other", BY_ANY, false },
};

#define N_OUTCOMES (sizeof(outcomes) / sizeof(outcomes[0]))

bool proofing_outcome_fits(enum proofing_outcome o, enum proofing_method m)
{
	if ((size_t)o >= N_OUTCOMES || m < PROOFING_WEBCAM || m > PROOFING_IN_PERSON)
		return false;
	return outcomes[o].methods & BY(m);
}

enum proofing_method proofing_next(enum proofing_outcome o, enum proofing_method m)
{
	return (size_t)o < N_OUTCOMES && outcomes[o].then_webcam ? PROOFING_WEBCAM : m;
}

/* ---- words ---- */

static const char *const needs[] = { "", "wanted", "asked", "passed" };
static const char *const states[] = { "", "requested", "scheduled", "confirmed", "missed", "failed",
	"issued", "done", "replaced" };
static const char *const methods[] = { "", "webcam", "credit", "in-person" };

#define LENGTH(list) (sizeof(list) / sizeof(*(list)))

static const char *word(const char *const *list, size_t length, int64_t n)
{
	return n > 0 && (size_t)n < length ? list[n] : "";
}

const char *proofing_need_id(int64_t need)
{
	return word(needs, LENGTH(needs), need);
}

const char *proofing_state_id(int64_t state)
{
	return word(states, LENGTH(states), state);
}

const char *proofing_method_id(int64_t method)
{
	return word(methods, LENGTH(methods), method);
}

enum proofing_method proofing_method_from_id(const char *id)
{
	int m;

	for (m = PROOFING_WEBCAM; m <= PROOFING_IN_PERSON; m++)
		if (mag_streq(methods[m], id))
			return (enum proofing_method)m;
	return (enum proofing_method)0;
}

const char *proofing_outcome_id(int64_t outcome)
{
	return outcome > 0 && (size_t)outcome < N_OUTCOMES ? outcomes[outcome].id : "";
}

enum proofing_outcome proofing_outcome_from_id(const char *id)
{
	size_t o;

	for (o = PROOFED_OK; o < N_OUTCOMES; o++)
		if (mag_streq(outcomes[o].id, id))
			return (enum proofing_outcome)o;
	return (enum proofing_outcome)0;
}
