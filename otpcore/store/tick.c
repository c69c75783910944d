/* A tick: read -> decide -> claim -> settle -> commit, each a phase with a start
 * (which may leave a batch with the backend) and a finish. */
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"
#include "otpcore/store/fault.h"
#include "otpcore/store/spent.h"
#include "otpcore/store/tick.h"

#define DEADLOCKS_MAX 8 /* a tick may meet */

/* ---- a tick and its requests ---- */

int store_tick_new(struct store *s, int64_t now, struct store_tick **tick_r)
{
	struct store_tick *t = calloc(1, sizeof *t);

	if (t == NULL)
		return MAG_ENOMEM;
	t->store = s;
	t->now = now;
	t->alone = NOBODY;
	t->wants_end = &t->wants;
	t->arena.pool = t->batch_arena.pool = t->by_row.arena.pool = &s->pool;
	*tick_r = t;
	return 0;
}

void store_tick_free(struct store_tick **tick)
{
	struct store_tick *t = *tick;

	*tick = NULL;
	if (t == NULL)
		return;
	arena_free(&t->by_row.arena);
	arena_free(&t->batch_arena);
	arena_free(&t->arena);
	free(t->requests);
	free(t->charges.items);
	free(t->refunds.items);
	free(t->claims.items);
	free(t->claims.touches);
	free(t->settled.items);
	free(t->settled.touches);
	free(t->batch.calls);
	free(t);
}

int store_request(struct store_tick *t, void *arg)
{
	if (array_grow(&t->requests, sizeof *t->requests, t->n_requests, &t->cap_requests) != 0)
		return MAG_ENOMEM;
	t->requests[t->n_requests] = (struct tick_request){ .arg = arg, .active = true };
	return (int)t->n_requests++;
}

size_t store_n_requests(const struct store_tick *t)
{
	return t->n_requests;
}

void *store_request_arg(const struct store_tick *t, size_t request)
{
	return request < t->n_requests ? t->requests[request].arg : NULL;
}

bool store_active(const struct store_tick *t, size_t request)
{
	return request < t->n_requests && t->requests[request].active;
}

bool store_lost(const struct store_tick *t, size_t request)
{
	return request < t->n_requests && t->requests[request].lost;
}

bool store_failed(const struct store_tick *t, size_t request)
{
	return request >= t->n_requests || t->requests[request].failed;
}

void store_touch(struct store_tick *t)
{
	t->touched = true;
}

void store_sealed_by(struct store_tick *t, uint32_t key)
{
	t->key = key;
}

bool store_key_moved(const struct store_tick *t)
{
	return t->key_moved;
}

/* ---- batches ---- */

static void batch_clear(struct store_tick *t)
{
	arena_reset(&t->batch_arena);
	t->batch.n = 0;
	t->batch.begin = t->batch.commit = t->batch.unknown = t->batch.again = false;
}

struct store_call *tick_call(struct store_tick *t, int statement, const char *point,
	size_t n_values, struct store_value **values_r)
{
	struct store_batch *b = &t->batch;
	struct store_value *values =
		arena_get(&t->batch_arena, (n_values + 1) * sizeof(struct store_value));

	if (values == NULL || array_grow(&b->calls, sizeof *b->calls, b->n, &b->cap) != 0) {
		t->error = MAG_ENOMEM;
		return NULL;
	}
	b->calls[b->n] = (struct store_call){
		.statement = statement, .point = point, .values = values, .n_values = n_values
	};
	*values_r = values;
	return &b->calls[b->n++];
}

static int batch_run(struct store_tick *t)
{
	struct store *s = t->store;

	return s->ops->run(s->backend, &t->batch);
}

/* ---- who goes on after what ---- */

static void activate(struct store_tick *t)
{
	for (size_t i = 0; i < t->n_requests; i++) {
		struct tick_request *q = &t->requests[i];

		q->active = !q->lost && !q->failed && (t->alone == NOBODY || t->alone == i);
	}
}

/* The next request, from `from` on, that has neither lost nor failed. */
static size_t next_alone(const struct store_tick *t, size_t from)
{
	for (size_t i = from; i < t->n_requests; i++) {
		if (!t->requests[i].lost && !t->requests[i].failed)
			return i;
	}
	return NOBODY;
}

