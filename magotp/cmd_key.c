/* magotpctl key: the keys of the store, and the master key that wraps them. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <json-c/json.h>

#include "magotp/cmd.h"
#include "otpcore/base/text.h"

#define KEYS 9 /* those of a reply, and one for rows that no key opens */

/* What all pages say together. */
struct sum {
	int64_t seen, resealed, broken, total;
	size_t n;
	struct wire_key_rows rows[KEYS];
};

static void add_rows(struct sum *s, const struct wire_key_rows *rows)
{
	size_t i = 0;

	while (i < s->n && !mag_streq(s->rows[i].id, rows->id))
		i++;
	if (i == KEYS)
		return;
	if (i == s->n)
		s->rows[s->n++] = *rows;
	else
		s->rows[i].rows += rows->rows;
}

static int64_t rows_of(const struct sum *s, const char *id)
{
	for (size_t i = 0; i < s->n; i++)
		if (mag_streq(s->rows[i].id, id))
			return s->rows[i].rows;
	return 0;
}

/* All pages. Each is a transaction of its own: whoever stops this has lost nothing. */
static int pages(struct cli *c, bool reseal, struct sum *sum_r)
{
	struct wire_key_page_req q = { .reseal = reseal };
	struct wire_key_page_rep p;
	int r;

	*sum_r = (struct sum){ 0 };
	do {
		memset(&p, 0, sizeof p);
		r = cli_request(c, WIRE_MSG_KEY_PAGE, &q, &p);
		if (r != CLI_DONE)
			break;
		sum_r->seen += p.seen;
		sum_r->resealed += p.resealed;
		sum_r->broken += p.broken;
		sum_r->total = p.total;
		for (size_t i = 0; i < p.n_counts; i++)
			add_rows(sum_r, &p.counts[i]);
		if (p.total > 0)
			cli_progress(c, (size_t)(sum_r->seen < p.total ? sum_r->seen : p.total),
				(size_t)p.total);
		mag_copy(q.cursor, sizeof q.cursor, p.next);
	} while (*q.cursor);
	cli_progress(c, 0, 0);
	return r;
}

/* ---- list ---- */

static const struct column key_columns[] = {
	{ "KEY", "key", CELL_TEXT },
	{ "STATE", "state", CELL_TEXT },
	{ "ROWS", "rows", CELL_INT },
	{ "CREATED", "created", CELL_MINUTE },
	{ "SINCE", "since", CELL_MINUTE },
	{ "REMOVED AFTER", "removed_after", CELL_MINUTE },
	{ "MASTER", "master", CELL_TEXT },
	{ NULL, NULL, CELL_TEXT },
};

static void say_masters(const struct cli *c, const struct wire_key_list_rep *p)
{
	if (*p->other && p->finish)
		cli_note(c,
			"The old master key %s opens the store, too, until every broker has the "
			"new one"
			" and: magotpctl key finish",
			p->other);
	else if (*p->other)
		cli_note(c,
			"The master key %s opens the store, too: change [store] master_key to it, "
			"restart otpcored.",
			p->other);
}

int cmd_key_list(struct cli *c)
{
	struct wire_key_list_rep p = { 0 };
	struct table *t = table_new(key_columns);
	struct sum sum;
	int r = t ? cli_settings(c) : cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");

	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_KEY_LIST, NULL, &p);
	if (r == CLI_DONE)
		r = pages(c, false, &sum);
	for (size_t i = 0; r == CLI_DONE && i < p.n_keys; i++) {
		const struct wire_store_key *k = &p.keys[i];

		table_text(t, k->id);
		table_text(t, k->state);
		table_int(t, rows_of(&sum, k->id));
		table_int(t, k->created);
		table_int(t, k->since);
		table_int(t, k->ends);
		table_text(t, p.master);
	}
	if (r == CLI_DONE)
		r = table_print(c, t);
	if (r == CLI_DONE)
		say_masters(c, &p);
	table_free(&t);
	return r;
}

/* ---- rotate ---- */

