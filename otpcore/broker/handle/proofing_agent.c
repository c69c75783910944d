/* What a proofing agent does: issue the activation code, issue it again, write down
 * a failure, make appointments, list who waits (I1, I2, I4-I7). The gate let in
 * agents for this account, never for the own one, and root. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/proofing.h"
#include "otpcore/broker/handle/token.h"

#define DAY             INT64_C(86400)
#define APPOINTMENT_MAX (366 * DAY)
#define METHOD_WORDS    "method: webcam, credit or in-person"
#define MISSED          "missed"
#define NOTHING_WAITS   "nothing of this account waits for identity proofing"

/* A field that these messages have in common. */
static const void *field_of(const struct request *r, enum wire_type type, const char *name)
{
	const struct wire_struct *s = &r->message->request;

	for (size_t i = 0; i < s->n_fields; i++)
		if (wire_field_of(s, i)->type == type && mag_streq(wire_field_of(s, i)->name, name))
			return (const char *)r->body + wire_field_of(s, i)->offset;
	return NULL;
}

int proofing_agent_want(struct request *r)
{
	int res = grant_want(r, field_of(r, WIRE_SEALED, "grant"));

	return res ? res : store_want_proofings(r->tick, field_of(r, WIRE_ACCOUNT, "user"));
}

/* Under whose name: an agent's own, whatever is said; root says whose it was. */
static const char *agent_of(struct request *r)
{
	const char *said = field_of(r, WIRE_TEXT, "agent");

	return r->standing.root ? (*said ? said : "root")
				: store_account_uid(r->tick, r->peer.uid)->account.name;
}

/* The account that the agent works on; NULL: answered. */
static struct aggregate *working_on(struct request *r)
{
	struct aggregate *a = request_account(r);
	const char *said = field_of(r, WIRE_TEXT, "agent");

	if (!a->exists)
		request_verdict(r, VERDICT_ACCOUNT_UNKNOWN);
	else if (a->account.state != ACCOUNT_ACTIVE)
		handle_refuse(r, VERDICT_NOT_ALLOWED, "the account is not active");
	else if (!grant_peer_proven(r, field_of(r, WIRE_SEALED, "grant")))
		request_verdict(r, VERDICT_ELEVATE_FIRST);
	else if (*said && !r->standing.root && !mag_streq(said, agent_of(r)))
		handle_refuse(r, VERDICT_NOT_ALLOWED, "an agent works under the own name");
	else
		return a;
	return NULL;
}

/* What the work is for; NULL: answered. */
static struct subscription *waiting(struct request *r, struct aggregate *a)
{
	struct subscription *s = proofing_case(r, a);

	if (!s)
		handle_refuse(r, VERDICT_NOT_ALLOWED, NOTHING_WAITS);
	return s;
}

/* The course that the work goes on with; NULL: answered. */
static struct proofing *course(struct request *r, struct aggregate *a)
{
	struct subscription *s = waiting(r, a);
	struct proofing *row = s ? proofing_course(r, a, s) : NULL;

	if (s && !row)
		request_error(r, MAG_ENOSPACE);
	return row;
}

/* Of one person only one code is ever good. */
static void kill_codes(struct request *r, struct aggregate *a)
{
	struct proofings *all = store_proofings(r->tick, a->account.name);

	for (size_t i = 0; i < all->n; i++) {
		if (all->rows[i].state != PROOFING_ISSUED)
			continue;
		all->rows[i].state = PROOFING_DEAD;
		proofing_mark(r, &all->rows[i]);
	}
}

/* ---- issue, reissue ---- */

/* A new code for this course; it leaves in this answer and is not kept. */
static int make_code(struct request *r, struct proofing *row, struct mag_secret *code_r)
{
	unsigned char random[PROOFING_RANDOM_LEN];
	char text[PROOFING_TEXT_LEN + 1] = "";
	int res = mag_random(random, sizeof random);

	if (!res) {
		proofing_code_format(random, text);
		res = proofing_code_hash(text, row->hash.data);
	}
	if (!res)
		res = mag_secret_set_text(code_r, text);
	mag_wipe(random, sizeof random);
	mag_wipe(text, sizeof text);
	if (res)
		return res;
	row->hash.len = HASH_LEN;
	row->state = PROOFING_ISSUED;
	row->decided_at = r->now;
	row->expires_at = r->now + r->broker->settings->proofing_code;
	mag_clean(row->agent, sizeof row->agent, agent_of(r));
	proofing_mark(r, row);
	return 0;
}

/* That there is a code and until when is mailed, the code never is: whoever reads the
 * mail may also have the password. */
static void tell_issued(struct request *r, struct aggregate *a, const struct proofing *row)
{
	char day[32], more[160];
	struct mag_buf b = MAG_BUF(more);

	mag_buf_printf(&b, "date=%s\npost=%s\n", mag_time_day(row->expires_at, day, sizeof day),
		row->outcome == PROOFED_BY_POST ? " by post, in about four business days" : "");
	token_mail(r, a, "proofing-issued", more);
}