static enum tick_phase run_alone(struct store_tick *t, size_t from)
{
	t->alone = next_alone(t, from);
	return t->alone == NOBODY ? PHASE_END : PHASE_READ;
}

/* All that isn't committed yet fails. */
static enum tick_phase give_up(struct store_tick *t, int r)
{
	for (size_t i = 0; i < t->n_requests; i++) {
		if (t->alone == NOBODY || i >= t->alone)
			t->requests[i].failed = !t->requests[i].lost;
	}
	t->result = r;
	return PHASE_END;
}

/* What they have written is sealed by a key that may be gone soon. */
static size_t lose_active(struct store_tick *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_requests; i++) {
		n += t->requests[i].active;
		t->requests[i].lost = t->requests[i].lost || t->requests[i].active;
	}
	return n;
}

/* Go on without those who lost a race. */
static enum tick_phase after_conflict(struct store_tick *t)
{
	size_t n = t->key_moved ? lose_active(t)
				: write_lost(t, &t->claims) + write_lost(t, &t->settled);

	if (n == 0)
		return give_up(t, MAG_ESTORE);
	if (t->alone != NOBODY)
		return run_alone(t, t->alone + 1);
	return next_alone(t, 0) == NOBODY ? PHASE_END : PHASE_READ;
}

/* Two ticks were in each other's way: half of it once more, the others in a later one. */
static enum tick_phase halve(struct store_tick *t)
{
	size_t n = 0, active = 0;

	for (size_t i = 0; i < t->n_requests; i++)
		active += t->requests[i].active;
	for (size_t i = 0; active > 1 && i < t->n_requests; i++)
		if (t->requests[i].active && ++n > (active + 1) / 2)
			t->requests[i].lost = true;
	return PHASE_READ;
}

/* Something went wrong, nothing of this pass is committed: what now? */
static enum tick_phase after_failure(struct store_tick *t, int r)
{
	struct store *s = t->store;

	if (t->open)
		s->ops->rollback(s->backend);
	t->open = false;
	want_forget_handed(t);
	/* Durable or not, nobody knows; or no memory to go on with; or each request
	 * alone would wait as long again. */
	if (t->batch.unknown || t->error != 0)
		return give_up(t, r);
	if (r == MAG_EBUSY && t->batch.again && t->deadlocks++ < DEADLOCKS_MAX)
		return halve(t);
	if (r == MAG_ECONFLICT)
		return after_conflict(t);
	if (r == MAG_EBUSY)
		return give_up(t, r);
	if (t->alone != NOBODY)
		return PHASE_CHARGES;
	mag_log(MAG_LOG_WARNING, "store: a tick of %zu failed (%s): its requests run alone",
		t->n_requests, mag_strerror(r));
	return run_alone(t, 0);
}

/* ---- phases ---- */

static int start_read(struct store_tick *t)
{
	int r = 0;

	t->charges.n = t->refunds.n = 0;
	write_clear(&t->claims);
	write_clear(&t->settled);
	t->touched = t->suspect = t->open = t->dropped = false;
	t->stamp = store_new_id() >> 1; /* + 1 fits */
	if (t->stamp <= 0)
		return MAG_ESTORE;
	activate(t);
	batch_clear(t);
	r = want_read_calls(t);
	return r == 0 && t->batch.n > 0 ? batch_run(t) : r;
}

static enum tick_phase finish_read(struct store_tick *t, int r)
{
	if (r != 0)
		return give_up(t, r); /* no database: nobody has guessed anything */
	r = want_read_done(t);
	if (r == 0)
		r = want_read_behind(t);
	if (r > 0)
		return PHASE_READ;
	/* Alone, only the request that needs what could not be read fails. */
	if (r == MAG_ESTORE && t->alone != NOBODY)
		r = 0;
	return r == 0 ? PHASE_DECIDE : after_failure(t, r);
}

static int handlers_ok(const struct store_tick *t)
{
	if (t->error != 0)
		return t->error;
	return t->suspect ? MAG_ESTORE : 0;
}

static int start_decide(struct store_tick *t)
{
	t->ops->decide(t, t->arg);
	return handlers_ok(t);
}

void store_lose(struct store_tick *t, size_t request)
{
	t->requests[request].lost = t->dropped = true;
}

