/* The option table of smsd and what is made of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otpcore/base/err.h"
#include "smsd/gateway/http_settings.h"
#include "smsd/receipt_http.h"
#include "smsd/settings.h"
#include "smsd/template.h"

#define PATH_LEN 512

#define ROW(field) offsetof(struct smsd_settings, field), sizeof(((struct smsd_settings *)0)->field)
static const struct opt smsd_opts[] = {
	{ "socket", OPT_TEXT, RUNDIR "/magotp-smsd/smsd.sock", 0, 0, NULL, ROW(socket),
		"where otpcored hands messages over" },
	{ "user", OPT_TEXT, "magotp-sms", 0, 0, NULL, ROW(user),
		"whom to become when started as root" },
	{ "clients", OPT_WORDS, "magotp", 0, 0, NULL, ROW(clients),
		"users (names or uids) that may hand messages over, beside root" },
	{ "allowed_countries", OPT_WORDS, "US", 0, 0, NULL, ROW(allowed_countries),
		"ISO codes of the countries that get messages; *: every country" },
	{ "budget_hour", OPT_INT, "1000", 0, 100000000, NULL, ROW(budget_hour),
		"messages an hour, all together; beyond it nothing is sent" },
	{ "budget_day", OPT_INT, "10000", 0, 100000000, NULL, ROW(budget_day),
		"messages a day, all together; beyond it nothing is sent" },
	{ "country_hour", OPT_INT, "1000", 0, 100000000, NULL, ROW(each_hour[LIMIT_COUNTRY]),
		"messages an hour to each country" },
	{ "country_day", OPT_INT, "10000", 0, 100000000, NULL, ROW(each_day[LIMIT_COUNTRY]),
		"messages a day to each country" },
	{ "prefix_hour", OPT_INT, "200", 0, 100000000, NULL, ROW(each_hour[LIMIT_PREFIX]),
		"messages an hour to each block of a thousand numbers" },
	{ "prefix_day", OPT_INT, "1000", 0, 100000000, NULL, ROW(each_day[LIMIT_PREFIX]),
		"messages a day to each block of a thousand numbers" },
	{ "number_hour", OPT_INT, "30", 0, 100000000, NULL, ROW(each_hour[LIMIT_NUMBER]),
		"messages an hour to each number or address" },
	{ "number_day", OPT_INT, "100", 0, 100000000, NULL, ROW(each_day[LIMIT_NUMBER]),
		"messages a day to each number or address" },
	{ "used_watch", OPT_INT, "20", 0, 1000, NULL, ROW(used_watch),
		"so many codes in a row that were not used stop a block of numbers for a day" },
	{ "parallel", OPT_INT, "64", 1, 1024, NULL, ROW(parallel),
		"requests to gateways at the same time" },
	{ "max_waiting", OPT_INT, "10000", 1, 1000000, NULL, ROW(max_waiting),
		"messages without an outcome; beyond it new ones are refused" },
	{ "max_watched", OPT_INT, "10000", 0, 1000000, NULL, ROW(max_watched),
		"accepted messages whose receipt is waited for; beyond it, none is" },
	{ "drain", OPT_DURATION, "10s", 0, 300, NULL, ROW(drain),
		"how long a stopping daemon still works on its messages" },
	{ "autofill", OPT_BOOL, "no", 0, 0, NULL, ROW(autofill),
		"end code texts with the line \"@host #code\" that browsers understand" },
	{ "templates", OPT_TEXT, "", 0, 0, NULL, ROW(templates_dir),
		"directory of the e-mails' texts; empty: templates beside this file" },
	/* The http driver reads these. */
	{ "proxy", OPT_TEXT, "", 0, 0, NULL, 0, 0,
		"of gateways on other hosts that name none: http://host:port, https://host:port" },
	{ "proxy_username", OPT_TEXT, "", 0, 0, NULL, 0, 0, "for the proxy" },
	{ "proxy_password", OPT_SECRET, NULL, 0, 0, NULL, 0, 0,
		"for the proxy: file:PATH or credential:NAME" },
	{ "proxy_ca", OPT_TEXT, "", 0, 0, NULL, 0, 0,
		"file of the authorities to trust for an https:// proxy" },
	{ "sandbox", OPT_BOOL, "yes", 0, 0, NULL, ROW(sandbox),
		"give up what is not needed: programs, processes, other files" },
	{ NULL, OPT_TEXT, NULL, 0, 0, NULL, 0, 0, NULL },
};

static const struct opt receipt_opts[] = {
	{ "listen", OPT_TEXT, "", 0, 0, NULL, ROW(receipts.listen),
		"address and port on which providers tell what became of messages; empty: none" },
	{ "url", OPT_TEXT, "", 0, 0, NULL, ROW(receipts.url),
		"what providers are told to call; leads to `listen`" },
	{ "user", OPT_TEXT, "magotp-receipts", 0, 0, NULL, ROW(receipts.user),
		"whom the listening process becomes when started as root" },
	{ "certificate", OPT_TEXT, "", 0, 0, NULL, ROW(receipts.certificate),
		"to speak TLS without a proxy in front: file of the chain" },
	{ "key", OPT_TEXT, "", 0, 0, NULL, ROW(receipts.key), "and of its key" },
	{ NULL, OPT_TEXT, NULL, 0, 0, NULL, 0, 0, NULL },
};

const struct opt_schema *smsd_settings_schema(void)
{
	static struct opt_section sections[] = {
		{ "smsd", 0, smsd_opts, "the daemon" },
		{ "receipts", 0, receipt_opts, "what became of messages" },
		{ NULL, 0, NULL, NULL }, /* gateway: made of the drivers' rows */
		{ NULL, 0, NULL, NULL },
	};
	static const struct opt_schema schema = { sections };

	sections[2] = *gateway_section();
	return &schema;
}

