/* What enabling a service consists of, each part with its undoing (enable_parts.c,
 * cmd_disable.c). enabled.h keeps what was done. */
#ifndef ENABLE_H
#define ENABLE_H

#include "magotp/enabled.h"
#include "magotp/sshd.h"

struct work {
	struct cli *c;
	struct enabled e;
	char pam_file[330], observe_file[400], kept_file[400];
	char *text;  /* of the PAM file, as it is */
	char *fresh; /* as it is to be */
	bool ours;   /* /etc/pam.d itself, not a folder of --pam-dir */
};

/* Exit codes, told, unless it says otherwise. `dir`: --pam-dir, or NULL. */
int enable_begin(struct cli *c, const char *dir, struct work *w);
void enable_free(struct work *w);
/* "PATH: what errno says". */
int enable_failed(struct cli *c, const char *what);

/* otpcored reads its settings again; if it does not run, that is a fault only where
 * it must. */
int enable_reload(struct cli *c, bool must);
/* `[service S] observe = yes` in a file of our own; or without it. */
int enable_observe(struct work *w, bool on);

bool enable_wants_sshd(const struct work *w);
/* The drop-in, which must hold and which sshd -t must like; *s gets what is in force. */
int enable_put_sshd(struct work *w, struct sshd_settings *s);
void enable_take_sshd(struct work *w);
int enable_tell_sshd(struct work *w, const struct sshd_settings *s);

/* The list that the profile of pam-auth-update goes by, where there is one. */
int enable_put_listed(struct work *w);
void enable_take_listed(struct work *w);

/* All of it, as w->e says. PAM's file first: whatever fails behind it, people can log
 * in. */
int enable_undo(struct work *w);

#endif
