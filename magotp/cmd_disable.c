/* magotpctl disable: what enable put in comes out again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "magotp/cmd.h"
#include "magotp/enable.h"
#include "magotp/pamedit.h"
#include "magotp/replace.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"

/* Our lines out of the file as it is now: what somebody else changed in it stays. */
static int take_lines_out(struct work *w)
{
	char *now = file_read(w->pam_file, NULL), *bare = NULL, *kept = NULL;
	size_t n = 0;
	int r = CLI_DONE;

	if (!now)
		r = enable_failed(w->c, w->pam_file);
	else if (pam_edit_strip(now, &bare, &n))
		r = cli_fail(w->c, CLI_REFUSED, "pam-stack",
			"%s: a mark of ours has lost its counterpart. Its text from before is %s.",
			w->pam_file, w->kept_file);
	else if (n && file_replace(w->pam_file, bare))
		r = enable_failed(w->c, w->pam_file);
	if (r == CLI_DONE) {
		kept = file_read(w->kept_file, NULL);
		if (kept && !mag_streq(kept, bare))
			cli_note(w->c, "%s was changed meanwhile; that was left as it is.",
				w->pam_file);
	}
	free(kept);
	free(bare);
	free(now);
	return r;
}

int enable_undo(struct work *w)
{
	int r = take_lines_out(w);

	if (w->e.sshd)
		enable_take_sshd(w);
	if (enable_observe(w, false) == CLI_DONE)
		(void)enable_reload(w->c, false);
	enable_take_listed(w);
	if (r == CLI_DONE)
		enabled_forget(&w->e);
	return r;
}

static int disable(struct work *w)
{
	struct enabled e;
	int lock, r;

	lock = enabled_lock(w->e.config, w->e.service, "lock", true);
	r = lock < 0 ? MAG_ENOTFOUND : enabled_load(w->e.config, w->e.service, &e);
	if (r == MAG_ENOTFOUND)
		r = cli_fail(w->c, CLI_REFUSED, "not-enabled", "%s was not enabled by this tool.",
			w->e.service);
	else if (r)
		r = cli_fail(w->c, CLI_REFUSED, "failed", "%s: the note of what was done: %s",
			w->e.service, mag_strerror(r));
	if (r == CLI_DONE) {
		snprintf(w->pam_file, sizeof w->pam_file, "%s/%s", e.pam, e.service);
		w->e = e;
		r = enable_undo(w);
	}
	if (lock >= 0)
		close(lock);
	if (r == CLI_DONE)
		cli_say(w->c, "%s is as it was before.", w->e.service);
	return r;
}

int cmd_disable(struct cli *c)
{
	struct work w = { 0 };
	int r = cli_settings(c);

	if (r == CLI_DONE)
		r = enable_begin(c, NULL, &w);
	if (r == CLI_DONE)
		r = disable(&w);
	enable_free(&w);
	return r;
}
