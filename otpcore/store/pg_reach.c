/* Which ports and files libpq will want for a URL, so that the sandbox leaves them open. */
#include "otpcore/store/pg.h"

#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

#define PORT_DEFAULT 5432

/* A list's words, "" among them: each is told. */
static void each(const char *list, void (*word)(const char *word, void *arg), void *arg)
{
	char copy[1024], *at = copy, *next;

	if (mag_copy(copy, sizeof copy, list))
		return;
	do {
		next = strchr(at, ',');
		if (next)
			*next++ = '\0';
		word(at, arg);
		at = next;
	} while (at);
}

/* A directory of sockets, an abstract one, or (empty) the usual directory. */
static void look_at_host(const char *host, void *arg)
{
	struct store_reach *reach = arg;

	if (*host != '\0' && *host != '/' && *host != '@')
		reach->network = true;
}

static void look_at_port(const char *text, void *arg)
{
	struct store_reach *reach = arg;
	int64_t port = PORT_DEFAULT;

	if (*text != '\0' && mag_int_parse(text, 1, UINT16_MAX, &port) != 0)
		return;
	if (reach->n_ports == STORE_REACH_MAX)
		reach->any_port = true;
	else
		reach->ports[reach->n_ports++] = (uint16_t)port;
}

static void look_at_address(const char *address, void *arg)
{
	struct store_reach *reach = arg;

	if (*address != '\0')
		reach->network = true;
}

/* A service's entry says the rest, in a file of its own. */
static void look_at_service(const char *name, void *arg)
{
	struct store_reach *reach = arg;

	if (*name != '\0')
		reach->network = reach->any_port = true;
}

static void look_at_file(const char *path, void *arg)
{
	struct store_reach *reach = arg;

	if (*path == '/' && reach->n_files < STORE_REACH_MAX &&
		mag_copy(reach->files[reach->n_files], sizeof reach->files[0], path) == 0)
		reach->n_files++;
}

int pg_reach(const char *url, struct store_reach *reach_r)
{
	static const struct {
		const char *key;
		void (*look)(const char *word, void *arg);
	} looks[] = {
		{ "host", look_at_host },
		{ "hostaddr", look_at_address },
		{ "port", look_at_port },
		{ "service", look_at_service },
		{ "passfile", look_at_file },
		{ "sslcert", look_at_file },
		{ "sslkey", look_at_file },
		{ "sslrootcert", look_at_file },
		{ "sslcrl", look_at_file },
		{ "sslcrldir", look_at_file },
	};
	struct store_reach reach = { 0 };
	PQconninfoOption *all = PQconninfoParse(url, NULL);

	if (all == NULL)
		return MAG_EINVAL;
	for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++)
		for (const PQconninfoOption *o = all; o->keyword != NULL; o++)
			if (o->val != NULL && mag_streq(o->keyword, looks[i].key))
				each(o->val, looks[i].look, &reach);
	PQconninfoFree(all);
	if (reach.n_ports == 0)
		reach.ports[reach.n_ports++] = PORT_DEFAULT;
	*reach_r = reach;
	return 0;
}
