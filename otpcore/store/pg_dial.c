/* Connecting to PostgreSQL, while the caller's loop goes on: one host of the URL after the
 * other, each with a deadline (libpq's own is for those who wait), until one takes writes.
 * A name is still looked up in place. */
#include "otpcore/store/pg.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/log.h"

#define HOST_MS       3000 /* unless the URL has a connect_timeout */
#define REST_MS       250  /* between two rounds over all hosts */
#define REST_TIMES    4    /* and so many times what names took to be looked up */
#define TELL_EVERY_MS 60000

/* Durable whatever the server's default; nothing of ours waits longer than a login may. */
static const char settings_sql[] =
	"SET synchronous_commit = on; SET statement_timeout = '5s'; SET lock_timeout = '3s';"
	"SET idle_in_transaction_session_timeout = '10s'; SET client_encoding = 'UTF8';"
	"SET standard_conforming_strings = on; SET DateStyle = 'ISO'; SET bytea_output = 'hex'";

/* ---- the hosts of a URL ---- */

static const char *option(const PQconninfoOption *options, const char *name)
{
	for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
		if (strcmp(o->keyword, name) == 0)
			return o->val;
	return NULL;
}

static size_t words(const char *list)
{
	size_t n = list != NULL;

	for (const char *p = list; p != NULL && *p != '\0'; p++)
		n += *p == ',';
	return n;
}

/* The n-th of "a,b,c"; a single one is everybody's. NULL: none. */
static char *word(const char *list, size_t n)
{
	if (list == NULL)
		return NULL;
	for (size_t last = words(list) - 1; n > 0 && last > 0; n--, last--)
		list = strchr(list, ',') + 1;
	return strndup(list, strcspn(list, ","));
}

int pg_dial_init(struct pg *q, char err[STORE_ERROR_MAX])
{
	struct pg_dial *d = &q->dial;
	char *fault = NULL;
	PQconninfoOption *options = PQconninfoParse(q->url, &fault);
	const char *hosts, *addresses, *ports, *timeout;
	long seconds;

	if (options == NULL) {
		pg_tell(err, "url", fault != NULL ? fault : mag_strerror(MAG_ENOMEM));
		PQfreemem(fault);
		return MAG_ESTORE;
	}
	hosts = option(options, "host");
	addresses = option(options, "hostaddr");
	ports = option(options, "port");
	timeout = option(options, "connect_timeout");
	seconds = timeout != NULL ? strtol(timeout, NULL, 10) : 0; /* libpq has looked at it */
	d->host_ms = seconds > 0 && seconds < INT_MAX ? (int64_t)seconds * 1000 : HOST_MS;
	d->n = words(addresses != NULL ? addresses : hosts);
	if (d->n > PG_HOSTS_MAX)
		d->n = PG_HOSTS_MAX;
	for (size_t i = 0; i < d->n; i++)
		d->hosts[i] =
			(struct pg_host){ word(hosts, i), word(addresses, i), word(ports, i) };
	PQconninfoFree(options);
	return 0;
}

static void hang_up(struct pg_dial *d)
{
	PQfinish(d->conn);
	d->conn = NULL;
}

void pg_dial_free(struct pg_dial *d)
{
	hang_up(d);
	for (size_t i = 0; i < d->n; i++) {
		free(d->hosts[i].name);
		free(d->hosts[i].address);
		free(d->hosts[i].port);
	}
}

/* ---- one host ---- */

/* What the URL says wins over what stands before it; the host comes last. */
static PGconn *start(struct pg *q)
{
	const struct pg_host none = { NULL, NULL, NULL };
	const struct pg_host *h = q->dial.n > 0 ? &q->dial.hosts[q->dial.at] : &none;
	const char *const keys[] = { "application_name", "target_session_attrs", "sslmode",
		"ssl_min_protocol_version", "keepalives_idle", "tcp_user_timeout", "dbname", "host",
		"hostaddr", "port", NULL };
	const char *const values[] = { "otpcored", "read-write", "verify-full", "TLSv1.2", "10",
		"8000", q->url, h->name, h->address, h->port, NULL };

	return PQconnectStartParams(keys, values, 1);
}

static void dial_host(struct pg *q)
{
	struct pg_dial *d = &q->dial;
	int64_t before = pg_clock_ms();

	d->conn = start(q);
	d->stage = DIAL_CONNECT;
	d->polling = PGRES_POLLING_WRITING; /* "as if PQconnectPoll had last returned" it */
	d->until = pg_clock_ms() + d->host_ms;
	d->blocked += pg_clock_ms() - before;
}

/* Across a network only with TLS. */
static bool safe(PGconn *conn)
{
	const char *host = PQhost(conn);

	return PQsslInUse(conn) || host == NULL || *host == '\0' || *host == '/';
}

/* Connected, but is it good for us? */
static int judge(struct pg *q)
{
	struct pg_dial *d = &q->dial;

	if (!safe(d->conn))
		pg_tell(d->error, "PostgreSQL",
			"without TLS only by a local socket: take sslmode out of "
			"the url");
	else if (PQserverVersion(d->conn) < 120000)
		pg_tell(d->error, "PostgreSQL", "version 12 or newer is needed");
	else if (PQsetnonblocking(d->conn, 1) == 0 &&
		 pg_start_saying(q, d->conn, settings_sql) == 0) {
		d->stage = DIAL_SETTINGS;
		return BACKEND_PENDING;
	}
	return MAG_ESTORE;
}

