/* status.c, listed in the table of session.c. */
#ifndef BROKER_HANDLE_SESSION_H
#define BROKER_HANDLE_SESSION_H

#include "otpcore/broker/broker.h"

int status_want(struct request *r);
void status_decide(struct request *r);

#endif