struct load {
	struct smsd_settings *settings;
	const struct opt_tree *tree;
	void *const *shared;
	char *err;
};

static int load_gateway(const char *name, void *arg)
{
	struct load *l = arg;
	struct smsd_settings *s = l->settings;
	int r;

	if (s->n_gateways == GATEWAYS_MAX) {
		snprintf(l->err, OPT_ERROR_MAX, "[gateway %s]: there can be %d gateways at most",
			name, GATEWAYS_MAX);
		return MAG_ERANGE;
	}
	r = gateway_new(name, l->tree, l->shared, &s->gateways[s->n_gateways], l->err);
	if (r == 0)
		s->n_gateways++;
	return r;
}

/* A country that does not exist would silently allow nothing. */
static int check_countries(const char *words, const char *where, char err[OPT_ERROR_MAX])
{
	char copy[sizeof((struct smsd_settings *)0)->allowed_countries], *save = NULL;

	snprintf(copy, sizeof copy, "%s", words);
	if (strcmp(copy, "*") == 0)
		return 0;
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (country_known(w))
			continue;
		snprintf(err, OPT_ERROR_MAX,
			"%s: \"%.20s\" is no country; use ISO codes such as US GB", where, w);
		return MAG_ERANGE;
	}
	return 0;
}

static const char *receipts_fault(struct receipt_settings *r)
{
	size_t len = strlen(r->url);
	struct http_way_end end;
	const char *fault;

	if (!*r->listen)
		return NULL;
	if (!receipt_http_is_address(r->listen))
		return "listen: an address and a port are wanted, such as 127.0.0.1:8090";
	if (!*r->certificate != !*r->key)
		return "certificate and key belong together";
	if (!len)
		return "url is missing";
	if (http_url_check(r->url, false, &end, &fault) < 0 || strchr(r->url, '?'))
		return "url: must be https:// (http:// on this host), without a query";
	if (r->url[len - 1] == '/')
		r->url[len - 1] = '\0';
	return NULL;
}

static int check_receipts(struct smsd_settings *s, char err[OPT_ERROR_MAX])
{
	const char *fault = receipts_fault(&s->receipts);

	if (fault) {
		snprintf(err, OPT_ERROR_MAX, "[receipts] %s", fault);
		return MAG_ESYNTAX;
	}
	for (size_t i = 0; i < s->n_gateways; i++) {
		if (s->gateways[i]->receipts != RECEIPTS_CALLBACK || *s->receipts.listen)
			continue;
		snprintf(err, OPT_ERROR_MAX,
			"[gateway %s] receipts = callback: needs [receipts] listen and url",
			s->gateways[i]->name);
		return MAG_ESYNTAX;
	}
	return 0;
}

static int check(struct smsd_settings *s, char err[OPT_ERROR_MAX])
{
	int r = check_countries(s->allowed_countries, "[smsd] allowed_countries", err);

	if (r == 0)
		r = check_receipts(s, err);

	for (size_t i = 0; i < s->n_gateways && r == 0; i++) {
		char where[64];

		snprintf(where, sizeof where, "[gateway %s] countries", s->gateways[i]->name);
		r = check_countries(s->gateways[i]->countries, where, err);
	}
	return r;
}

/* A name in the directory of the file. */
static const char *beside(const char *file, const char *name, char buf[PATH_LEN])
{
	const char *slash = strrchr(file, '/');

	snprintf(buf, PATH_LEN, "%.*s/%s", slash ? (int)(slash - file) : 1, slash ? file : ".",
		name);
	return buf;
}

/* gateways.d beside the file; NULL where there is none. */
static const char *dropin_dir(const char *file, char buf[PATH_LEN])
{
	return access(beside(file, "gateways.d", buf), F_OK) == 0 ? buf : NULL;
}

int smsd_settings_load(const char *file, void *const *shared, struct smsd_settings **settings_r,
	char err[OPT_ERROR_MAX])
{
	const struct opt_schema *schema = smsd_settings_schema();
	struct smsd_settings *s = calloc(1, sizeof *s);
	struct opt_tree *tree = NULL;
	char dropins[PATH_LEN];
	struct load load;
	int r = MAG_ENOMEM;

	err[0] = '\0';
	if (!s)
		goto out;
	r = opt_load(file, dropin_dir(file, dropins), schema, &tree, err);
	if (r < 0)
		goto out;
	if ((r = opt_fill(tree, &schema->sections[0], "", s, err)) < 0 ||
		(r = opt_fill(tree, &schema->sections[1], "", s, err)) < 0)
		goto out;
	load = (struct load){ s, tree, shared, err };
	if ((r = opt_each_instance(tree, "gateway", load_gateway, &load)) < 0)
		goto out;
	if (!s->templates_dir[0])
		snprintf(s->templates_dir, sizeof s->templates_dir, "%.*s",
			(int)sizeof s->templates_dir - 1, beside(file, "templates", dropins));
	if ((r = mail_templates_read(s->templates_dir, &s->templates, err)) < 0)
		goto out;
	if ((r = check(s, err)) < 0 || (r = template_check(err, OPT_ERROR_MAX)) < 0)
		goto out;
	*settings_r = s;
	s = NULL;
out:
	if (r < 0 && !err[0])
		snprintf(err, OPT_ERROR_MAX, "%s: %s", file, mag_strerror(r));
	opt_tree_free(&tree);
	smsd_settings_free(&s);
	return r;
}

void smsd_settings_free(struct smsd_settings **settings)
{
	struct smsd_settings *s = *settings;

	*settings = NULL;
	if (!s)
		return;
	for (size_t i = 0; i < s->n_gateways; i++)
		gateway_free(&s->gateways[i]);
	mail_templates_free(&s->templates);
	free(s);
}
