/* The frame of both tools: reads the command line, runs the verb, says what went
 * wrong. What the verbs do is in cmd_<noun>.c. */
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "magotp/cli_parse.h"
#include "otpcore/base/text.h"

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

static int run(struct cli *c, struct cli_parse *p)
{
	int r = cli_parse_options(c, p);

	if (r != CLI_DONE)
		return r;
	if (p->version) {
		printf("%s %s\n", c->program, PACKAGE_VERSION);
		return CLI_DONE;
	}
	if (p->help)
		return c->verb ? cli_help_verb(c)
			       : cli_help_tool(c, p->n_words ? p->words[0] : NULL);
	if (!p->n_words)
		for (const struct verb *v = c->verbs; v->noun && !c->verb; v++)
			if (mag_streq(v->noun, "status"))
				c->verb = v;
	/* A noun that is a verb, too: the noun alone. */
	for (const struct verb *v = c->verbs; v->noun && !c->verb && p->n_words == 1; v++)
		if (mag_streq(v->noun, p->words[0]) && !v->name)
			c->verb = v;
	if (!c->verb && !p->n_words) {
		cli_help_tool(c, NULL);
		return CLI_USAGE;
	}
	if (!c->verb)
		return cli_unknown_verb(c, p->words[0], NULL);
	r = cli_parse_args(c, p);
	if (r == CLI_DONE && mag_streq(c->program, "magotp"))
		r = own_account(c);
	return r == CLI_DONE ? c->verb->run(c) : r;
}

int cli_main(struct cli *c, int argc, char **argv)
{
	struct cli_parse p = { .argv = argv, .argc = argc };
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
