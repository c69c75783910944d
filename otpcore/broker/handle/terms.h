/* What the account phase asks about terms (O2). */
#ifndef BROKER_HANDLE_TERMS_H
#define BROKER_HANDLE_TERMS_H

#include "otpcore/broker/handle/handle.h"
#include "otpcore/engine/terms.h"

/* The read; and whether those of the service's application hold for this account's
 * organisation. Where the service names none, or nobody is there, they do. */
int terms_want(struct request *r, const char *account, const struct service_settings *service);
enum terms_state terms_of(
	struct request *r, const struct aggregate *a, const struct service_settings *service);

#endif
