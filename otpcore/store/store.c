/* Opening a store: which database it is, which schema it has. */
#include "otpcore/store/store.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "otpcore/base/secret.h"
#include "otpcore/store/backend.h"
#ifdef HAVE_POSTGRESQL
#include "otpcore/store/pg.h"
#endif
#include "otpcore/store/fault.h"

/* schemas[n] leads from schema n to n + 1. */
static const char *const schemas[] = {
#include "otpcore/store/schema.inc"
};
_Static_assert(sizeof schemas / sizeof schemas[0] == STORE_SCHEMA,
	"one file in schema/ per step up to STORE_SCHEMA");

static const struct backend_ops *const backends[] = {
	&backend_sqlite,
#ifdef HAVE_POSTGRESQL
	&backend_postgresql,
#endif
};

/* "kind:where". 0 or MAG_EINVAL. */
static int parse(const char *url, const struct backend_ops **ops_r, const char **where_r,
	char err[STORE_ERROR_MAX])
{
	const char *colon = strchr(url, ':');

	for (size_t i = 0; colon != NULL && i < sizeof backends / sizeof backends[0]; i++) {
		size_t n = (size_t)(colon - url);

		if (strlen(backends[i]->kind) != n || strncmp(url, backends[i]->kind, n) != 0)
			continue;
		if (colon[1] != '/' && strcmp(colon + 1, ":memory:") != 0)
			break;
		*ops_r = backends[i];
		*where_r = colon + 1;
		return 0;
	}
	snprintf(err, STORE_ERROR_MAX, "\"%s\": expected sqlite:/absolute/path, sqlite::memory:%s",
		url,
#ifdef HAVE_POSTGRESQL
		" or postgresql://HOST/DATABASE");
#else
		" (this program was built without PostgreSQL)");
#endif
	return MAG_EINVAL;
}

int store_reach(const char *url, struct store_reach *reach_r)
{
	const struct backend_ops *ops = NULL;
	char err[STORE_ERROR_MAX];
	const char *where;

	if (parse(url, &ops, &where, err) != 0)
		return MAG_EINVAL;
#ifdef HAVE_POSTGRESQL
	if (ops == &backend_postgresql)
		return pg_reach(url, reach_r);
#endif
	memset(reach_r, 0, sizeof *reach_r);
	reach_r->thread = ops == &backend_sqlite;
	return 0;
}

static int open_backend(const struct backend_ops *ops, const char *where, struct store **store_r,
	char err[STORE_ERROR_MAX])
{
	struct store *s = calloc(1, sizeof *s);
	int r = MAG_ENOMEM;

	if (s == NULL) {
		snprintf(err, STORE_ERROR_MAX, "%s", mag_strerror(r));
		return r;
	}
	s->ops = ops;
	r = ops->open(where, &s->backend, err);
	if (r == 0)
		r = ops->migrate(s->backend, schemas, STORE_SCHEMA, err);
	if (r != 0)
		store_close(&s);
	else
		*store_r = s;
	return r;
}

int store_open(const char *url, struct store **store_r, char err[STORE_ERROR_MAX])
{
	const struct backend_ops *ops = NULL;
	const char *where = NULL;
	int r = parse(url, &ops, &where, err);

	return r == 0 ? open_backend(ops, where, store_r, err) : r;
}

int store_create(const char *url, char err[STORE_ERROR_MAX])
{
	const struct backend_ops *ops = NULL;
	const char *where = NULL;
	struct store *s = NULL;
	int r = parse(url, &ops, &where, err);

	if (r == 0)
		r = ops->create(where, err);
	if (r != 0)
		return r;
	r = open_backend(ops, where, &s, err);
	store_close(&s);
	if (r != 0 && ops->discard != NULL)
		ops->discard(where); /* what it made: the next time it is not there already */
	return r;
}

int store_vacant(const char *url, char err[STORE_ERROR_MAX])
{
	const struct backend_ops *ops = NULL;
	const char *where = NULL;
	int r = parse(url, &ops, &where, err);

	if (r != 0)
		return r;
	if (ops != &backend_sqlite)
		return ops->create(where, err); /* which makes nothing there */
	if (access(where, F_OK) != 0 && errno == ENOENT)
		return 0;
	snprintf(err, STORE_ERROR_MAX, "%.200s: there is a store already", where);
	return MAG_EEXISTS;
}

int store_sound(struct store *s, char err[STORE_ERROR_MAX])
{
	return s->ops->sound != NULL ? s->ops->sound(s->backend, err) : 0;
}

int store_hasty(struct store *s)
{
	return s->ops->hasty != NULL ? s->ops->hasty(s->backend) : 0;
}

void store_close(struct store **store)
{
	struct store *s = *store;

	*store = NULL;
	if (s == NULL)
		return;
	s->ops->close(s->backend);
	arena_pool_free(&s->pool);
	free(s);
}

const char *store_kind(const struct store *s)
{
	return s->ops->kind;
}

int store_schema(const struct store *s)
{
	(void)s;
	return STORE_SCHEMA; /* an open store has no other */
}

void store_checkpoint(struct store *s)
{
	s->ops->checkpoint(s->backend, true);
}

void store_forget(struct store *s)
{
	if (s->ops->forget != NULL)
		s->ops->forget(s->backend);
}

bool store_waits(const struct store *s, struct store_wait *w_r)
{
	return s->ops->waits != NULL && s->ops->waits(s->backend, w_r);
}

void store_ready(struct store *s)
{
	if (s->ops->ready != NULL)
		s->ops->ready(s->backend);
}

void store_wait(struct store *s)
{
	struct store_wait w = { 0 };

	while (store_waits(s, &w) && w.tick) {
		struct pollfd p = { w.fd, w.write ? POLLIN | POLLOUT : POLLIN, 0 };

		(void)poll(&p, 1, (int)w.ms);
		store_ready(s);
	}
}

int64_t store_new_id(void)
{
	uint64_t id = 0;

	/* Without randomness there is no id: 0, which no table takes. */
	while ((id >> 1) == 0) {
		if (mag_random(&id, sizeof id) != 0)
			return 0;
	}
	return (int64_t)(id >> 1);
}

int64_t store_new_ids(void)
{
	int64_t id = 0, first = 0;

	while (first == 0) {
		id = store_new_id();
		if (id == 0)
			return 0;
		first = id & ~(int64_t)(STORE_IDS - 1);
	}
	return first;
}

/* ---- statements ---- */

static const char *const queries[QUERY_COUNT] = {
#define QUERY(name, types, text) text,
#include "otpcore/store/query.inc"
#undef QUERY
};

char *statement_text(int statement)
{
	int row = statement - QUERY_COUNT;

	if (row < 0)
		return row_expand(queries[statement]);
	return row_sql((enum row_table)(row / ROW_VERBS), (enum row_verb)(row % ROW_VERBS));
}

#ifdef MAG_FAULT
int fault_sql(struct store *s, const char *sql)
{
	return s->ops->script(s->backend, sql);
}
#endif
