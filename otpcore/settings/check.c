/* What no single row of the tables can say. */
#include "otpcore/settings/table.h"

#include <arpa/inet.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

struct check {
	struct settings *s;
	char *err;
};

static int complain(const struct check *c, const struct opt_value *v, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* v: the value to blame; NULL: a default. */
static int complain(const struct check *c, const struct opt_value *v, const char *fmt, ...)
{
	char raw[OPT_ERROR_MAX];
	struct mag_buf b = MAG_BUF(raw);
	va_list ap;

	if (v != NULL)
		mag_buf_printf(&b, "%s:%d: %s = %s: ", v->file, v->line, v->key, v->text);
	va_start(ap, fmt);
	mag_buf_vprintf(&b, fmt, ap);
	va_end(ap);
	mag_clean(c->err, OPT_ERROR_MAX, raw);
	return MAG_ESYNTAX;
}

/* Call fn for each of the words that blanks or commas set apart. */
static int each_word(const char *text, int (*fn)(const char *word, void *arg), void *arg)
{
	char *copy = strdup(text), *save = NULL;
	int r = copy == NULL ? MAG_ENOMEM : 0;

	for (char *w = copy == NULL ? NULL : strtok_r(copy, " \t,", &save); r == 0 && w != NULL;
		w = strtok_r(NULL, " \t,", &save))
		r = fn(w, arg);
	free(copy);
	return r;
}

/* ---- [store], [broker] ---- */

static int check_store(const struct check *c)
{
	const struct opt_value *url = opt_get(c->s->tree, "store", "", "url"),
			       *key = opt_get(c->s->tree, "store", "", "master_key");

	if (!mag_has_prefix(c->s->url, "sqlite:/") && !mag_streq(c->s->url, "sqlite::memory:") &&
		!mag_has_prefix(c->s->url, "postgresql://"))
		return complain(c, url, "write sqlite:/PATH or postgresql://...");
	if (!mag_has_prefix(c->s->master_key, "file:/") &&
		!mag_has_prefix(c->s->master_key, "credential:") &&
		!mag_has_prefix(c->s->master_key, "tpm:/"))
		return complain(c, key, "write file:/PATH, credential:NAME or tpm:/PATH");
	if (*c->s->audit_file != '/' && !mag_streq(c->s->audit_file, "none"))
		return complain(c, opt_get(c->s->tree, "audit", "", "file"), "write /PATH or none");
	if (*c->s->journal != '/' && !mag_streq(c->s->journal, "no"))
		return complain(
			c, opt_get(c->s->tree, "store", "", "journal"), "write /PATH or no");
	return 0;
}

static int add_service(struct check *c, uint32_t uid, const char *service)
{
	struct settings *s = c->s;
	struct settings_verifier *v;
	struct mag_buf b;
	size_t i = 0;

	while (i < s->n_verifiers && s->verifier[i].uid != uid)
		i++;
	if (i == s->n_verifiers) {
		v = reallocarray(s->verifier, i + 1, sizeof(*v));
		if (v == NULL)
			return MAG_ENOMEM;
		s->verifier = v;
		s->verifier[s->n_verifiers++] = (struct settings_verifier){ .uid = uid };
	}
	v = &s->verifier[i];
	b = (struct mag_buf){ v->services, sizeof(v->services), strlen(v->services), false };
	mag_buf_printf(&b, "%s%s", b.len == 0 ? "" : " ", service);
	return mag_buf_error(&b);
}

static int check_verifier(const char *word, void *arg)
{
	struct check *c = arg;
	const struct opt_value *v = opt_get(c->s->tree, "broker", "", "verifiers");
	const char *colon = strchr(word, ':');
	char user[64];
	const struct passwd *pw;

	if (colon == NULL || colon == word || colon[1] == '\0' ||
		(size_t)(colon - word) >= sizeof(user))
		return complain(c, v, "%s is not USER:SERVICE", word);
	snprintf(user, sizeof(user), "%.*s", (int)(colon - word), word);
	pw = getpwnam(user);
	if (pw == NULL)
		return complain(c, v, "there is no user %s; create it or take it out", user);
	if (pw->pw_uid == 0)
		return complain(c, v, "%s may do that already; take it out", user);
	return add_service(c, (uint32_t)pw->pw_uid, colon + 1);
}

/* "auth1:7443", "192.0.2.1", "[2001:db8::1]:7443" */
static int read_address(const char *text, struct settings_address *a_r)
{
	struct settings_address a = { .port = RELAY_PORT };
	const char *end = *text == '[' ? strchr(text, ']') : text + strcspn(text, ":");
	const char *start = *text == '[' ? text + 1 : text;
	int64_t port;

	if (end == NULL || (size_t)(end - start) >= sizeof(a.host))
		return MAG_ESYNTAX;
	memcpy(a.host, start, (size_t)(end - start));
	end += *end == ']';
	if (*end == ':') {
		if (mag_int_parse(end + 1, 1, 65535, &port) < 0)
			return MAG_ESYNTAX;
		a.port = (uint16_t)port;
	} else if (*end != '\0') {
		return MAG_ESYNTAX;
	}
	*a_r = a;
	return 0;
}

static int check_upstream(const char *word, void *arg)
{
	struct check *c = arg;
	struct settings *s = c->s;
	const struct opt_value *v = opt_get(s->tree, "broker", "", "upstream");

	if (mag_has_prefix(word, "tls://"))
		word += strlen("tls://");
	else if (s->n_upstreams == 0)
		return complain(c, v, "write tls://HOST:%d", RELAY_PORT);
	if (s->n_upstreams == UPSTREAMS_MAX)
		return complain(c, v, "at most %d", UPSTREAMS_MAX);
	if (read_address(word, &s->upstreams[s->n_upstreams]) < 0 ||
		s->upstreams[s->n_upstreams].host[0] == '\0')
		return complain(c, v, "%s is not HOST:PORT", word);
	s->n_upstreams++;
	return 0;
}

/* A relay holds neither store nor key: a line that names one is a mistake. */
static int check_relay(struct check *c)
{
	static const char *const keys[] = { "url", "master_key", NULL };
	const struct opt_value *listen = opt_get(c->s->tree, "broker", "", "listen");
	int r;

	if (*c->s->listen != '\0' && read_address(c->s->listen, &c->s->listens) < 0)
		return complain(c, listen, "write ADDRESS:%d, or :%d for every address", RELAY_PORT,
			RELAY_PORT);
	if (*c->s->upstream == '\0' && c->s->offline != OFFLINE_NO)
		return complain(c, opt_get(c->s->tree, "broker", "", "offline"),
			"only a relay (upstream) is ever away from its auth hosts");
	if (*c->s->upstream == '\0')
		return 0;
	for (const char *const *key = keys; *key != NULL; key++)
		if (opt_get(c->s->tree, "store", "", *key) != NULL)
			return complain(c, opt_get(c->s->tree, "store", "", *key),
				"a relay (upstream) has neither store nor master key; "
				"take one of the two out");
	if (*c->s->listen != '\0')
		return complain(c, listen, "a relay (upstream) serves no relays; take one out");
	r = each_word(c->s->upstream, check_upstream, c);
	if (r == 0 && c->s->n_upstreams == 0)
		r = complain(c, opt_get(c->s->tree, "broker", "", "upstream"),
			"write tls://HOST:%d", RELAY_PORT);
	return r;
}

static int check_broker(struct check *c)
{
	const struct opt_value *per_uid = opt_get(c->s->tree, "broker", "", "max_clients_per_uid");
	int r = each_word(c->s->verifiers, check_verifier, c);

	if (r == MAG_ENOSPACE)
		return complain(c, opt_get(c->s->tree, "broker", "", "verifiers"),
			"too many services for one user");
	if (r < 0)
		return r;
	r = check_relay(c);
	if (r < 0)
		return r;
	if (c->s->max_clients_per_uid > c->s->max_clients)
		return complain(c,
			per_uid != NULL ? per_uid
					: opt_get(c->s->tree, "broker", "", "max_clients"),
			"max_clients_per_uid is %lld and max_clients %lld; it must not be greater",
			(long long)c->s->max_clients_per_uid, (long long)c->s->max_clients);
	return 0;
}

/* ---- [phone], [throttle], [policy] ---- */

/* "+1684=AS" */
static int check_region(const char *word, void *arg)
{
	const char *digits = word + 1, *eq = strchr(word, '=');
	size_t n = eq == NULL ? 0 : strspn(digits, "0123456789");

	if (*word != '+' || eq == NULL || n == 0 || n > 15 || digits + n != eq || *digits == '0' ||
		strlen(eq + 1) != 2 || strspn(eq + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 2)
		return complain(arg,
			opt_get(((struct check *)arg)->s->tree, "phone", "", "region_overrides"),
			"%s is not +PREFIX=COUNTRY, such as +1684=AS", word);
	return 0;
}

static int check_delays(const struct check *c)
{
	const struct opt_value *v = opt_get(c->s->tree, "throttle", "", "delay_max");

	if (c->s->delay_first <= c->s->delay_max)
		return 0;
	return complain(c, v != NULL ? v : opt_get(c->s->tree, "throttle", "", "delay"),
		"delay is longer than delay_max");
}

struct seen {
	struct check *c;
	char words[256];
};

static int check_factor(const char *word, void *arg)
{
	struct seen *seen = arg;
	struct mag_buf b = { seen->words, sizeof(seen->words), strlen(seen->words), false };
	char padded[64];

	snprintf(padded, sizeof(padded), " %s ", word);
	if (strstr(seen->words, padded) != NULL)
		return complain(seen->c, opt_get(seen->c->s->tree, "policy", "", "factors"),
			"%s stands there twice", word);
	mag_buf_puts(&b, padded);
	return 0;
}

static int check_policy(struct check *c)
{
	struct seen seen = { .c = c };

	if (*c->s->factors == '\0')
		return complain(c, opt_get(c->s->tree, "policy", "", "factors"),
			"nobody could log in; name at least one factor");
	return each_word(c->s->factors, check_factor, &seen);
}

/* ---- [service NAME], [profile NAME] ---- */

static int nearest_strength(const char *word, const char **nearest_r)
{
	static const char *const ids[] = {
#define STRENGTH(name, id, label) id,
#include "otpcore/base/strength.def"
#undef STRENGTH
		NULL
	};

	*nearest_r = mag_nearest(word, ids);
	return *nearest_r != NULL;
}

static int check_profile(const char *instance, void *arg)
{
	struct check *c = arg;
	const struct opt_value *v = opt_get(c->s->tree, "profile", instance, "require");
	const char *near;

	if (strength_from_id(instance) != STRENGTH_NONE)
		return complain(
			c, v, "[profile %s] has the name of a strength; choose another", instance);
	if (v == NULL)
		return complain(c, NULL, "[profile %s] needs a line require = STRENGTH", instance);
	if (strength_from_id(v->text) != STRENGTH_NONE)
		return 0;
	if (nearest_strength(v->text, &near))
		return complain(c, v, "unknown strength; did you mean %s?", near);
	return complain(c, v, "unknown strength; the weakest is %s, the strongest %s",
		strength_id(STRENGTH_NONE + 1), strength_id(STRENGTH_N - 1));
}

struct network_check {
	struct check *c;
	const struct opt_value *v;
};

/* An address, or ADDRESS/BITS without bits beyond the network. */
static int check_network(const char *word, void *arg)
{
	const struct network_check *n = arg;
	unsigned char addr[16] = { 0 };
	char text[INET6_ADDRSTRLEN + 1];
	size_t len = strcspn(word, "/");
	int64_t bits, max;

	if (len >= sizeof(text))
		return complain(n->c, n->v, "%s is no network", word);
	memcpy(text, word, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, addr) == 1)
		max = 32;
	else if (inet_pton(AF_INET6, text, addr) == 1)
		max = 128;
	else
		return complain(
			n->c, n->v, "%s is no network; write one such as 192.0.2.0/24", word);
	bits = max;
	if (word[len] == '/' && mag_int_parse(word + len + 1, 0, max, &bits) < 0)
		return complain(
			n->c, n->v, "%s: the prefix must be 0 to %lld", word, (long long)max);
	for (int64_t i = bits; i < max; i++)
		if (addr[i / 8] & (0x80 >> (i % 8)))
			return complain(n->c, n->v,
				"%s has bits beyond the /%lld; write %s/%lld for one host", word,
				(long long)bits, text, (long long)max);
	return 0;
}

/* A name is a word of lists, and a file of /etc/magotp/terms. */
static int check_application(const struct check *c, const struct opt_value *v, const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		"-_.";

	if (name[strspn(name, letters)] != '\0' || *name == '.')
		return complain(c, v, "the name of an application has letters, digits, - _ and .");
	return 0;
}

static int check_application_section(const char *instance, void *arg)
{
	struct check *c = arg;
	struct application_settings decoded = { 0 };
	int r = opt_fill(c->s->tree, settings_section("application"), instance, &decoded, c->err);

	return r < 0 ? r : check_application(c, NULL, instance);
}

static int check_service(const char *instance, void *arg)
{
	struct check *c = arg;
	const struct opt_value *require = opt_get(c->s->tree, "service", instance, "require");
	struct network_check n = { c, opt_get(c->s->tree, "service", instance, "exempt_networks") };
	struct service_settings decoded = { 0 };
	const char *near;
	int r;

	/* Decoded once here, so that settings_service cannot fail later. */
	r = opt_overlay(c->s->tree, settings_section("service"), instance, &decoded, c->err);
	if (r == 0 && n.v != NULL)
		r = each_word(n.v->text, check_network, &n);
	if (r == 0)
		r = check_application(c, opt_get(c->s->tree, "service", instance, "application"),
			decoded.application);
	if (r < 0 || require == NULL || settings_strength(c->s, require->text) != STRENGTH_NONE)
		return r;
	if (nearest_strength(require->text, &near))
		return complain(c, require, "unknown strength or profile; did you mean %s?", near);
	return complain(c, require,
		"unknown strength or profile; write a strength such as %s or make a [profile %s]",
		strength_id(STRENGTH_PHONE_OTP), require->text);
}

int settings_check(struct settings *s, char err[OPT_ERROR_MAX])
{
	struct check c = { s, err };
	int r = check_store(&c);

	if (r == 0)
		r = check_broker(&c);
	if (r == 0)
		r = each_word(s->region_overrides, check_region, &c);
	if (r == 0)
		r = check_delays(&c);
	if (r == 0)
		r = check_policy(&c);
	if (r == 0)
		r = opt_each_instance(s->tree, "profile", check_profile, &c);
	if (r == 0)
		r = opt_each_instance(s->tree, "service", check_service, &c);
	if (r == 0)
		r = opt_each_instance(s->tree, "application", check_application_section, &c);
	if (r == MAG_ENOMEM)
		mag_copy(err, OPT_ERROR_MAX, mag_strerror(r));
	return r;
}