/* Nothing was claimed yet: those who gave up are left out of another pass. */
static enum tick_phase finish_decide(struct store_tick *t, int r)
{
	if (r != 0)
		return after_failure(t, r);
	if (!t->dropped)
		return PHASE_CLAIM;
	want_forget_handed(t);
	if (t->alone != NOBODY)
		return run_alone(t, t->alone + 1);
	return next_alone(t, 0) == NOBODY ? PHASE_END : PHASE_READ;
}

static int start_claim(struct store_tick *t)
{
	int r = 0;

	batch_clear(t);
	r = charge_claim_calls(t);
	if (r == 0)
		r = write_calls(t, &t->claims, "store.claim");
	t->wrote = t->claims.n > 0 || (t->charges.n > 0 && !t->store->ops->exclusive);
	t->batch.begin = true;
	return r == 0 && t->batch.n > 0 ? batch_run(t) : r;
}

/* Which writes changed nothing: only calls of write.c must change something. What must hold
 * is the key. */
static void find_losers(struct store_tick *t)
{
	for (size_t i = 0; i < t->batch.n; i++) {
		const struct store_call *c = &t->batch.calls[i];

		if (c->must_change && c->changed == 0)
			((struct write *)c->arg)->lost = true;
		if (c->must_hold && c->r == MAG_ECONFLICT)
			t->key_moved = true;
	}
}

static enum tick_phase finish_claim(struct store_tick *t, int r)
{
	if (r == MAG_ECONFLICT)
		find_losers(t);
	if (r != 0)
		return after_failure(t, r);
	t->open = t->batch.n > 0;
	write_done(t, &t->claims);
	r = charge_claimed(t);
	return r == 0 ? PHASE_SETTLE : after_failure(t, r);
}

static int start_settle(struct store_tick *t)
{
	t->ops->settle(t, t->arg);
	return handlers_ok(t);
}

static enum tick_phase finish_settle(struct store_tick *t, int r)
{
	return r == 0 ? PHASE_COMMIT : after_failure(t, r);
}

/* Whoever was frozen since it decided may come with what nobody could open any more. Behind
 * all others, so that nothing but the COMMIT comes between. */
static int add_key_call(struct store_tick *t)
{
	struct store_value *values = NULL;
	struct store_call *c = NULL;

	if (t->key == 0 || t->store->ops->exclusive || t->claims.n + t->settled.n == 0)
		return 0;
	c = tick_call(t, QUERY_KEY_HOLDS, "store.key", 1, &values);
	if (c == NULL)
		return MAG_ENOMEM;
	values[0] = (struct store_value){ 'i', t->key, NULL, 0 };
	c->must_hold = true;
	return 0;
}

static int start_commit(struct store_tick *t)
{
	int r = 0;

	batch_clear(t);
	r = charge_commit_calls(t);
	if (r == 0)
		r = write_calls(t, &t->settled, "store.settle");
	if (r == 0 && t->touched && !t->wrote && t->batch.n == 0)
		r = charge_decoy_call(t);
	if (r == 0)
		r = add_key_call(t);
	t->batch.begin = !t->open;
	t->batch.commit = true;
	return r == 0 && (t->open || t->batch.n > 0) ? batch_run(t) : r;
}

static enum tick_phase committed(struct store_tick *t)
{
	t->open = false;
	write_done(t, &t->settled);
	spent_tell(t);
	t->any_kept = true;
	want_forget_handed(t);
	return t->alone == NOBODY ? PHASE_END : run_alone(t, t->alone + 1);
}

/* A row by which this pass can be recognised, where what can be read is durable. */
static const struct write *written(const struct store_tick *t)
{
	const struct write_list *const lists[] = { &t->settled, &t->claims };

	for (size_t k = 0; !t->store->ops->exclusive && k < 2; k++) {
		for (size_t i = 0; i < lists[k]->n; i++) {
			const struct write *w = &lists[k]->items[i];

			if (w->table != TABLE_MAIL &&
				(w->fate == ROW_NEW || w->fate == ROW_CHANGED))
				return w;
		}
	}
	return NULL;
}

static enum tick_phase finish_commit(struct store_tick *t, int r)
{
	if (r == MAG_ECONFLICT)
		find_losers(t);
	if (r == 0 && FAULT("store.committed")) {
		t->open = false;
		t->batch.unknown = true;
		r = MAG_ESTORE;
	}
	if (r != 0 && t->batch.unknown && written(t) != NULL)
		return PHASE_LOOK;
	return r == 0 ? committed(t) : after_failure(t, r);
}

