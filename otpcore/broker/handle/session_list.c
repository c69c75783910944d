/* session_list, session_end: an administrator looks at sessions and takes away
 * what they are worth. Processes are not ours to kill. */
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/account.h"
#include "otpcore/broker/parts.h"

#define PAGE                                                                                       \
	(sizeof((struct wire_session_list_rep *)0)->sessions / sizeof(struct wire_live_session))

/* Pages that are read for one answer: others wait meanwhile. */
#define READS 8

struct listing {
	struct request *r;
	struct wire_session_list_rep *p;
	const char *organisation; /* NULL: all */
	size_t seen;
	int64_t last;
};

/* Of this host more is known than the row says: whether its leader still lives. */
static bool over(const struct request *r, const struct session *s)
{
	return mag_streq(s->host, r->broker->host) &&
	       (!mag_streq(s->boot, r->broker->boot) ||
		       peer_start_of(s->leader_pid) != s->leader_start);
}

static void fill(const struct store_session_row *row, struct wire_live_session *w)
{
	const struct session *s = &row->session;

	mag_copy(w->account, sizeof w->account, row->account);
	mag_copy(w->service, sizeof w->service, s->service);
	mag_clean(w->from, sizeof w->from, s->rhost);
	mag_clean(w->tty, sizeof w->tty, s->tty);
	mag_copy(w->strength, sizeof w->strength, strength_id((enum strength)s->strength));
	w->level = (uint32_t)s->level;
	w->since = s->since;
	w->session = s->sid;
	mag_copy(w->host, sizeof w->host, s->host);
	w->loginuid = (uint32_t)s->loginuid;
	w->begun = row->begun_at;
	mag_copy(w->proven, sizeof w->proven, strength_id((enum strength)row->proven));
}

static int list_row(const struct store_session_row *row, void *arg)
{
	struct listing *l = arg;

	if (l->p->n_sessions == PAGE)
		return 1;
	l->seen++;
	l->last = row->session.row.id;
	if (l->organisation && !mag_streq(l->organisation, row->organisation))
		return 0;
	if (!over(l->r, &row->session))
		fill(row, &l->p->sessions[l->p->n_sessions++]);
	return 0;
}

static void list_decide(struct request *r)
{
	request_verdict(r, VERDICT_OK);
}

static void list_after(struct request *r)
{
	const struct wire_session_list_req *q = r->body;
	struct listing l = { .r = r, .p = r->reply, .last = q->cursor };
	const struct account *admin = account_admin(r);
	int res, reads = 0;

	l.organisation = admin ? admin->organisation : NULL;
	do { /* until the page is full: what is over leaves little of what was read */
		l.seen = 0;
		res = store_list_sessions(
			r->broker->store, l.last, q->user, r->now, PAGE, list_row, &l);
	} while (res >= 0 && l.seen == PAGE && l.p->n_sessions < PAGE && ++reads < READS);
	if (res < 0)
		request_error(r, res);
	else if (l.p->n_sessions == PAGE || l.seen == PAGE)
		l.p->next = l.last;
}

/* ---- end ---- */
static int end_want(struct request *r)
{
	const struct wire_session_end_req *q = r->body;

	return store_want_sessions_of(r->tick, q->user);
}

static void end_decide(struct request *r)
{
	const struct wire_session_end_req *q = r->body;
	struct wire_session_end_rep *p = r->reply;
	const char *host = *q->host ? q->host : r->broker->host;
	size_t n = 0;
	struct session *s = store_sessions_of(r->tick, q->user, &n);

	if (!request_account(r)->exists) {
		request_verdict(r, VERDICT_ACCOUNT_UNKNOWN);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (s[i].ended_at ||
			(!q->all && (s[i].sid != q->session || !mag_streq(s[i].host, host))))
			continue;
		s[i].ended_at = r->now;
		store_mark_session(r->tick, r->index, &s[i], ROW_CHANGED);
		p->ended++;
	}
	request_verdict(r, VERDICT_OK);
}

const struct handler handle_session_list[] = {
	{ WIRE_MSG_SESSION_LIST, NULL, list_decide, NULL, NULL, list_after },
	{ WIRE_MSG_SESSION_END, end_want, end_decide, NULL, NULL, NULL },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
