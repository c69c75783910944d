/* Mails: rows of the store that are handed to smsd until one takes them. */
#ifndef BROKER_MAIL_H
#define BROKER_MAIL_H

#include "otpcore/broker/broker.h"

/* Does [mail] enabled let mails of this template out? Unknown ones: no. */
bool mail_enabled(const struct settings *s, const char *template);
/* Look for mails that wait soon, not at the next turn of the clock. */
void mails_kick(struct mails *m);

#endif
