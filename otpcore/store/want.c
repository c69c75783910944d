/* What a tick reads: declared by store_want_*, handed out from decide on. */
#include <stddef.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/tick.h"

static const size_t row_bytes[] = {
	[WANT_ACCOUNT] = sizeof(struct aggregate),
	[WANT_ACCOUNT_UID] = sizeof(struct aggregate),
	[WANT_LOGIN] = sizeof(struct login),
	[WANT_SESSION] = sizeof(struct session),
	[WANT_SESSIONS_OF] = 0,
	[WANT_HISTORY] = sizeof(struct history),
	[WANT_LICENCE] = sizeof(struct licence),
	[WANT_TOKEN] = sizeof(struct token),
	[WANT_THROTTLE] = sizeof(struct throttle),
	[WANT_PROOFINGS] = sizeof(struct proofings),
	[WANT_CHILDREN] = sizeof(struct children),
	[WANT_TERMS] = sizeof(struct terms),
	[WANT_SEATS] = sizeof(struct seats),
	[WANT_HOST] = sizeof(struct host),
	[WANT_CERTIFICATES] = sizeof(struct certificates),
	[WANT_KEY_HOLDER] = sizeof(struct key_holder),
	[WANT_CERTIFICATE] = sizeof(struct certificate),
};

void want_clear_row(struct want *w)
{
	bool account = w->key.kind == WANT_ACCOUNT || w->key.kind == WANT_ACCOUNT_UID;
	size_t size = row_bytes[w->key.kind];

	if (w->key.kind == WANT_SESSIONS_OF)
		size = w->cap * sizeof(struct session);
	if (size > 0)
		memset(w->row, 0, account ? offsetof(struct aggregate, subscriptions) : size);
}

/* ---- declaring ---- */

static const void *keep(struct store_tick *t, const void *data, size_t len)
{
	void *p = arena_get(&t->arena, len);

	return p != NULL ? memcpy(p, data, len) : NULL;
}

static int want(struct store_tick *t, struct want_key k)
{
	struct want *w = want_find(&t->by_key, &k);

	if (w != NULL)
		return 0;
	w = arena_get(&t->arena, sizeof *w);
	if (w == NULL)
		return MAG_ENOMEM;
	w->tick = t;
	w->key = k;
	w->key.text = keep(t, k.text, strlen(k.text) + 1);
	w->key.text2 = keep(t, k.text2, strlen(k.text2) + 1);
	if (k.hash != NULL)
		w->key.hash = keep(t, k.hash, HASH_LEN);
	w->row = arena_room(&t->arena, row_bytes[k.kind]);
	if (w->key.text == NULL || w->key.text2 == NULL || w->row == NULL ||
		(k.hash != NULL && w->key.hash == NULL))
		return MAG_ENOMEM;
	want_clear_row(w);
	want_insert(&t->by_key, w);
	*t->wants_end = w;
	t->wants_end = &w->next;
	return 0;
}

int store_want_account(struct store_tick *t, const char *name)
{
	return want(t, (struct want_key){ WANT_ACCOUNT, name, "", { 0 }, NULL });
}

int store_want_proofings(struct store_tick *t, const char *account)
{
	return want(t, (struct want_key){ WANT_PROOFINGS, account, "", { 0 }, NULL });
}

int store_want_children(struct store_tick *t, const char *account)
{
	return want(t, (struct want_key){ WANT_CHILDREN, account, "", { 0 }, NULL });
}

static int want_once(struct store_tick *t, struct want_key k, int *n)
{
	if (want_find(&t->by_key, &k) != NULL)
		return 0;
	++*n;
	return want(t, k);
}

int store_want_certificates(struct store_tick *t, const char *account)
{
	return want(t, (struct want_key){ WANT_CERTIFICATES, account, "", { 0 }, NULL });
}

int store_want_key_holder(struct store_tick *t, const unsigned char hash[HASH_LEN])
{
	return want(t, (struct want_key){ WANT_KEY_HOLDER, "", "", { 0 }, hash });
}

int store_want_seats(struct store_tick *t, const char *order)
{
	return want(t, (struct want_key){ WANT_SEATS, order, "", { 0 }, NULL });
}

int store_want_host(struct store_tick *t, const char *name)
{
	return want(t, (struct want_key){ WANT_HOST, name, "", { 0 }, NULL });
}

int store_want_terms(struct store_tick *t, const char *account, const char *application)
{
	return want(t, (struct want_key){ WANT_TERMS, account, application, { 0 }, NULL });
}

/* Who has shown to have the keys of those that nobody of this account has shown? And is
 * the one there that a session rests on? */
