/* magotpctl setup: otpcored makes its key and store itself. */
#include <stddef.h>

#include "magotp/cmd.h"

int cmd_setup(struct cli *c)
{
	char path[600];
	char setup[] = "--setup", config[] = "--config";
	char *argv[] = { path, setup, NULL, NULL, NULL };
	int status;

	if (c->config) {
		argv[2] = config;
		argv[3] = (char *)c->config;
	}
	if (cli_own_program("otpcored", path, sizeof path))
		return cli_fail(c, CLI_REFUSED, "failed",
			"otpcored is not installed (looked beside this program and in %s).", SBINDIR);
	if (cli_spawn(argv, &status))
		return cli_fail(c, CLI_REFUSED, "failed", "%s cannot be run.", path);
	if (status)
		return cli_fail(c, CLI_REFUSED, "setup", "Nothing was overwritten; see above.");
	cli_note(c, "Next: start otpcored and magotp-smsd, then: magotpctl enroll USER");
	return CLI_DONE;
}
