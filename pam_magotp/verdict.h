/* How a login that ended becomes a PAM code. */
#ifndef PAM_VERDICT_H
#define PAM_VERDICT_H

#include "otpcore/login/flow.h"

/* nested: the password was checked by the module itself, so nothing before it
 * has succeeded; quiet: combined mode, where all refusals look the same. */
int verdict_pam(enum flow_end end, bool nested, bool quiet);

#endif
