/* Between relay.c (the link and its calls) and relay_run.c (the daemon around it). */
#ifndef BROKER_RELAY_H
#define BROKER_RELAY_H

#include "otpcore/broker/identity.h"
#include "otpcore/broker/parts.h"

/* After relay_open(); the event base is there. 0, MAG_ENOMEM. */
int relay_start(struct relay *r);
void relay_stop(struct relay *r);     /* no links, no calls any more */
void relay_reloaded(struct relay *r); /* the settings are others */
void relay_free(struct relay **r);
bool relay_busy(const struct relay *r);

#endif