/* Everything that speaks against it before a row is touched. 0: answered. */
static enum proofing_method judged(struct request *r, const struct aggregate *a)
{
	const struct wire_proofing_issue_req *q = r->body;
	enum proofing_method m = proofing_method_from_id(q->method);
	const char *fault = m ? proofing_method_fault(&a->account, m) : NULL;

	if (!m)
		handle_invalid(r, METHOD_WORDS);
	else if (q->post && !proofing_outcome_fits(PROOFED_BY_POST, m))
		handle_invalid(r, "post: codes go by post with the credit method only");
	else if (r->standing.root && !*q->agent)
		handle_invalid(r, "agent: who checked the identity?");
	else if (fault)
		handle_refuse(r, VERDICT_NOT_ALLOWED, fault);
	else if (!proofing_name_matches(&a->account, q->name))
		handle_refuse(r, VERDICT_NAME_MISMATCH,
			"if it is this person, correct the account first: magotpctl account set");
	else
		return m;
	return (enum proofing_method)0;
}

void proofing_issue_decide(struct request *r)
{
	const struct wire_proofing_issue_req *q = r->body;
	struct wire_proofing_issue_rep *p = r->reply;
	struct aggregate *a = working_on(r);
	enum proofing_method m = a ? judged(r, a) : (enum proofing_method)0;
	struct proofing *row = m ? course(r, a) : NULL;
	int res;

	if (!row)
		return;
	kill_codes(r, a);
	row->method = m;
	row->outcome = q->post ? PROOFED_BY_POST : PROOFED_OK;
	res = make_code(r, row, &p->code);
	if (res) {
		request_error(r, res);
		return;
	}
	p->expires = row->expires_at;
	mag_copy(p->product, sizeof p->product,
		product_id((enum product)proofing_case(r, a)->product));
	tell_issued(r, a, row);
	request_verdict(r, VERDICT_OK);
}

/* Only while the old one is good: afterwards the person is checked again. */
void proofing_reissue_decide(struct request *r)
{
	struct wire_proofing_reissue_rep *p = r->reply;
	struct aggregate *a = working_on(r);
	struct subscription *s = a ? waiting(r, a) : NULL;
	const struct proofing *old;
	struct proofing *row;
	int res;

	if (!s)
		return;
	old = proofing_issued(store_proofings(r->tick, a->account.name), r->now);
	if (!old) {
		handle_refuse(r, VERDICT_NOT_ALLOWED,
			"no activation code is waiting; to make one: magotpctl proofing issue");
		return;
	}
	row = proofing_new(r, a);
	if (!row) {
		request_error(r, MAG_ENOSPACE);
		return;
	}
	row->subscription = old->subscription;
	row->method = old->method;
	row->outcome = old->outcome;
	row->agreed_at = old->agreed_at;
	kill_codes(r, a);
	res = make_code(r, row, &p->code);
	if (res) {
		request_error(r, res);
		return;
	}
	p->expires = row->expires_at;
	mag_copy(p->product, sizeof p->product, product_id((enum product)s->product));
	tell_issued(r, a, row);
	request_verdict(r, VERDICT_OK);
}

/* ---- fail ---- */

static const char *words_for(enum proofing_method m)
{
	static const char *const words[] = {
		[PROOFING_WEBCAM] = "by webcam",
		[PROOFING_CREDIT] = "with the credit bureau",
		[PROOFING_IN_PERSON] = "in person",
	};

	return words[m];
}

static void tell_failed(struct request *r, struct aggregate *a, enum proofing_method next)
{
	const struct wire_proofing_fail_req *q = r->body;
	char more[160];
	struct mag_buf b = MAG_BUF(more);

	mag_buf_printf(&b, "reason=%s\nnext=%s\n", q->reason, words_for(next));
	token_mail(r, a, "proofing-failed", more);
}

/* I6: one that was missed keeps its course and is made again; one that failed ends
 * it. Either way no code of before is good any more. */
void proofing_fail_decide(struct request *r)
{
	const struct wire_proofing_fail_req *q = r->body;
	struct wire_proofing_fail_rep *p = r->reply;
	enum proofing_method m = proofing_method_from_id(q->method), next;
	enum proofing_outcome o = proofing_outcome_from_id(q->reason);
	bool missed = mag_streq(q->reason, MISSED) && m != PROOFING_CREDIT;
	struct aggregate *a = working_on(r);
	struct proofing *row;

	if (!a)
		return;
	if (!m || (!missed && (o <= PROOFED_BY_POST || !proofing_outcome_fits(o, m)))) {
		handle_invalid(r, !m ? METHOD_WORDS
				     : "reason: credit: not-located, unwilling, disagreed, other; "
				       "webcam, in-person: documents, missed, other");
		return;
	}
	row = course(r, a);
	if (!row)
		return;
	kill_codes(r, a);
	row->state = missed ? PROOFING_MISSED : PROOFING_FAILED;
	row->method = m;
	row->outcome = missed ? 0 : o;
	row->decided_at = r->now;
	mag_clean(row->agent, sizeof row->agent, agent_of(r));
	proofing_mark(r, row);
	next = proofing_next(o, m);
	mag_copy(p->next, sizeof p->next, proofing_method_id(next));
	tell_failed(r, a, next);
	request_verdict(r, VERDICT_OK);
}

