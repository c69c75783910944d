/* Groups that say how strongly somebody logged in: mag-phone-otp, mag-level3 (rule L5,
 * security.md 15). For people and for file permissions, never for decisions: whoever
 * was in such a group once may have left a setgid file behind. Off until there is a
 *
 *   /etc/magotp/groups      NAME GID lines; '#' begins a comment line
 *
 * that belongs to root and that nobody else may write. The file is the one place where
 * names and numbers stand: pam_magotp gives them, libnss_magotp names them. */
#ifndef MAG_STRENGTH_GROUP_H
#define MAG_STRENGTH_GROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "otpcore/base/strength.h"

#define STRENGTH_GROUPS_FILE SYSCONFDIR "/magotp/groups"
#define STRENGTH_GROUP_NAME  32 /* with its NUL */
#define STRENGTH_GROUPS_MAX  32

struct strength_group {
	char name[STRENGTH_GROUP_NAME];
	gid_t gid;
	enum strength strength; /* NONE: */
	int64_t level;          /* a level's group */
};

/* Read the file, in its order. How many (<= STRENGTH_GROUPS_MAX); 0 also where there is
 * no file; MAG_EPERM: it, or the place it is reached by, is not root's alone; MAG_ESYNTAX:
 * some line is not "mag-STRENGTH GID" or "mag-levelN GID" with a gid from 1 on, stands
 * there twice, or there are too many; nothing of it is used then. MAG_ESYS. No state is
 * kept: safe in processes that are not ours. */
int strength_groups_read(const char *path, struct strength_group groups_r[STRENGTH_GROUPS_MAX]);

/* The same of the file's text, which is changed; MAG_ESYNTAX alone. */
int strength_groups_parse(char *text, struct strength_group groups_r[STRENGTH_GROUPS_MAX]);

/* Has a session of this strength and level the group? A stronger one has those of the
 * weaker, too. */
bool strength_group_has(const struct strength_group *g, enum strength have, int64_t level);

#endif
