/* Reading /etc/pam.d: the pam_magotp line of a service and its options. */
#ifndef PAMFILE_H
#define PAMFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "otpcore/login/pam_options.h"

struct pam_line {
	bool found, auth, account; /* in which phases the module stands */
	char file[256];            /* of the auth line, else of the account line */
	int line;
	char require[33], mode[17], unenrolled[9], service[65];
	int64_t level;
	bool broker_down_allow;
	char password_service[65];     /* of prompt_password; "": it is not on the line */
	char wrong[OPTIONS_ERROR_MAX]; /* why the module would refuse everybody; "" nothing */
};

/* The next word of a line, cut off; one in brackets ("[success=1 default=ignore]") is one
 * word. NULL: there is none. */
char *pam_word(char **p);

/* Follows include, substack and @include inside `dir`. 0; MAG_ESYS: there is no
 * file of that service; MAG_ERANGE: includes go too deep. */
int pam_read(const char *dir, const char *service, struct pam_line *l_r);

#endif