static int on_version(const struct store_cells *cells, void *arg)
{
	struct store_tick *t = arg;
	int64_t version = cells->ops->cell_int(cells->statement, 0);

	t->seen = version == t->stamp || version == t->stamp + 1;
	return 0;
}

/* Seen is not yet durable everywhere (a commit that still waited for its replica): a
 * write behind it is, once it is committed. */
static int start_look(struct store_tick *t)
{
	const struct write *w = written(t);
	struct store_value *values = NULL;
	struct store_call *c = NULL;
	int r = 0;

	batch_clear(t);
	t->open = t->seen = false;
	c = tick_call(t, STATEMENT_ROW(w->table, ROW_VERSION), "store.read", 1, &values);
	if (c == NULL)
		return MAG_ENOMEM;
	values[0] = (struct store_value){ 'i', w->row->id, NULL, 0 };
	c->row = on_version;
	c->arg = t;
	r = charge_decoy_call(t);
	t->batch.begin = t->batch.commit = true;
	return r == 0 ? batch_run(t) : r;
}

static enum tick_phase finish_look(struct store_tick *t, int r)
{
	if (r == 0 && t->seen) {
		mag_log(MAG_LOG_NOTICE, "store: a commit whose answer was lost is there");
		return committed(t);
	}
	t->batch.unknown = true;
	return after_failure(t, MAG_ESTORE);
}

/* A guess that was looked at is charged, whatever else came to nothing. */
static int start_charges(struct store_tick *t)
{
	int r = 0;

	t->requests[t->alone].failed = true;
	batch_clear(t);
	charge_keep_positive(&t->charges);
	r = charge_calls(t, &t->charges);
	t->batch.begin = t->batch.commit = true;
	return r == 0 && t->batch.n > 0 ? batch_run(t) : r;
}

static enum tick_phase finish_charges(struct store_tick *t, int r)
{
	t->any_kept = t->any_kept || r == 0;
	want_forget_handed(t);
	if (r != 0 && t->batch.unknown)
		return after_failure(t, r);
	if (r != 0) {
		mag_log(MAG_LOG_ERROR, "store: the charges of a failed request are lost: %s",
			mag_strerror(r));
		t->result = r;
	}
	return run_alone(t, t->alone + 1);
}

struct phase {
	int (*start)(struct store_tick *t);
	enum tick_phase (*finish)(struct store_tick *t, int r);
};
static const struct phase phases[PHASE_END] = {
	[PHASE_READ] = { start_read, finish_read },
	[PHASE_DECIDE] = { start_decide, finish_decide },
	[PHASE_CLAIM] = { start_claim, finish_claim },
	[PHASE_SETTLE] = { start_settle, finish_settle },
	[PHASE_COMMIT] = { start_commit, finish_commit },
	[PHASE_CHARGES] = { start_charges, finish_charges },
	[PHASE_LOOK] = { start_look, finish_look },
};

/* An error only if nobody has anything of this tick. */
static int outcome(const struct store_tick *t)
{
	bool good = t->any_kept;

	for (size_t i = 0; i < t->n_requests; i++)
		good = good || !t->requests[i].failed;
	return good ? 0 : t->result;
}

/* Until the end, or until a batch is pending. The callback `done` may free the
 * tick. */
static void drive(struct store_tick *t)
{
	while (t->phase != PHASE_END) {
		int r = phases[t->phase].start(t);

		if (r == BACKEND_PENDING)
			return;
		t->phase = phases[t->phase].finish(t, r);
	}
	t->ops->done(t, outcome(t), t->arg);
}

static void resume(void *arg, int r)
{
	struct store_tick *t = arg;

	t->phase = phases[t->phase].finish(t, r);
	drive(t);
}

void store_submit(struct store_tick *t, const struct store_tick_ops *ops, void *arg)
{
	struct store *s = t->store;

	t->ops = ops;
	t->arg = arg;
	t->batch.resume = resume;
	t->batch.arg = t;
	t->phase = PHASE_READ;
	s->ops->checkpoint(s->backend, false);
	drive(t);
}
