/* Which groups the user is in, where the policy asks (exempt_groups). */
#ifndef PAM_MEMBER_H
#define PAM_MEMBER_H

#include "pam_magotp/visit.h"

/* struct flow_io's groups, with arg = struct visit: of the words in `asked` those whose
 * group the user is in. What cannot be found out is left out. */
void member_of(void *visit, const char *asked, char *buf, size_t cap);

#endif
