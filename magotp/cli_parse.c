/* The command line of both tools: which verb, its options and arguments, the help. */
#include <stdio.h>
#include <string.h>

#include "magotp/cli_parse.h"
#include "otpcore/base/text.h"

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

int cli_help_verb(const struct cli *c)
{
	const struct verb *v = c->verb;

	printf("%s\n\n%s\nusage: ", v->doc, v->examples);
	help_verb_name(c, v, stdout);
	printf("%s%s\n", *v->args ? " " : "", v->args);
	help_opts(v->opts);
	help_opts(common);
	return CLI_DONE;
}

static bool is_noun(const struct verb *v, const char *word)
{
	return mag_streq(v->noun, word) || (v->alias && mag_streq(v->alias, word));
}

int cli_help_tool(const struct cli *c, const char *noun)
{
	if (!noun)
		printf("%s\n\n", c->summary);
	for (const struct verb *v = c->verbs; v->noun; v++) {
		char name[64];

		if (noun && !is_noun(v, noun))
			continue;
		snprintf(name, sizeof name, "%s%s%s", v->noun, v->name ? " " : "",
			v->name ? v->name : "");
		printf("  %-18s %s\n", name, v->doc);
	}
	printf("\n%s%s%s VERB --help shows examples.\n", c->program, noun ? " " : "",
		noun ? noun : "");
	return CLI_DONE;
}

/* ---- which verb ---- */

int cli_unknown_verb(const struct cli *c, const char *noun, const char *word)
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
		return cli_usage(
			c, "%s what? %s %s --help lists the verbs", noun, c->program, noun);
	return cli_usage(c, "%s%s%s is not a verb; %s%s%s --help lists them", noun ? noun : "",
		noun ? " " : "", word, c->program, noun ? " " : "", noun ? noun : "");
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
	return noun ? cli_unknown_verb(c, words[0], n > 1 ? words[1] : NULL)
		    : cli_unknown_verb(c, NULL, words[0]);
}

/* ---- options ---- */
/* "--name value" or "--name=value": the value, or NULL when it is missing. */
static const char *take_value(struct cli_parse *p, const char *arg, size_t name_len)
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
static int common_option(struct cli *c, struct cli_parse *p, const char *arg)
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
static int verb_option(struct cli *c, struct cli_parse *p, const char *arg)
{
	size_t len;

	for (size_t i = 0; c->verb && c->verb->opts && c->verb->opts[i].name; i++) {
		const struct cli_opt *o = &c->verb->opts[i];

		if (!is_option(arg, o->name, &len))
			continue;
		if (!o->value && arg[len] == '=')
			return -1;
		c->values[i] = o->value ? take_value(p, arg, len) : "";
		if (c->values[i] && c->n_said < CLI_ARGS_MAX) {
			c->said[c->n_said].name = o->name;
			c->said[c->n_said++].value = c->values[i];
		}
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
static int take_word(struct cli *c, struct cli_parse *p, char *word)
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

int cli_parse_options(struct cli *c, struct cli_parse *p)
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
int cli_parse_args(struct cli *c, struct cli_parse *p)
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