static int read_certificates(struct store_tick *t, const struct want *w, int *n)
{
	const struct certificates *list = w->key.kind == WANT_CERTIFICATES ? w->row : NULL;
	const struct session *s = w->key.kind == WANT_SESSION ? w->row : NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && list != NULL && i < list->n; i++)
		if (list->rows[i].state == CERTIFICATE_PENDING)
			r = want_once(t,
				(struct want_key){ WANT_KEY_HOLDER, "", "", { 0 },
					list->rows[i].key_hash.data },
				n);
	if (r == 0 && s != NULL && s->certificate != 0)
		r = want_once(t,
			(struct want_key){ WANT_CERTIFICATE, "", "", { s->certificate }, NULL }, n);
	return r;
}

/* Wants that come in here stand behind the one that is looked at. */
int want_read_behind(struct store_tick *t)
{
	int n = 0, r = 0;

	for (struct want *w = t->wants; r == 0 && w != NULL; w = w->next) {
		const struct aggregate *a = w->row;
		bool account = w->key.kind == WANT_ACCOUNT || w->key.kind == WANT_ACCOUNT_UID;

		if (w->loaded)
			r = read_certificates(t, w, &n);
		if (r != 0 || !account || !w->loaded || !a->exists)
			continue;
		if (a->account.parent[0] != '\0')
			r = want_once(t,
				(struct want_key){
					WANT_ACCOUNT, a->account.parent, "", { 0 }, NULL },
				&n);
		if (r == 0 && a->account.enrol_key.len == HASH_LEN)
			r = want_once(t,
				(struct want_key){
					WANT_LICENCE, "", "", { 0 }, a->account.enrol_key.data },
				&n);
	}
	return r != 0 ? r : n;
}

int store_want_account_uid(struct store_tick *t, int64_t uid)
{
	return want(t, (struct want_key){ WANT_ACCOUNT_UID, "", "", { uid }, NULL });
}

int store_want_login(struct store_tick *t, int64_t id)
{
	return want(t, (struct want_key){ WANT_LOGIN, "", "", { id }, NULL });
}

int store_want_session(struct store_tick *t, const char *boot, const char *host, int64_t sid)
{
	return want(t, (struct want_key){ WANT_SESSION, boot, host, { sid }, NULL });
}

int store_want_sessions_of(struct store_tick *t, const char *account)
{
	return want(t, (struct want_key){ WANT_SESSIONS_OF, account, "", { 0 }, NULL });
}

int store_want_history(struct store_tick *t, const char *account)
{
	return want(t, (struct want_key){ WANT_HISTORY, account, "", { 0 }, NULL });
}

int store_want_licence(struct store_tick *t, const unsigned char hash[HASH_LEN])
{
	return want(t, (struct want_key){ WANT_LICENCE, "", "", { 0 }, hash });
}

int store_want_token(struct store_tick *t, const char *serial)
{
	return want(t, (struct want_key){ WANT_TOKEN, serial, "", { 0 }, NULL });
}

int store_want_throttle(
	struct store_tick *t, enum throttle_kind kind, int64_t subject, int64_t period)
{
	return want(t, (struct want_key){ WANT_THROTTLE, "", "", { kind, subject, period }, NULL });
}

/* ---- handing out ---- */

/* The want with this key, from now on in a handler's hands; NULL: not wanted. */
static struct want *hand_out(struct store_tick *t, struct want_key k)
{
	struct want *w = want_find(&t->by_key, &k);

	if (w == NULL)
		return NULL;
	w->handed = true;
	/* Its row looks as if it weren't there: whatever is decided on that, is not
	 * to be. */
	if (w->r != 0 || !w->loaded)
		t->suspect = true;
	if (w->same != NULL) {
		w->same->handed = true;
		return w->same;
	}
	return w;
}

static void *hand_row(struct store_tick *t, struct want_key k)
{
	struct want *w = hand_out(t, k);

	return w != NULL ? w->row : NULL;
}

/* The same row where another want holds it: among the sessions or the tokens of an
 * account. */
static void *one_row(struct store_tick *t, enum want_kind kind, void *found)
{
	struct row *row = found;
	struct want_key key = { kind, "", "", { row != NULL ? row->id : 0 }, NULL };
	struct want *node = row != NULL && row->id != 0 ? want_find(&t->by_row, &key) : NULL;

	if (node == NULL)
		return row;
	node->home->handed = true;
	return node->row;
}

struct aggregate *store_account(struct store_tick *t, const char *name)
{
	return hand_row(t, (struct want_key){ WANT_ACCOUNT, name, "", { 0 }, NULL });
}

struct aggregate *store_account_uid(struct store_tick *t, int64_t uid)
{
	return hand_row(t, (struct want_key){ WANT_ACCOUNT_UID, "", "", { uid }, NULL });
}

