/* Between cli.c and cli_parse.c. */
#ifndef CLI_PARSE_H
#define CLI_PARSE_H

#include "magotp/cli.h"

struct cli_parse {
	char **argv;
	int argc, at;
	char *words[CLI_ARGS_MAX]; /* what is no option: the verb's, then its arguments */
	int n_words;
	bool help, version;
};

/* Options, and the verb as soon as its words are there. CLI_DONE or an exit code, told. */
int cli_parse_options(struct cli *c, struct cli_parse *p);
/* The words behind the verb: c->user, c->args. The same. */
int cli_parse_args(struct cli *c, struct cli_parse *p);

/* What was meant by a word that is no noun (noun NULL) or no verb of the noun. */
int cli_unknown_verb(const struct cli *c, const char *noun, const char *word);
int cli_help_verb(const struct cli *c);
/* Its verbs: all of them, or those of a noun. */
int cli_help_tool(const struct cli *c, const char *noun);

#endif
