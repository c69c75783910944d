/* The store's keys, for root: what there is, a new one, rows under it, and the end of a change
 * of the master key. All of it outside the ticks. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "otpcore/base/text.h"
#include "otpcore/broker/handle/handle.h"
#include "otpcore/broker/keys.h"

static const struct handle_word states[] = {
	{ KEY_NEXT, "next" },
	{ KEY_CURRENT, "current" },
	{ KEY_OLD, "old" },
	{ KEY_ENDING, "ending" },
	{ 0, NULL },
};

static void decide(struct request *r)
{
	request_verdict(r, VERDICT_OK);
}

static void put_id(char id_r[9], uint32_t id)
{
	snprintf(id_r, 9, "%08" PRIx32, id);
}

static void put_key(struct wire_key_list_rep *p, const struct data_key *row)
{
	struct wire_store_key *w = &p->keys[p->n_keys++];

	put_id(w->id, (uint32_t)row->row.id);
	mag_copy(w->state, sizeof w->state, handle_word(states, row->state));
	w->created = row->created_at;
	w->since = row->since;
	w->ends = row->state >= KEY_OLD ? row->since + KEYS_RETIRE : 0;
}

static void list_after(struct request *r)
{
	struct wire_key_list_rep *p = r->reply;
	const struct keyring *k = r->broker->keyring;
	struct keys_list list;
	int res = keys_read(r->broker, &list);

	if (res) {
		request_error(r, res);
		return;
	}
	for (size_t i = 0; i < list.n; i++) {
		const struct data_key *row = &list.rows[i];
		bool second = keyring_wraps(k, &row->rewrapped);
		const struct blob *own = second ? &row->rewrapped : &row->wrapped;
		const struct blob *other = second ? &row->wrapped : &row->rewrapped;

		if (row->kind == KEY_DATA) {
			put_key(p, row);
			continue;
		}
		put_id(p->master, seal_key_of(own->data, own->len));
		if (other->len)
			put_id(p->other, seal_key_of(other->data, other->len));
		p->finish = second;
	}
}

/* "0:0", of how it was written here; root's own, so that a wrong one only asks too much. */
static bool cursor(const char *text, struct reseal *at)
{
	int64_t column = 0, after = 0;
	size_t len = strcspn(text, ":");
	char first[8] = "";

	if (*text) {
		if (text[len] != ':' || len >= sizeof first)
			return false;
		memcpy(first, text, len);
		if (mag_int_parse(first, 0, SEALED_COLUMNS - 1, &column) ||
			mag_int_parse(text + len + 1, 0, INT64_MAX, &after))
			return false;
	}
	at->column = (enum store_sealed)column;
	at->after = after;
	return true;
}

static void page_after(struct request *r)
{
	const struct wire_key_page_req *q = r->body;
	struct wire_key_page_rep *p = r->reply;
	struct reseal at = { .mode = q->reseal ? RESEAL_ROWS : RESEAL_COUNT };
	struct reseal_page page;
	int res;

	if (!cursor(q->cursor, &at)) {
		handle_invalid(r, "the cursor is not one of ours");
		return;
	}
	res = reseal_page(r->broker, &at, &page);
	if (!res)
		res = store_count_sealed(r->broker->store, &p->total);
	if (res) {
		request_error(r, res);
		return;
	}
	p->seen = page.seen;
	p->resealed = page.resealed;
	p->broken = page.broken;
	for (size_t i = 0; i < page.n; i++) {
		struct wire_key_rows *w = &p->counts[p->n_counts++];

		put_id(w->id, page.counts[i].id);
		w->rows = page.counts[i].rows;
	}
	if (at.column < SEALED_COLUMNS)
		snprintf(p->next, sizeof p->next, "%u:%" PRId64, (unsigned)at.column, at.after);
}

static void rotate_after(struct request *r)
{
	const struct wire_key_rotate_req *q = r->body;
	struct wire_key_rotate_rep *p = r->reply;
	struct keys_step step = { .begin = q->begin != 0, .done = q->done != 0 };
	int res = keys_rotate(r->broker, &step);

	if (res) {
		request_error(r, res);
	} else if (step.refuse) {
		handle_refuse(r, VERDICT_NOT_ALLOWED, step.refuse);
	} else {
		put_id(p->key, step.current);
		p->begun = step.begun;
		p->wait = (uint32_t)step.wait;
		p->ends = step.ends;
	}
}

static void finish_after(struct request *r)
{
	const char *refuse = NULL;
	int res = keys_finish(r->broker, &refuse);

	if (res)
		request_error(r, res);
	else if (refuse)
		handle_refuse(r, VERDICT_NOT_ALLOWED, refuse);
}

const struct handler handle_key[] = {
	{ WIRE_MSG_KEY_LIST, NULL, decide, NULL, NULL, list_after },
	{ WIRE_MSG_KEY_PAGE, NULL, decide, NULL, NULL, page_after },
	{ WIRE_MSG_KEY_ROTATE, NULL, decide, NULL, NULL, rotate_after },
	{ WIRE_MSG_KEY_FINISH, NULL, decide, NULL, NULL, finish_after },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