static bool has_come(const struct pg_dial *d)
{
	struct pollfd p = { PQsocket(d->conn),
		d->polling == PGRES_POLLING_WRITING ? POLLOUT : POLLIN, 0 };

	return p.fd >= 0 && poll(&p, 1, 0) > 0;
}

/* 0: connected; BACKEND_PENDING; MAG_ESTORE: not this host, d->error says why. */
static int go_on(struct pg *q)
{
	struct pg_dial *d = &q->dial;
	int r = BACKEND_PENDING;

	if (d->conn == NULL)
		pg_tell(d->error, "PostgreSQL", mag_strerror(MAG_ENOMEM));
	if (d->conn == NULL || PQstatus(d->conn) == CONNECTION_BAD)
		d->polling = PGRES_POLLING_FAILED;
	else if (d->stage == DIAL_CONNECT && has_come(d))
		d->polling = PQconnectPoll(d->conn);
	if (d->polling == PGRES_POLLING_FAILED)
		r = MAG_ESTORE;
	else if (d->stage == DIAL_CONNECT && d->polling == PGRES_POLLING_OK)
		return judge(q);
	else if (d->stage == DIAL_SETTINGS && pg_hear(q, d->conn, "SET", &r))
		r = r == 0 ? 0 : MAG_ESTORE;
	if (r == MAG_ESTORE && d->conn != NULL)
		pg_tell(d->error, "PostgreSQL", PQerrorMessage(d->conn));
	if (r == BACKEND_PENDING && pg_clock_ms() >= d->until) {
		pg_tell(d->error, "PostgreSQL", "no answer");
		return MAG_ESTORE;
	}
	return r;
}

/* ---- all of them ---- */

static void connected(struct pg *q)
{
	struct pg_dial *d = &q->dial;

	q->conn = d->conn;
	q->rolling = false;
	memset(q->prepared, 0, sizeof q->prepared);
	memset(q->guards, 0, sizeof q->guards);
	if (d->told != 0)
		mag_log(MAG_LOG_NOTICE, "store: PostgreSQL is there again");
	d->conn = NULL;
	d->at = 0;
	d->since = d->rest_until = d->told = d->blocked = 0;
}

/* Once for a host, then each minute: it may be away for long. */
static void tell_failure(struct pg_dial *d)
{
	const struct pg_host *h = d->n > 0 ? &d->hosts[d->at] : NULL;
	const char *name = h == NULL ? NULL : h->name != NULL ? h->name : h->address;

	if (!d->quiet && (d->told == 0 || pg_clock_ms() - d->told >= TELL_EVERY_MS))
		mag_log(MAG_LOG_ERROR, "store: %s%s%s", name != NULL ? name : "",
			name != NULL ? ": " : "", d->error);
}

static void end_round(struct pg_dial *d)
{
	int64_t now = pg_clock_ms();

	if (d->told == 0 || now - d->told >= TELL_EVERY_MS)
		d->told = now;
	d->at = 0;
	d->rest_until = now + REST_MS + REST_TIMES * d->blocked;
	d->blocked = 0;
}

int pg_dial(struct pg *q)
{
	struct pg_dial *d = &q->dial;
	int r = 0;

	if (d->since == 0)
		d->since = pg_clock_ms();
	while (q->conn == NULL) {
		if (pg_clock_ms() < d->rest_until)
			return MAG_EBUSY;
		if (d->conn == NULL)
			dial_host(q);
		r = go_on(q);
		if (r == BACKEND_PENDING)
			return r;
		if (r == 0) {
			connected(q);
			continue;
		}
		tell_failure(d);
		hang_up(d);
		if (++d->at >= d->n)
			end_round(d);
	}
	return 0;
}

bool pg_dial_waits(const struct pg *q, struct store_wait *w_r)
{
	const struct pg_dial *d = &q->dial;
	bool resting = d->conn == NULL;

	if (q->conn != NULL || d->since == 0)
		return false;
	*w_r = (struct store_wait){ .fd = resting ? -1 : PQsocket(d->conn),
		.write =
			!resting && d->stage == DIAL_CONNECT && d->polling == PGRES_POLLING_WRITING,
		.ms = (resting ? d->rest_until : d->until) - pg_clock_ms() };
	if (w_r->ms < 0)
		w_r->ms = 0;
	return true;
}

int pg_dial_wait(struct pg *q, char err[STORE_ERROR_MAX])
{
	struct store_wait w = { .fd = -1 };
	int r;

	q->dial.quiet = true; /* the error is the caller's to tell */
	while ((r = pg_dial(q)) == BACKEND_PENDING && pg_dial_waits(q, &w)) {
		struct pollfd p = { w.fd, w.write ? POLLOUT : POLLIN, 0 };

		(void)poll(&p, 1, (int)w.ms);
	}
	q->dial.quiet = false;
	if (r != 0)
		pg_tell(err, "store", q->dial.error);
	return r == 0 ? 0 : MAG_ESTORE;
}
