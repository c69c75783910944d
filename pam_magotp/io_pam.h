/* The conversation over PAM's conv function, which may be missing, refuse, or
 * answer nothing. */
#ifndef PAM_IO_H
#define PAM_IO_H

#include "pam_magotp/visit.h"

/* struct flow_io with arg = struct visit. */
int io_pam_ask(void *visit, const char *prompt, bool echo, struct mag_secret *answer_r);
int io_pam_tell(void *visit, const char *message, bool error);

/* May typing be seen (option echo)? */
bool io_pam_echo(const struct visit *v);

#endif
