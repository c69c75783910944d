/* The frame of both tools: finds the verb, reads its options, says what went
 * wrong. What the verbs do is in cmd_<noun>.c. */
#include <json-c/json.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "magotp/cli.h"
#include "otpcore/base/text.h"

static void fail_text(const struct cli *c, const char *id, const char *text)
{
	struct json_object *o;

	fflush(stdout);
	if (!c->json) {
		if (*id)
			fprintf(stderr, "%s: %s (%s)\n", c->program, text, id);
		else
			fprintf(stderr, "%s: %s\n", c->program, text);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "error", json_object_new_string(*id ? id : "usage"));
	json_object_object_add(o, "message", json_object_new_string(text));
	fprintf(stderr, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

int cli_fail(const struct cli *c, int code, const char *id, const char *fmt, ...)
{
	char text[1024], clean[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fail_text(c, id, mag_clean(clean, sizeof clean, text));
	return code;
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
	char text[1024], clean[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fail_text(c, c->json ? "usage" : "", mag_clean(clean, sizeof clean, text));
	if (!c->json && c->verb)
		fprintf(stderr, "usage: %s %s%s%s%s%s\n", c->program, c->verb->noun,
			c->verb->name ? " " : "", c->verb->name ? c->verb->name : "",
			*c->verb->args ? " " : "", c->verb->args);
	return CLI_USAGE;
}

void cli_note(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	if (c->json)
		return;
	fflush(stdout);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void cli_say(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	if (c->json)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

const char *cli_opt(const struct cli *c, const char *name)
{
	for (size_t i = 0; c->verb->opts && c->verb->opts[i].name; i++)
		if (mag_streq(c->verb->opts[i].name, name))
			return c->values[i];
	return NULL;
}

const char *cli_arg(const struct cli *c, int n)
{
	return n < c->n_args ? c->args[n] : NULL;
}

uint32_t cli_phone_ref(const char *id)
{
	if (*id == 'p')
		id++;
	return id[0] >= '1' && id[0] <= '9' && !id[1] ? (uint32_t)(id[0] - '0') : 0;
}

int cli_day(const char *text, int second, int64_t *at_r)
{
	struct tm tm = { .tm_isdst = -1 };
	const char *end = strptime(text, "%Y-%m-%d", &tm);
	time_t at;

	if (!end || *end)
		return -1;
	tm.tm_hour = second / 3600;
	tm.tm_min = second / 60 % 60;
	tm.tm_sec = second % 60;
	at = mktime(&tm);
	if (at <= 0)
		return -1;
	*at_r = at;
	return 0;
}

int cli_until(const char *text, int64_t *at_r)
{
	int64_t seconds;

	if (cli_day(text, 86399, at_r) == 0)
		return 0;
	if (mag_duration_parse(text, &seconds) || seconds <= 0)
		return -1;
	*at_r = (int64_t)time(NULL) + seconds;
	return 0;
}

const char *cli_channel(const char *word)
{
	if (mag_streq(word, "text") || mag_streq(word, "sms"))
		return "sms";
	return mag_streq(word, "voice") ? "voice" : NULL;
}

const char *cli_channel_word(const char *channel)
{
	return mag_streq(channel, "sms") ? "text" : channel;
}

/* ---- help ---- */
static void help_verb_name(const struct cli *c, const struct verb *v, FILE *f)
{
	fprintf(f, "%s %s%s%s", c->program, v->noun, v->name ? " " : "", v->name ? v->name : "");
}

static const struct cli_opt common[] = {
	{ "--json", NULL, "answers and errors as JSON" },
	{ "--columns", "NAMES", "these columns of a list, by commas" },
	{ "--config", "FILE", "another magotp.conf" },
	{ "--socket", "PATH", "another socket of otpcored" },
	{ "--help", NULL, "this text" },
	{ "--version", NULL, "the version" },
	{ NULL, NULL, NULL },
};

static void help_opts(const struct cli_opt *o)
{
	for (; o && o->name; o++)
		printf("  %s%s%-*s %s\n", o->name, o->value ? " " : "",
			(int)(22 - strlen(o->name) - (o->value != NULL)), o->value ? o->value : "",
			o->doc);
}

static int help_verb(const struct cli *c)
{
	const struct verb *v = c->verb;

	printf("%s\n\n%s\nusage: ", v->doc, v->examples);
	help_verb_name(c, v, stdout);
	printf("%s%s\n", *v->args ? " " : "", v->args);
	help_opts(v->opts);
	help_opts(common);
	return CLI_DONE;
}

static int help_tool(const struct cli *c)
{
	printf("%s\n\n", c->summary);
	for (const struct verb *v = c->verbs; v->noun; v++) {
		char name[64];

		snprintf(name, sizeof name, "%s%s%s", v->noun, v->name ? " " : "",
			v->name ? v->name : "");
		printf("  %-18s %s\n", name, v->doc);
	}
	printf("\n%s VERB --help shows examples.\n", c->program);
	return CLI_DONE;
}

/* ---- which verb ---- */
static bool is_noun(const struct verb *v, const char *word)
{
	return mag_streq(v->noun, word) || (v->alias && mag_streq(v->alias, word));
}

/* What was meant by a word that is no noun (noun NULL) or no verb of the noun. */
static int unknown(const struct cli *c, const char *noun, const char *word)
{
	const char *known[128];
	const char *near;
	size_t n = 0;

	for (const struct verb *v = c->verbs; v->noun && n < 126; v++) {
		if (!noun) {
			known[n++] = v->noun;
			if (v->alias)
				known[n++] = v->alias;
		} else if (is_noun(v, noun) && v->name) {
			known[n++] = v->name;
		}
	}
	known[n] = NULL;
	near = word ? mag_nearest(word, known) : NULL;
	if (near)
		return cli_usage(c, "%s%s%s is not a verb; did you mean %s%s%s?", noun ? noun : "",
			noun ? " " : "", word, noun ? noun : "", noun ? " " : "", near);
	if (!word)
		return cli_usage(c, "%s what? %s --help lists the verbs", noun, c->program);
	return cli_usage(c, "%s%s%s is not a verb; %s --help lists them", noun ? noun : "",
		noun ? " " : "", word, c->program);
}

/* The verb that the first words name; *used_r words were taken. 0 or an exit
 * code. */
static int find_verb(struct cli *c, char *const words[], int n, int *used_r)
{
	bool noun = false;

	for (const struct verb *v = c->verbs; v->noun; v++) {
		if (!is_noun(v, words[0]))
			continue;
		noun = true;
		if (v->name && (n < 2 || !mag_streq(v->name, words[1])))
			continue;
		c->verb = v;
		*used_r = v->name ? 2 : 1;
		return CLI_DONE;
	}
	return noun ? unknown(c, words[0], n > 1 ? words[1] : NULL) : unknown(c, NULL, words[0]);
}

/* ---- options ---- */
struct parse {
	char **argv;
	int argc, at;
	char *words[CLI_ARGS_MAX];
	int n_words;
	bool help, version;
};

/* "--name value" or "--name=value": the value, or NULL when it is missing. */
static const char *take_value(struct parse *p, const char *arg, size_t name_len)
{
	if (arg[name_len] == '=')
		return arg + name_len + 1;
	return p->at + 1 < p->argc ? p->argv[++p->at] : NULL;
}

static bool is_option(const char *arg, const char *name, size_t *len_r)
{
	*len_r = strlen(name);
	return strncmp(arg, name, *len_r) == 0 && (arg[*len_r] == 0 || arg[*len_r] == '=');
}

/* Options that every verb takes. 1: taken; 0: not one; -1: its value is missing. */
static int common_option(struct cli *c, struct parse *p, const char *arg)
{
	const struct {
		const char *name;
		const char **to;
	} values[] = { { "--config", &c->config }, { "--socket", &c->socket },
		{ "--columns", &c->columns } };
	size_t len;

	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		if (is_option(arg, values[i].name, &len)) {
			*values[i].to = take_value(p, arg, len);
			return *values[i].to ? 1 : -1;
		}
	if (mag_streq(arg, "--json"))
		c->json = true;
	else if (mag_streq(arg, "--help") || mag_streq(arg, "-h"))
		p->help = true;
	else if (mag_streq(arg, "--version") || mag_streq(arg, "-V"))
		p->version = true;
	else
		return 0;
	return 1;
}

/* Options of the verb: the same three answers. */
static int verb_option(struct cli *c, struct parse *p, const char *arg)
{
	size_t len;

	for (size_t i = 0; c->verb && c->verb->opts && c->verb->opts[i].name; i++) {
		const struct cli_opt *o = &c->verb->opts[i];

		if (!is_option(arg, o->name, &len))
			continue;
		if (!o->value && arg[len] == '=')
			return -1;
		c->values[i] = o->value ? take_value(p, arg, len) : "";
		return c->values[i] ? 1 : -1;
	}
	return 0;
}

static int unknown_option(const struct cli *c, const char *arg)
{
	const char *known[64];
	const char *near;
	size_t n = 0;

	for (size_t i = 0; c->verb && c->verb->opts && c->verb->opts[i].name && n < 50; i++)
		known[n++] = c->verb->opts[i].name;
	for (size_t i = 0; common[i].name; i++)
		known[n++] = common[i].name;
	known[n] = NULL;
	near = mag_nearest(arg, known);
	if (near)
		return cli_usage(c, "%s is not an option here; did you mean %s?", arg, near);
	return cli_usage(c, "%s is not an option here", arg);
}

/* A word of the command line that is no option. The verb is known as soon as
 * its words are there, so that its options can follow. */
static int take_word(struct cli *c, struct parse *p, char *word)
{
	if (p->n_words == CLI_ARGS_MAX - 1)
		return cli_usage(c, "too many arguments");
	p->words[p->n_words++] = word;
	if (!c->verb && p->n_words <= 2) {
		int used;

		for (const struct verb *v = c->verbs; v->noun && p->n_words == 1; v++)
			if (is_noun(v, word) && v->name)
				return CLI_DONE; /* its second word is to come */
		return find_verb(c, p->words, p->n_words, &used);
	}
	return CLI_DONE;
}

static int parse_args(struct cli *c, struct parse *p)
{
	int r = CLI_DONE;

	for (p->at = 1; p->at < p->argc && r == CLI_DONE; p->at++) {
		char *arg = p->argv[p->at];
		int taken;

		if (mag_streq(arg, "--")) {
			c->rest = p->argv + p->at + 1;
			break;
		}
		if (arg[0] != '-' || !arg[1]) {
			r = take_word(c, p, arg);
			continue;
		}
		taken = common_option(c, p, arg);
		if (!taken)
			taken = verb_option(c, p, arg);
		if (taken < 0)
			r = cli_usage(c, "%s: its value is missing or not wanted", arg);
		else if (!taken)
			r = unknown_option(c, arg);
	}
	return r;
}

/* Words after the verb are its arguments; what follows "--" too, but for verbs
 * that run a command. */
static int take_args(struct cli *c, struct parse *p)
{
	const struct verb *v = c->verb;
	int first = v->name ? 2 : 1, max = v->max_args;

	for (int i = first; i < p->n_words; i++)
		c->args[c->n_args++] = p->words[i];
	for (char **w = c->rest; max >= 0 && w && *w && c->n_args < CLI_ARGS_MAX - 1; w++)
		c->args[c->n_args++] = *w;
	if (v->user && c->n_args > 0) {
		if (mag_copy(c->user, sizeof c->user, c->args[0]))
			return cli_usage(c, "that account name is too long");
		memmove(c->args, c->args + 1, (size_t)(c->n_args - 1) * sizeof *c->args);
		c->n_args--;
	} else if (v->user) {
		return cli_usage(c, "whose? USER is missing");
	}
	if (max < 0)
		max = -max - 1;
	if (c->n_args < v->min_args)
		return cli_usage(c, "an argument is missing");
	return c->n_args > max ? cli_usage(c, "too many arguments: %s", c->args[max]) : CLI_DONE;
}

/* The caller's own account, for magotp. */
static int own_account(struct cli *c)
{
	struct passwd *pw = getpwuid(getuid());

	if (!pw || mag_copy(c->user, sizeof c->user, pw->pw_name))
		return cli_fail(c, CLI_REFUSED, "account-unknown",
			"Your user id %u has no name here.", (unsigned)getuid());
	c->uid = getuid();
	return CLI_DONE;
}

static void interrupted(int sig)
{
	static const char newline = '\n';
	ssize_t n = write(STDERR_FILENO, &newline, 1);

	(void)sig;
	(void)n;
	_exit(CLI_INTERRUPTED); /* style: in a signal handler there is no way back */
}

static int run(struct cli *c, struct parse *p)
{
	int r = parse_args(c, p);

	if (r != CLI_DONE)
		return r;
	if (p->version) {
		printf("%s %s\n", c->program, PACKAGE_VERSION);
		return CLI_DONE;
	}
	if (p->help)
		return c->verb ? help_verb(c) : help_tool(c);
	if (!p->n_words)
		for (const struct verb *v = c->verbs; v->noun && !c->verb; v++)
			if (mag_streq(v->noun, "status"))
				c->verb = v;
	if (!c->verb && !p->n_words) {
		help_tool(c);
		return CLI_USAGE;
	}
	if (!c->verb)
		return unknown(c, p->words[0], NULL);
	r = take_args(c, p);
	if (r == CLI_DONE && mag_streq(c->program, "magotp"))
		r = own_account(c);
	return r == CLI_DONE ? c->verb->run(c) : r;
}

int cli_main(struct cli *c, int argc, char **argv)
{
	struct parse p = { .argv = argv, .argc = argc };
	struct sigaction sa = { .sa_handler = interrupted };
	int r;

	sigaction(SIGINT, &sa, NULL);
	r = run(c, &p);
	mag_secret_free(&c->grant);
	settings_free(&c->settings);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "%s: cannot write the answer\n", c->program);
		r = r ? r : CLI_REFUSED;
	}
	return r;
}
