/* magotpctl config: what holds and where it stands. From the option tables, so
 * that it knows every key. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "otpcore/base/buf.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

static const struct column columns[] = {
	{ "KEY", "key", CELL_TEXT },
	{ "VALUE", "value", CELL_TEXT },
	{ "SOURCE", "source", CELL_TEXT },
	{ NULL, "default", CELL_TEXT },
	{ NULL, "doc", CELL_TEXT },
	{ NULL, NULL, CELL_TEXT },
};

struct showing {
	const struct cli *c;
	struct table *t;
	const struct opt_section *section;
	bool changed;       /* only what the files say */
	const char *wanted; /* one key, or NULL */
	size_t found;
	char value[2048];
};

/* A value as the files have it: of the instance, else of "*", else the default. */
static const struct opt_value *value_of(
	const struct showing *s, const struct opt *o, const char *instance)
{
	const struct opt_tree *tree = s->c->settings->tree;
	const struct opt_value *v = tree ? opt_get(tree, s->section->name, instance, o->key) : NULL;

	if (!v && tree && s->section->named && !mag_streq(instance, "*"))
		v = opt_get(tree, s->section->name, "*", o->key);
	return v;
}

static void show_key(struct showing *s, const struct opt *o, const char *instance)
{
	char key[256], source[300];
	struct mag_buf k = MAG_BUF(key), src = MAG_BUF(source);
	const struct opt_value *v = value_of(s, o, instance);
	const char *def = o->def ? o->def : "";

	mag_buf_printf(&k, "%s.%s%s%s", s->section->name, instance, *instance ? "." : "", o->key);
	if ((s->changed && !v) || (s->wanted && !mag_streq(s->wanted, key)))
		return;
	if (v)
		mag_buf_printf(&src, "%s:%d", v->file, v->line);
	else
		mag_buf_puts(&src, "default");
	s->found++;
	mag_copy(s->value, sizeof s->value, v ? v->text : def);
	if (!s->t)
		return;
	table_text(s->t, key);
	table_text(s->t, v ? v->text : def);
	table_text(s->t, source);
	table_text(s->t, def);
	table_text(s->t, o->doc);
}

static int show_instance(const char *instance, void *arg)
{
	struct showing *s = arg;

	for (const struct opt *o = s->section->opts; o->key; o++)
		show_key(s, o, instance);
	return 0;
}

static int seen_star(const char *instance, void *arg)
{
	*(bool *)arg |= mag_streq(instance, "*");
	return 0;
}

static void show_all(struct showing *s)
{
	const struct opt_tree *tree = s->c->settings->tree;

	for (s->section = settings_schema.sections; s->section->name; s->section++) {
		bool star = false;

		if (!s->section->named) {
			show_instance("", s);
			continue;
		}
		if (tree)
			opt_each_instance(tree, s->section->name, seen_star, &star);
		if (!star && mag_streq(s->section->name, "service"))
			show_instance("*", s);
		if (tree)
			opt_each_instance(tree, s->section->name, show_instance, s);
	}
}

/* Settings that must be there: config is about nothing else. */
static int loaded(struct cli *c)
{
	char err[OPT_ERROR_MAX] = "";
	int r = settings_load(c->config, &c->settings, err);

	return r ? cli_fail(c, CLI_REFUSED, "config", "%s", *err ? err : mag_strerror(r))
		 : CLI_DONE;
}

int cmd_config_show(struct cli *c)
{
	struct showing s = { .c = c, .changed = cli_opt(c, "--changed") != NULL };
	int r = loaded(c);

	if (r != CLI_DONE)
		return r;
	s.t = table_new(columns);
	if (!s.t)
		return cli_fail(c, CLI_REFUSED, "no-memory", "Out of memory.");
	show_all(&s);
	r = table_print(c, s.t);
	table_free(&s.t);
	return r;
}

/* get phone.code_digits; a service without a section of its own has that of *. */
int cmd_config_get(struct cli *c)
{
	struct showing s = { .c = c, .wanted = cli_arg(c, 0) };
	struct json_object *o;
	int r = loaded(c);

	if (r != CLI_DONE)
		return r;
	show_all(&s);
	if (!s.found && mag_has_prefix(s.wanted, "service.")) {
		char instance[128];
		const char *name = s.wanted + strlen("service."), *dot = strrchr(name, '.');

		s.section = settings_schema.sections;
		while (s.section->name && !mag_streq(s.section->name, "service"))
			s.section++;
		if (dot && (size_t)(dot - name) < sizeof instance && s.section->name) {
			memcpy(instance, name, (size_t)(dot - name));
			instance[dot - name] = 0;
			show_instance(instance, &s);
		}
	}
	if (!s.found)
		return cli_usage(c, "%s: no such key; magotpctl config show lists them", s.wanted);
	if (!c->json) {
		cli_say(c, "%s", s.value);
		return CLI_DONE;
	}
	o = json_object_new_object();
	json_object_object_add(o, "key", json_object_new_string(s.wanted));
	json_object_object_add(o, "value", json_object_new_string(s.value));
	cli_json_print(&o);
	return CLI_DONE;
}

