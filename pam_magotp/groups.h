/* The strength groups of a session (rule L5, security.md 15). */
#ifndef PAM_GROUPS_H
#define PAM_GROUPS_H

#include "pam_magotp/visit.h"

/* Adds the groups of STRENGTH_GROUPS_FILE that this login has earned to the process's
 * own, keeping what is there; sshd calls setcred again after initgroups, which wiped
 * them. A login is never refused for want of a group: what goes wrong is logged. */
void groups_add(struct visit *v);

#endif
