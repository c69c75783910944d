/* What a service that only watches would have refused. */
#ifndef BROKER_HANDLE_OBSERVE_H
#define BROKER_HANDLE_OBSERVE_H

#include "otpcore/broker/broker.h"

/* `after` of begin and account: r->state.p is the reason (a static text) that was not
 * held against somebody, NULL: none. Nothing is written for any other login. */
void observe_after(struct request *r);

#endif
