/* Whom certificates are believed from. */
#ifndef BROKER_TRUST_H
#define BROKER_TRUST_H

#include "otpcore/broker/broker.h"
#include "otpcore/engine/certificate.h"

/* Read [certificates] ca and crl into b->trust; logged if that fails: then what was
 * read before goes on. 0 or why not. */
int trust_load(struct broker *b);

#endif
