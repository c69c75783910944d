/* The terms of applications (O2): who has accepted which, and accepting them. What
 * services make of it is session.c's. */
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/account.h"
#include "otpcore/broker/handle/terms.h"

int terms_want(struct request *r, const char *account, const struct service_settings *service)
{
	return *account && *service->application
		       ? store_want_terms(r->tick, account, service->application)
		       : 0;
}

enum terms_state terms_of(
	struct request *r, const struct aggregate *a, const struct service_settings *service)
{
	struct application_settings application;
	const struct terms *row;

	if (!*service->application || !a->exists)
		return TERMS_ACCEPTED;
	settings_application(r->broker->settings, service->application, &application);
	row = store_terms(r->tick, a->account.name, service->application);
	return row ? terms_judge(row, application.edition, r->now) : TERMS_PENDING;
}

/* ---- lists: read after the tick ---- */

struct listing {
	struct request *r;
	struct wire_terms *rows;
	size_t *n, max;
	char organisation[65], last[65];
	int64_t accounts;
	size_t first;  /* of the organisation's rows */
	size_t listed; /* organisations */
};

/* What is accepted goes beside the application that it is of. */
static int on_terms(const struct terms *row, void *arg)
{
	struct listing *l = arg;

	for (size_t i = l->first; i < *l->n; i++) {
		struct wire_terms *w = &l->rows[i];

		if (!mag_streq(w->application, row->application))
			continue;
		mag_copy(w->state, sizeof w->state,
			terms_state_id(terms_judge(row, w->edition, l->r->now)));
		w->until = terms_until(row, w->edition, l->r->now);
		w->accepted = row->accepted_at;
		w->accepted_edition = (uint32_t)row->edition;
		mag_clean(w->accepted_by, sizeof w->accepted_by, row->accepted_by);
	}
	return 0;
}

static void add_row(struct listing *l, const char *application)
{
	const struct settings *s = l->r->broker->settings;
	struct wire_terms *w = &l->rows[(*l->n)++];
	struct application_settings settings;

	mag_clean(w->organisation, sizeof w->organisation, l->organisation);
	w->accounts = (uint32_t)l->accounts;
	if (!*application)
		return;
	settings_application(s, application, &settings);
	mag_copy(w->application, sizeof w->application, application);
	w->edition = (uint32_t)settings.edition;
	mag_copy(w->state, sizeof w->state, terms_state_id(TERMS_PENDING));
	mag_copy(w->file, sizeof w->file, settings.terms);
}

/* A row for each application; where there are none, one for the organisation. */
static size_t add_rows(struct listing *l)
{
	char names[1024], *save = NULL;
	size_t n = 0;

	l->first = *l->n;
	settings_applications(l->r->broker->settings, names, sizeof names);
	for (char *name = strtok_r(names, " ", &save); name && *l->n < l->max;
		name = strtok_r(NULL, " ", &save), n++)
		add_row(l, name);
	if (!n && *l->n < l->max)
		add_row(l, "");
	return n ? n : 1;
}

static int on_organisation(const char *name, int64_t accounts, void *arg)
{
	struct listing *l = arg;

	mag_copy(l->organisation, sizeof l->organisation, name);
	l->accounts = accounts;
	l->listed++;
	return 1; /* one at a time: what it has accepted is read next */
}

/* The organisation that on_organisation() found. */
static int add_found(struct listing *l)
{
	int res;

	add_rows(l);
	res = store_list_terms(l->r->broker->store, l->organisation, on_terms, l);
	mag_copy(l->last, sizeof l->last, l->organisation);
	return res;
}

static void terms_ok(struct request *r)
{
	request_verdict(r, VERDICT_OK);
}

static void mine_decide(struct request *r)
{
	if (!request_account(r)->exists)
		request_verdict(r, VERDICT_ACCOUNT_UNKNOWN);
	else
		terms_ok(r);
}

static void mine_after(struct request *r)
{
	struct wire_terms_mine_rep *p = r->reply;
	struct listing l = { .r = r,
		.rows = p->terms,
		.n = &p->n_terms,
		.max = sizeof p->terms / sizeof *p->terms };
	int res;

	if (r->result.verdict != VERDICT_OK)
		return;
	mag_copy(l.organisation, sizeof l.organisation, request_account(r)->account.organisation);
	res = add_found(&l);
	if (p->n_terms == 1 && !*p->terms[0].application)
		p->n_terms = 0; /* there are no applications with terms */
	if (res < 0)
		request_error(r, res);
}

