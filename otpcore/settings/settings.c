#include "otpcore/settings/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otpcore/base/buf.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/settings/table.h"

/* Without a file of its own a site runs on the defaults; one that was named
 * and is not there is a mistake. */
static int load_tree(const char *file, struct settings *s, char err[OPT_ERROR_MAX])
{
	char dropins[4096];
	struct mag_buf b = MAG_BUF(dropins);

	s->defaults = file == NULL && access(MAGOTP_CONF, F_OK) != 0 && errno == ENOENT;
	if (file == NULL)
		file = MAGOTP_CONF;
	mag_buf_printf(&b, "%s.d", file);
	if (b.overflow) {
		mag_copy(err, OPT_ERROR_MAX, "the name of the configuration file is too long");
		return MAG_ENOSPACE;
	}
	return opt_load(s->defaults ? "/dev/null" : file, dropins, &settings_schema, &s->tree, err);
}

/* Resolved here and not with each login. Every value has been decoded once. */
static int add_service(const char *name, void *arg)
{
	struct settings *s = arg;
	const struct opt_section *section = settings_section("service");
	struct settings_named *all =
		reallocarray(s->services, s->n_services + 1, sizeof(*s->services));
	char err[OPT_ERROR_MAX];

	if (all == NULL)
		return MAG_ENOMEM;
	s->services = all;
	all = &all[s->n_services++];
	*all = (struct settings_named){ .name = name };
	(void)opt_fill(s->tree, section, "*", &all->settings, err);
	if (!mag_streq(name, "*"))
		(void)opt_overlay(s->tree, section, name, &all->settings, err);
	return 0;
}

int settings_load(const char *file, struct settings **s_r, char err[OPT_ERROR_MAX])
{
	struct settings *s = calloc(1, sizeof(*s));
	int r = MAG_ENOMEM;

	mag_copy(err, OPT_ERROR_MAX, mag_strerror(MAG_ENOMEM));
	if (s == NULL)
		goto out;
	r = load_tree(file, s, err);
	for (const struct opt_section *o = settings_schema.sections; r == 0 && o->name != NULL; o++)
		if (!o->named)
			r = opt_fill(s->tree, o, "", s, err);
	if (r == 0)
		r = settings_check(s, err);
	if (r == 0)
		r = add_service("*", s);
	if (r == 0)
		r = opt_each_instance(s->tree, "service", add_service, s);
	if (r < 0)
		goto out;
	*s_r = s;
	s = NULL;
out:
	settings_free(&s);
	return r;
}

int settings_reload(const char *file, const struct settings *old, struct settings **s_r,
	char err[OPT_ERROR_MAX])
{
	return settings_load(file == NULL && !old->defaults ? MAGOTP_CONF : file, s_r, err);
}

void settings_free(struct settings **s)
{
	if (s == NULL || *s == NULL)
		return;
	opt_tree_free(&(*s)->tree);
	free((*s)->verifier);
	free((*s)->services);
	free(*s);
	*s = NULL;
}

void settings_service(const struct settings *s, const char *service, struct service_settings *r)
{
	size_t i = s->n_services;

	while (--i > 0 && !mag_streq(s->services[i].name, service))
		;
	*r = s->services[i].settings;
}

void settings_application(
	const struct settings *s, const char *name, struct application_settings *r)
{
	const struct opt_section *section = settings_section("application");
	char err[OPT_ERROR_MAX];

	*r = (struct application_settings){ 0 };
	(void)opt_fill(s->tree, section, name, r, err);
	if (*r->terms == '\0')
		snprintf(r->terms, sizeof r->terms, SYSCONFDIR "/magotp/terms/%s", name);
}

/* Is `word` one of the words of the list? */
static bool among(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; (p = strstr(p, word)) != NULL; p += len)
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

static int add_application(const struct opt_value *v, void *arg)
{
	struct mag_buf *b = arg;

	if (mag_streq(v->section, "service") && mag_streq(v->key, "application") &&
		*v->text != '\0' && !among(b->data, v->text))
		mag_buf_printf(b, "%s%s", b->len > 0 ? " " : "", v->text);
	return 0;
}

char *settings_applications(const struct settings *s, char *buf, size_t cap)
{
	struct mag_buf b;

	mag_buf_init(&b, buf, cap);
	(void)opt_each(s->tree, NULL, NULL, add_application, &b);
	return buf;
}

enum strength settings_strength(const struct settings *s, const char *name)
{
	enum strength strength = strength_from_id(name);
	const struct opt_value *v;

	if (strength != STRENGTH_NONE || name == NULL)
		return strength;
	v = opt_get(s->tree, "profile", name, "require");
	return v == NULL ? STRENGTH_NONE : strength_from_id(v->text);
}

const char *settings_verifier(const struct settings *s, uint32_t uid)
{
	for (size_t i = 0; i < s->n_verifiers; i++)
		if (s->verifier[i].uid == uid)
			return s->verifier[i].services;
	return "";
}

/* "phone.code_digits", or a bare key: then of the first section that sets it. */
static const struct opt_value *find_global(const struct settings *s, const char *key)
{
	const struct opt_value *v = NULL;

	for (const struct opt_section *o = settings_schema.sections; v == NULL && o->name != NULL;
		o++) {
		size_t len = strlen(o->name);

		if (o->named)
			continue;
		if (strncmp(key, o->name, len) == 0 && key[len] == '.')
			v = opt_get(s->tree, o->name, "", key + len + 1);
		else if (strchr(key, '.') == NULL)
			v = opt_get(s->tree, o->name, "", key);
	}
	return v;
}

char *settings_source(
	const struct settings *s, const char *service, const char *key, char *buf, size_t cap)
{
	const struct opt_value *v = NULL;
	const char *name;

	if (service != NULL) {
		v = opt_get(s->tree, "service", service, key);
		if (v == NULL)
			v = opt_get(s->tree, "service", "*", key);
	} else {
		v = find_global(s, key);
	}
	if (v == NULL) {
		(void)mag_copy(buf, cap, "default");
		return buf;
	}
	name = strrchr(v->file, '/');
	snprintf(buf, cap, "%s:%d [%s%s%s]", name == NULL ? v->file : name + 1, v->line, v->section,
		*v->instance == '\0' ? "" : " ", v->instance);
	return buf;
}
