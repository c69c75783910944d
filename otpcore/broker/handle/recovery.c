/* Codes for when everything is lost: a person's ten, and the one that root makes
 * so that somebody gets in while the rest is broken. Only hashes are kept. */
#include <string.h>

#include "otpcore/base/log.h"
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/token.h"

#define BREAK_GLASS_MAX ((int64_t)366 * 86400) /* a year, whichever */

/* One code; it leaves in this answer and is not kept. */
static int make(
	struct request *r, struct aggregate *a, enum recovery_kind kind, struct mag_secret *code_r)
{
	unsigned char random[10];
	char text[RECOVERY_TEXT_LEN + 1] = "";
	struct recovery *row = store_add_recovery(r->tick, a);
	int res = row ? mag_random(random, sizeof random) : MAG_ENOSPACE;

	if (res)
		return res;
	recovery_format(random, text);
	res = recovery_hash(text, row->hash.data);
	if (!res)
		res = mag_secret_set_text(code_r, text);
	if (!res) {
		row->row.id = store_new_id();
		row->hash.len = HASH_LEN;
		row->account = a->account.row.id;
		row->kind = kind;
		row->created_at = r->now;
	}
	mag_wipe(random, sizeof random);
	mag_wipe(text, sizeof text);
	return res;
}

int recovery_codes_want(struct request *r)
{
	return grant_want(r, &((const struct wire_recovery_codes_req *)r->body)->grant);
}

static void kill_old(struct request *r, struct aggregate *a)
{
	for (size_t i = 0; i < a->n_recoveries; i++)
		if (a->recoveries[i].kind == RECOVERY_CODE &&
			a->recoveries[i].row.fate != ROW_DELETED)
			store_mark_recovery(r->tick, r->index, &a->recoveries[i], ROW_DELETED);
}

void recovery_codes_decide(struct request *r)
{
	const struct wire_recovery_codes_req *q = r->body;
	struct wire_recovery_codes_rep *p = r->reply;
	struct aggregate *a = request_account(r);
	size_t first;
	int res = 0;

	if (!phone_may_change(r, a, &q->grant))
		return;
	/* They stand in for a factor: who has only the password can't make one. */
	if (!r->standing.root && !phone_has_factor(a, r->now)) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, "register a phone or a token first");
		return;
	}
	kill_old(r, a);
	first = a->n_recoveries;
	for (p->n_codes = 0; !res && p->n_codes < sizeof p->codes / sizeof *p->codes; p->n_codes++)
		res = make(r, a, RECOVERY_CODE, &p->codes[p->n_codes].code);
	if (res) {
		request_error(r, res);
		return;
	}
	for (size_t i = first; i < a->n_recoveries; i++)
		store_mark_recovery(r->tick, r->index, &a->recoveries[i], ROW_NEW);
	token_mail(r, a, "recovery", "");
	request_verdict(r, VERDICT_OK);
}

/* ---- break-glass ---- */

void break_glass_decide(struct request *r)
{
	const struct wire_break_glass_req *q = r->body;
	struct wire_break_glass_rep *p = r->reply;
	struct aggregate *a = request_account(r);
	struct recovery *row;
	int res;

	if (!a->exists) {
		request_verdict(r, VERDICT_ACCOUNT_UNKNOWN);
		return;
	}
	if (!*q->reason || q->until <= r->now || q->until > r->now + BREAK_GLASS_MAX) {
		handle_invalid(r, *q->reason ? "until: a date within a year" : "reason: what for?");
		return;
	}
	res = make(r, a, RECOVERY_BREAK_GLASS, &p->code);
	if (res) {
		request_error(r, res);
		return;
	}
	row = &a->recoveries[a->n_recoveries - 1];
	row->expires_at = q->until;
	mag_clean(row->reason, sizeof row->reason, q->reason);
	mag_copy(row->made_by, sizeof row->made_by, "root");
	store_mark_recovery(r->tick, r->index, row, ROW_NEW);
	token_mail(r, a, "recovery", "");
	request_verdict(r, VERDICT_OK);
}

/* Committed: the audit trail says what for and until when, the code is not in it. */
void break_glass_after(struct request *r)
{
	const struct wire_break_glass_req *q = r->body;
	char reason[129], day[32];

	if (r->result.verdict == VERDICT_OK)
		mag_log(MAG_LOG_NOTICE, "break_glass account=%s until=%s reason=\"%s\"", q->user,
			mag_time_day(q->until, day, sizeof day),
			mag_clean(reason, sizeof reason, q->reason));
}
