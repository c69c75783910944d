/* Programs that a helper runs for a driver (exec_helper.h): orders go out, words come
 * back. What setup, attach and teardown of such a driver are is said here, too. */
#ifndef SMSD_PROGRAM_H
#define SMSD_PROGRAM_H

#include "smsd/gateway.h"

struct exec_order;

/* gateway_ops' own three: the ways to the driver's helpers, one for each gateway or one
 * (of the name "") for all. */
int program_setup(struct event_base *base, void **shared_r);
int program_attach(void *shared, const char *gateway, int fd);
void program_teardown(void **shared);

/* What an exit status means: fills outcome and error, which are SMS_AMBIGUOUS and
 * "the program ended with status N". */
typedef void (*program_judge)(const struct gateway *g, int status, struct gateway_result *result_r);

/* Have the gateway's command run with order->input, `len` bytes of it; order is wiped.
 * An order that its driver could not write (r < 0) ends as that. a->done is called. */
void program_run(struct attempt *a, struct exec_order *order, int r, program_judge judge);

#endif
