/* prompt_password: the password is checked by a PAM service of its own, inside
 * our authenticate (security.md 16). */
#ifndef PAM_NESTED_H
#define PAM_NESTED_H

#include "pam_magotp/visit.h"

/* Authenticates v->user with `password` by options.password_service and runs
 * its account phase. quiet: nothing it says reaches the person. PAM_SUCCESS; a
 * code of PAM otherwise, never PAM_IGNORE. PAM_NEW_AUTHTOK_REQD of its account
 * phase is kept for ours: see nested_expired. */
int nested_check(struct visit *v, const struct mag_secret *password, bool quiet);

/* Did nested_check say that the password has to be changed? */
bool nested_expired(const struct visit *v);

/* Are we inside such a service? Then it uses this module itself. */
bool nested_is(pam_handle_t *pamh);

#endif