/* `PROGRAM -t [--config FILE]`, if it is installed. */
static int check_with(const struct cli *c, const char *name, const char *config)
{
	char path[600], check[] = "-t", option[] = "--config";
	char *argv[] = { path, check, NULL, NULL, NULL };
	int status;

	if (cli_own_program(name, path, sizeof path))
		return CLI_DONE;
	if (config) {
		argv[2] = option;
		argv[3] = (char *)config;
	}
	if (cli_spawn(argv, &status))
		return cli_fail(c, CLI_REFUSED, "config", "%s cannot be run.", path);
	return status ? cli_fail(c, CLI_REFUSED, "config", "%s refuses its configuration.", name)
		      : CLI_DONE;
}

const char *config_smsd(const struct cli *c, char *path, size_t cap)
{
	const char *slash = c->config ? strrchr(c->config, '/') : NULL;

	if (!c->config)
		return NULL;
	if (snprintf(path, cap, "%.*ssmsd.conf", slash ? (int)(slash - c->config + 1) : 0,
		    c->config) >= (int)cap)
		return NULL;
	return access(path, F_OK) == 0 ? path : NULL;
}

int cmd_config_check(struct cli *c)
{
	char smsd[512];
	const char *conf;
	struct json_object *o;
	int r = loaded(c);

	if (r == CLI_DONE)
		r = check_with(c, "otpcored", c->config);
	conf = config_smsd(c, smsd, sizeof smsd);
	/* With --config and no smsd.conf beside it there is nothing of smsd's to check. */
	if (r == CLI_DONE && (conf || !c->config))
		r = check_with(c, "magotp-smsd", conf);
	if (r != CLI_DONE)
		return r;
	if (!c->json) {
		cli_say(c, "The configuration is right.");
		return CLI_DONE;
	}
	o = json_object_new_object();
	json_object_object_add(o, "result", json_object_new_string("ok"));
	cli_json_print(&o);
	return CLI_DONE;
}

/* ---- edit: a copy is edited, checked, and only then put in place ---- */
int config_copy(const char *from, const char *to, mode_t mode)
{
	char buf[4096];
	int in = open(from, O_RDONLY | O_CLOEXEC), r = 0;
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	ssize_t n = 0;

	if (out < 0 || (in < 0 && errno != ENOENT))
		r = MAG_ESYS;
	while (!r && in >= 0 && (n = read(in, buf, sizeof buf)) > 0)
		if (write(out, buf, (size_t)n) != n)
			r = MAG_ESYS;
	if (n < 0 || (out >= 0 && fsync(out)))
		r = MAG_ESYS;
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return r;
}

static int edit_until_right(struct cli *c, const char *copy)
{
	static const char *const editors[] = { "/usr/bin/sensible-editor", "/usr/bin/editor",
		"/usr/bin/vi" };
	char program[64];
	char *argv[] = { program, (char *)copy, NULL };
	size_t i = 0;
	int status, r;

	while (i < 2 && access(editors[i], X_OK))
		i++;
	mag_copy(program, sizeof program, editors[i]);
	for (;;) {
		char err[OPT_ERROR_MAX] = "";
		struct settings *s = NULL;

		if (cli_spawn(argv, &status) || status)
			return cli_fail(c, CLI_REFUSED, "failed", "%s failed.", program);
		r = settings_load(copy, &s, err);
		settings_free(&s);
		if (!r)
			return CLI_DONE;
		cli_note(c, "%s", *err ? err : mag_strerror(r));
		r = cli_confirm(c, "Edit again? [Y/n] ");
		if (r != CLI_DONE)
			return cli_fail(c, r, "config", "Nothing was changed.");
	}
}

int cmd_config_edit(struct cli *c)
{
	const char *file = c->config ? c->config : MAGOTP_CONF;
	char copy[512];
	struct stat st = { .st_mode = 0644 };
	int r;

	if (!cli_can_ask())
		return cli_usage(c, "there is no terminal to edit on");
	if (stat(file, &st) && errno != ENOENT)
		return cli_fail(c, CLI_REFUSED, "failed", "%s: %s", file, strerror(errno));
	if (snprintf(copy, sizeof copy, "%s.edit-%d", file, (int)getpid()) >= (int)sizeof copy)
		return cli_usage(c, "that path is too long");
	if (config_copy(file, copy, st.st_mode & 0777))
		return cli_fail(c, CLI_REFUSED, "failed", "%s: %s", copy, strerror(errno));
	r = edit_until_right(c, copy);
	if (r == CLI_DONE && geteuid() == 0 && chown(copy, st.st_uid, st.st_gid))
		r = cli_fail(c, CLI_REFUSED, "failed", "%s: %s", copy, strerror(errno));
	if (r == CLI_DONE && rename(copy, file))
		r = cli_fail(c, CLI_REFUSED, "failed", "%s: %s", file, strerror(errno));
	if (r != CLI_DONE)
		unlink(copy);
	else
		cli_note(c, "Written. otpcored reads it at SIGHUP or when it starts.");
	return r;
}
