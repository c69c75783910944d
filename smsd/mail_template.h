/* Texts of e-mails: files that an administrator may edit.
 *
 *   Subject: Your {credential} ends on {date}
 *
 *   Body, with {names} that the values of a message fill in.
 *
 * A line of the body with a name that has no value is left out. NAME.LANG.txt is
 * taken before NAME.txt where the account speaks LANG. {host} is the sender's host. */
#ifndef SMSD_MAIL_TEMPLATE_H
#define SMSD_MAIL_TEMPLATE_H

#include "otpcore/base/option.h"
#include "smsd/message.h"

#define MAIL_SUBJECT_MAX 256

struct mail_templates;

/* Read *.txt of `directory`; one that is not there has none. 0, or MAG_ESYNTAX,
 * MAG_ESYS, MAG_ENOMEM with err, which names the file. */
int mail_templates_read(
	const char *directory, struct mail_templates **templates_r, char err[OPT_ERROR_MAX]);
void mail_templates_free(struct mail_templates **templates);

/* m->template filled with m->args. text_r is set. 0; MAG_ENOTFOUND: no such file
 * (or templates NULL); MAG_EINVAL: a value that a header must not hold. */
int mail_template_render(const struct mail_templates *templates, const struct sms_message *m,
	char subject_r[MAIL_SUBJECT_MAX], struct mag_secret *text_r);

#endif
