/* What the exec driver shows to its helper. */
#ifndef SMSD_EXEC_H
#define SMSD_EXEC_H

#include "smsd/gateway.h"

/* The command of a gateway of this driver, words with single blanks between. */
const char *exec_command(const struct gateway *g);

#endif
