/* magotpctl backup, restore: otpcored does both, as it alone reads the store and its key. */
#include "magotp/cmd.h"
#include "otpcore/base/text.h"

#define WORDS 40 /* of otpcored's command line */

struct words {
	const char *word[WORDS + 1];
	size_t n;
};

static void add(struct words *w, const char *word)
{
	if (w->n < WORDS)
		w->word[w->n++] = word;
}

static void add_flags(const struct cli *c, struct words *w)
{
	if (cli_opt(c, "--dry-run"))
		add(w, "--dry-run");
	if (c->json)
		add(w, "--json");
}

int cmd_backup(struct cli *c)
{
	struct words w = { { "--backup", cli_arg(c, 0) }, 2 };

	add_flags(c, &w);
	return cmd_run_otpcored(c, w.word, "backup", "There is no backup; see above.");
}

int cmd_restore(struct cli *c)
{
	const char *file = cli_arg(c, 0), *journal;
	struct words w = { { 0 }, 0 };

	if (file && cli_opt(c, "--in-place"))
		return cli_usage(c, "a backup and --in-place were both given; --in-place puts the "
				    "store right that is there");
	if (!file && !cli_opt(c, "--in-place"))
		return cli_usage(c, "name a backup, or say --in-place");
	if (!file && cli_opt(c, "--to"))
		return cli_usage(c, "--to and --in-place do not go together");
	if (cli_opt(c, "--snapshot") && cli_opt(c, "--journal"))
		return cli_usage(c, "--snapshot says that no journal can be relied on");
	add(&w, file ? "--restore" : "--restore-in-place");
	if (file)
		add(&w, file);
	if (cli_opt(c, "--to")) {
		add(&w, "--to");
		add(&w, cli_opt(c, "--to"));
	}
	for (int i = 0; (journal = cli_opt_nth(c, "--journal", i)); i++) {
		if (i == CMD_JOURNALS)
			return cli_usage(c, "--journal: at most %d", CMD_JOURNALS);
		add(&w, "--journal");
		add(&w, journal);
	}
	if (cli_opt(c, "--snapshot"))
		add(&w, "--snapshot");
	add_flags(c, &w);
	return cmd_run_otpcored(c, w.word, "restore", "Nothing was restored; see above.");
}