struct aggregate *store_parent(struct store_tick *t, const struct aggregate *a)
{
	struct aggregate *parent = NULL;

	if (a->exists && a->account.parent[0] != '\0')
		parent = store_account(t, a->account.parent);
	return parent != NULL && parent->exists ? parent : NULL;
}

struct proofings *store_proofings(struct store_tick *t, const char *account)
{
	return hand_row(t, (struct want_key){ WANT_PROOFINGS, account, "", { 0 }, NULL });
}

const struct children *store_children(struct store_tick *t, const char *account)
{
	return hand_row(t, (struct want_key){ WANT_CHILDREN, account, "", { 0 }, NULL });
}

struct certificates *store_certificates(struct store_tick *t, const char *account)
{
	return hand_row(t, (struct want_key){ WANT_CERTIFICATES, account, "", { 0 }, NULL });
}

const struct certificate *store_certificate(struct store_tick *t, int64_t id)
{
	return hand_row(t, (struct want_key){ WANT_CERTIFICATE, "", "", { id }, NULL });
}

const struct key_holder *store_key_holder(struct store_tick *t, const unsigned char hash[HASH_LEN])
{
	return hand_row(t, (struct want_key){ WANT_KEY_HOLDER, "", "", { 0 }, hash });
}

struct seats *store_seats(struct store_tick *t, const char *order)
{
	return hand_row(t, (struct want_key){ WANT_SEATS, order, "", { 0 }, NULL });
}

struct host *store_host(struct store_tick *t, const char *name)
{
	return hand_row(t, (struct want_key){ WANT_HOST, name, "", { 0 }, NULL });
}

const struct terms *store_terms(struct store_tick *t, const char *account, const char *application)
{
	return hand_row(t, (struct want_key){ WANT_TERMS, account, application, { 0 }, NULL });
}

struct login *store_login(struct store_tick *t, int64_t id)
{
	return hand_row(t, (struct want_key){ WANT_LOGIN, "", "", { id }, NULL });
}

struct session *store_session(struct store_tick *t, const char *boot, const char *host, int64_t sid)
{
	return one_row(t, NODE_SESSION,
		hand_row(t, (struct want_key){ WANT_SESSION, boot, host, { sid }, NULL }));
}

struct session *store_sessions_of(struct store_tick *t, const char *account, size_t *n_r)
{
	struct want *w =
		hand_out(t, (struct want_key){ WANT_SESSIONS_OF, account, "", { 0 }, NULL });

	*n_r = w != NULL ? w->n : 0;
	return w != NULL ? w->row : NULL;
}

const struct history *store_history(struct store_tick *t, const char *account)
{
	return hand_row(t, (struct want_key){ WANT_HISTORY, account, "", { 0 }, NULL });
}

struct licence *store_licence(struct store_tick *t, const unsigned char hash[HASH_LEN])
{
	return hand_row(t, (struct want_key){ WANT_LICENCE, "", "", { 0 }, hash });
}

struct token *store_token(struct store_tick *t, const char *serial)
{
	return one_row(t, NODE_TOKEN,
		hand_row(t, (struct want_key){ WANT_TOKEN, serial, "", { 0 }, NULL }));
}

struct token *store_take_token(struct store_tick *t, struct aggregate *a, struct token *token)
{
	int64_t id = token->row.id;
	struct want_key owner_key = { NODE_SUBJECT, "", "", { a->account.row.id }, NULL };
	struct want_key key = { NODE_TOKEN, "", "", { id }, NULL };
	struct want_key subject = { NODE_SUBJECT, "", "", { id }, NULL };
	struct want *owner = want_find(&t->by_row, &owner_key);
	struct token *row = NULL;

	if (token >= a->tokens && token < a->tokens + a->n_tokens)
		return token;
	/* Only from the inventory: another account's row has a place already. */
	if (id == 0 || owner == NULL || owner->row != a || want_find(&t->by_row, &key) != NULL)
		return NULL;
	row = store_add_token(t, a);
	if (row == NULL)
		return NULL;
	*row = *token;
	row->account = a->account.row.id;
	if (want_node(t, key, row, owner->home) != 0 || want_node(t, subject, a, owner->home) != 0)
		t->error = MAG_ENOMEM;
	return row;
}

struct throttle *store_throttle(
	struct store_tick *t, enum throttle_kind kind, int64_t subject, int64_t period)
{
	struct want *w = hand_out(
		t, (struct want_key){ WANT_THROTTLE, "", "", { kind, subject, period }, NULL });

	return w != NULL ? want_throttle_row(t, kind, subject, period) : NULL;
}
