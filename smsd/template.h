/* Messages in words: what a phone shows or a voice says. */
#ifndef SMSD_TEMPLATE_H
#define SMSD_TEMPLATE_H

#include "smsd/message.h"

#define GSM7_SEGMENT 160 /* septets */
#define UCS2_SEGMENT 70  /* units of 16 bits */

/* Render m for its channel into text_r (set, not appended). A text that was
 * given as it is comes back as it is, spoken twice on voice. Codes, tests and
 * registrations for sms always fit one segment, of GSM-7 or (in Japanese) UCS-2: a
 * long host name is shortened, then left out. The language is the message's where there
 * are texts in it (en de fr es ja), else English. `autofill` adds the last line "@host #code" that
 * browsers understand, where it fits.
 * 0; MAG_NOTFOUND: no such template; MAG_EINVAL: the template needs a code. */
int template_render(
	const struct sms_message *m, int64_t now, bool autofill, struct mag_secret *text_r);

/* Every text of the table in every language fits one segment with the longest code and
 * the longest words; MAG_ERANGE: one does not, err says which. */
int template_check(char *err, size_t cap);

/* What a voice is told about the language that template_render speaks: "de-DE". */
const char *template_locale(const struct sms_message *m);

/* How many more characters (septets, or UCS-2 units where it is not GSM-7) fit into one
 * segment with `text`; negative: it needs more than one. */
int segment_room(const char *text);

/* How many septets of the GSM 03.38 default alphabet `text` takes; -1: it has
 * characters that are not in it (and is sent as UCS-2, 70 a segment). */
int gsm7_septets(const char *text);

#endif
