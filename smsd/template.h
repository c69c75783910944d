/* Messages in words: what a phone shows or a voice says. */
#ifndef SMSD_TEMPLATE_H
#define SMSD_TEMPLATE_H

#include "smsd/message.h"

#define GSM7_SEGMENT 160

/* Render m for its channel into text_r (set, not appended). A text that was
 * given as it is comes back as it is, spoken twice on voice. Codes, tests and
 * registrations for sms always fit one GSM-7 segment: a long host name is
 * shortened, then left out. `autofill` adds the last line "@host #code" that
 * browsers understand, where it fits.
 * 0; MAG_NOTFOUND: no such template; MAG_EINVAL: the template needs a code. */
int template_render(
	const struct sms_message *m, int64_t now, bool autofill, struct mag_secret *text_r);

/* How many septets of the GSM 03.38 default alphabet `text` takes; -1: it has
 * characters that are not in it (and is sent as UCS-2, 70 a segment). */
int gsm7_septets(const char *text);

#endif
