/* Between the files of this folder: the tables, and what checks them. */
#ifndef SETTINGS_TABLE_H
#define SETTINGS_TABLE_H

#include "otpcore/settings/settings.h"

/* NULL if there is none. */
const struct opt_section *settings_section(const char *name);

/* What no single row can say: strengths, networks, users, values that must fit
 * together. Fills s->verifier. 0, MAG_ESYNTAX, MAG_ERANGE, MAG_ENOMEM. */
int settings_check(struct settings *s, char err[OPT_ERROR_MAX]);

#endif