/* Until the new key seals: brokers that share a store must have had time to read it. */
static int begin(struct cli *c, struct wire_key_rotate_rep *p_r)
{
	struct wire_key_rotate_req q = { .begin = 1 };
	const struct timespec second = { 1, 0 };
	bool told = false;
	int r;

	while ((r = cli_request(c, WIRE_MSG_KEY_ROTATE, &q, p_r)) == CLI_DONE && p_r->wait) {
		if (!told)
			cli_note(c, "The new key is known to every broker in %u seconds.",
				(unsigned)p_r->wait);
		told = true;
		nanosleep(&second, NULL);
		q.begin = 0;
	}
	return r;
}

static int say_rotated(struct cli *c, const struct wire_key_rotate_rep *p, const struct sum *s)
{
	struct json_object *o;
	char at[32];

	if (c->json) {
		o = json_object_new_object();
		json_object_object_add(o, "key", json_object_new_string(p->key));
		json_object_object_add(o, "rows", json_object_new_int64(s->resealed));
		json_object_object_add(o, "broken", json_object_new_int64(s->broken));
		json_object_object_add(o, "old_removed_after", cli_json_time(p->ends));
		cli_json_print(&o);
		return CLI_DONE;
	}
	cli_say(c, "%lld rows are now under the key %s", (long long)s->resealed, p->key);
	if (p->ends)
		cli_note(c,
			"The old key is removed after %s, when no login has a ticket under it any "
			"more.",
			mag_time_minute(p->ends, at, sizeof at));
	if (s->broken)
		cli_note(c,
			"%lld rows can't be opened by any key: they were changed or damaged. "
			"The old key stays with them.",
			(long long)s->broken);
	return CLI_DONE;
}

static int rotate_data(struct cli *c)
{
	struct wire_key_rotate_req done = { .done = 1 };
	struct wire_key_rotate_rep p = { 0 };
	struct sum sum = { 0 };
	int r = begin(c, &p);

	if (r == CLI_DONE && p.begun)
		cli_note(c, "Goes on with what was begun.");
	if (r == CLI_DONE)
		r = pages(c, true, &sum);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_KEY_ROTATE, &done, &p);
	return r == CLI_DONE ? say_rotated(c, &p, &sum) : r;
}

static int dry_run(struct cli *c)
{
	struct json_object *o;
	struct sum sum;
	int64_t rows = 0;
	int r = pages(c, false, &sum);

	for (size_t i = 0; r == CLI_DONE && i < sum.n; i++)
		rows += sum.rows[i].rows;
	if (r == CLI_DONE && c->json) {
		o = json_object_new_object();
		json_object_object_add(o, "key", NULL);
		json_object_object_add(o, "rows", json_object_new_int64(rows));
		json_object_object_add(o, "broken", json_object_new_int64(sum.broken));
		cli_json_print(&o);
	} else if (r == CLI_DONE) {
		cli_note(c, "Nothing was done. A new key would be made, for %lld sealed values.",
			(long long)rows);
	}
	return r;
}

/* The broker has no right to read a master key: otpcored does it as root, beside it. */
static int rotate_master(struct cli *c, const char *source, bool dry)
{
	const char *args[5] = { "--rekey", source };
	size_t n = 2;

	if (dry)
		args[n++] = "--dry-run";
	if (c->json)
		args[n++] = "--json";

	return cmd_run_otpcored(c, args, "rekey", "The master key was not changed; see above.");
}

int cmd_key_rotate(struct cli *c)
{
	const char *source = cli_opt(c, "--master");
	bool dry = cli_opt(c, "--dry-run") != NULL;
	int r = cli_settings(c);

	if (r != CLI_DONE)
		return r;
	if (source)
		return rotate_master(c, source, dry);
	return dry ? dry_run(c) : rotate_data(c);
}

int cmd_key_finish(struct cli *c)
{
	int r = cli_settings(c);

	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_KEY_FINISH, NULL, NULL);
	return cli_changed(c, r, "the old master key", "opens the store no more");
}
