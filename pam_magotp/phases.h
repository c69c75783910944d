/* What the module does in each phase. All return a PAM code. */
#ifndef PAM_PHASES_H
#define PAM_PHASES_H

#include "pam_magotp/visit.h"

int phase_auth(struct visit *v);
int phase_account(struct visit *v);
int phase_open(struct visit *v);
int phase_close(struct visit *v);
int phase_setcred(struct visit *v);

#endif