/* ---- schedule ---- */

static const char *schedule_fault(const struct request *r, const struct proofing *open)
{
	const struct wire_proofing_schedule_req *q = r->body;
	enum proofing_method m = proofing_method_from_id(q->method);
	bool made =
		open && (open->state == PROOFING_SCHEDULED || open->state == PROOFING_CONFIRMED);

	if (*q->method ? !m || m == PROOFING_CREDIT : !made)
		return "method: webcam or in-person";
	if (!q->at)
		return q->confirm && made ? NULL : "at: when?";
	return q->at <= r->now || q->at > r->now + APPOINTMENT_MAX ? "at: a time within a year"
								   : NULL;
}

static void tell_appointment(struct request *r, struct aggregate *a, const struct proofing *row)
{
	char day[32], more[160];
	struct mag_buf b = MAG_BUF(more);

	mag_buf_printf(&b, "date=%s\nmethod=%s\nstate=%s\n",
		mag_time_minute(row->appointment_at, day, sizeof day),
		words_for((enum proofing_method)row->method),
		row->state == PROOFING_CONFIRMED ? "confirmed" : "not confirmed yet");
	token_mail(r, a, "proofing-appointment", more);
}

void proofing_schedule_decide(struct request *r)
{
	const struct wire_proofing_schedule_req *q = r->body;
	struct wire_proofing_schedule_rep *p = r->reply;
	struct aggregate *a = working_on(r);
	struct subscription *s = a ? waiting(r, a) : NULL;
	struct proofing *row;
	const char *fault;

	if (!s)
		return;
	fault = schedule_fault(r, proofing_under_way(store_proofings(r->tick, a->account.name)));
	if (fault) {
		handle_invalid(r, fault);
		return;
	}
	row = proofing_course(r, a, s);
	if (!row) {
		request_error(r, MAG_ENOSPACE);
		return;
	}
	row->state = q->confirm ? PROOFING_CONFIRMED : PROOFING_SCHEDULED;
	if (*q->method)
		row->method = proofing_method_from_id(q->method);
	if (q->at)
		row->appointment_at = q->at;
	mag_clean(row->agent, sizeof row->agent, agent_of(r));
	proofing_mark(r, row);
	p->at = row->appointment_at;
	mag_copy(p->method, sizeof p->method, proofing_method_id(row->method));
	mag_copy(p->state, sizeof p->state, proofing_state_id(row->state));
	tell_appointment(r, a, row);
	request_verdict(r, VERDICT_OK);
}

/* ---- list: read after the tick ---- */

struct listing {
	struct wire_proofing_list_rep *p;
	int64_t now;
	char last[257];
};

#define LIST_PAGE                                                                                  \
	(sizeof((struct wire_proofing_list_rep *)0)->waiting / sizeof(struct wire_waiting))

static int list_row(const struct store_waiting *row, void *arg)
{
	struct listing *l = arg;
	struct wire_waiting *w = &l->p->waiting[l->p->n_waiting++];
	bool old = row->state == PROOFING_ISSUED && l->now > row->expires_at;

	mag_clean(w->account, sizeof w->account, row->account);
	mag_copy(w->product, sizeof w->product, product_id((enum product)row->product));
	mag_copy(w->proofing, sizeof w->proofing, proofing_need_id(row->proofing));
	mag_copy(w->state, sizeof w->state, old ? "expired" : proofing_state_id(row->state));
	mag_copy(w->method, sizeof w->method, proofing_method_id(row->method));
	w->appointment = row->appointment_at;
	w->expires = row->expires_at;
	mag_copy(l->last, sizeof l->last, row->account);
	return 0;
}

void proofing_list_decide(struct request *r)
{
	request_verdict(r, VERDICT_OK);
}

void proofing_list_after(struct request *r)
{
	const struct wire_proofing_list_req *q = r->body;
	struct listing l = { .p = r->reply, .now = r->now };
	const char *organisation =
		r->standing.root ? ""
				 : store_account_uid(r->tick, r->peer.uid)->account.organisation;
	int res = store_list_waiting(
		r->broker->store, q->cursor, organisation, r->now, LIST_PAGE, list_row, &l);

	if (res < 0)
		request_error(r, res);
	else if (l.p->n_waiting == LIST_PAGE)
		mag_copy(l.p->next, sizeof l.p->next, l.last);
}