/* All of them, a page at a time; "" (accounts of no organisation) comes first. */
static int list_all(struct listing *l, const char *cursor, size_t per_organisation)
{
	struct store *s = l->r->broker->store;
	int res = 0;

	if (!*cursor) {
		l->listed = 0;
		res = store_find_organisation(s, "", on_organisation, l);
		if (res >= 0 && l->listed)
			res = add_found(l);
	}
	mag_copy(l->last, sizeof l->last, cursor);
	while (res >= 0 && *l->n + per_organisation <= l->max) {
		l->listed = 0;
		res = store_list_organisations(s, l->last, 1, on_organisation, l);
		if (res < 0 || !l->listed)
			return res < 0 ? res : 0;
		res = add_found(l);
	}
	return res < 0 ? res : 1; /* there may be more */
}

static size_t applications(const struct settings *s)
{
	char names[1024];
	size_t n = 1;

	settings_applications(s, names, sizeof names);
	for (const char *p = names; *p; p++)
		n += *p == ' ';
	return n;
}

static void list_after(struct request *r)
{
	const struct wire_terms_list_req *q = r->body;
	struct wire_terms_list_rep *p = r->reply;
	const struct account *admin = account_admin(r);
	struct listing l = { .r = r,
		.rows = p->terms,
		.n = &p->n_terms,
		.max = sizeof p->terms / sizeof *p->terms };
	const char *one = admin ? admin->organisation : q->organisation;
	int res;

	if (admin && *q->organisation && !mag_streq(q->organisation, admin->organisation)) {
		request_error(r, MAG_EPERM);
		return;
	}
	if (!*one) {
		res = list_all(&l, q->cursor, applications(r->broker->settings));
		if (res > 0)
			mag_copy(p->next, sizeof p->next, l.last);
	} else {
		res = store_find_organisation(r->broker->store, one, on_organisation, &l);
		if (res >= 0 && l.listed)
			res = add_found(&l);
	}
	if (res < 0)
		request_error(r, res);
}

/* ---- accepting ---- */

static bool known_application(const struct settings *s, const char *name)
{
	char names[1024], *save = NULL;

	settings_applications(s, names, sizeof names);
	for (char *w = strtok_r(names, " ", &save); w; w = strtok_r(NULL, " ", &save))
		if (mag_streq(w, name))
			return true;
	return false;
}

static void accept_decide(struct request *r)
{
	const struct wire_terms_accept_req *q = r->body;
	const struct account *admin = account_admin(r);
	struct application_settings application;

	if (!known_application(r->broker->settings, q->application)) {
		handle_invalid(r, "application: no service of magotp.conf names it");
		return;
	}
	if (admin && *q->organisation && !mag_streq(q->organisation, admin->organisation)) {
		request_error(r, MAG_EPERM);
		return;
	}
	settings_application(r->broker->settings, q->application, &application);
	if (q->edition != application.edition)
		handle_refuse(r, VERDICT_TERMS_PENDING, "another edition is in force");
	else
		terms_ok(r);
}

static void accept_after(struct request *r)
{
	const struct wire_terms_accept_req *q = r->body;
	struct wire_terms_accept_rep *p = r->reply;
	const struct account *admin = account_admin(r);
	struct terms row = { .edition = q->edition, .accepted_at = r->now };
	int res;

	if (r->result.verdict != VERDICT_OK)
		return;
	mag_copy(row.organisation, sizeof row.organisation,
		admin ? admin->organisation : q->organisation);
	mag_copy(row.application, sizeof row.application, q->application);
	mag_copy(row.accepted_by, sizeof row.accepted_by, admin ? admin->name : "root");
	res = store_accept_terms(r->broker->store, &row);
	if (res) {
		request_error(r, res);
		return;
	}
	row.row.id = 1;
	p->until = terms_until(&row, row.edition, r->now);
}

const struct handler handle_terms[] = {
	{ WIRE_MSG_TERMS_MINE, NULL, mine_decide, NULL, NULL, mine_after },
	{ WIRE_MSG_TERMS_LIST, NULL, terms_ok, NULL, NULL, list_after },
	{ WIRE_MSG_TERMS_ACCEPT, NULL, accept_decide, NULL, NULL, accept_after },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
