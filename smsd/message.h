/* A message as smsd knows it: a number and what to say, never an account. */
#ifndef SMSD_MESSAGE_H
#define SMSD_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "otpcore/base/secret.h"
#include "otpcore/wire/wire.h"

#define SMS_PRIORITIES 4 /* login, registration, test, mail */
#define SMS_CHANNELS   3 /* sms voice email */
#define SMS_ERROR_MAX  128
#define SMS_WORD_MAX   16 /* of a delivery that failed */

struct sms_message {
	char id[41];       /* letters, digits, - and _ only: it becomes a file name */
	char to[257];      /* "+12025550134", or an e-mail address */
	char channel[9];   /* sms voice email */
	char template[33]; /* code register test, or an e-mail's file; "": text as it is */
	char language[17];
	char host[65];
	char *args; /* of an e-mail's template: name=value lines; NULL: none */
	char *from; /* of an e-mail, where the gateway names no sender; NULL */
	struct mag_secret code, text;
	int64_t expires_at; /* seconds, UTC */
	unsigned priority;  /* 0 is the most urgent */
};

/* Takes what a submit request says, secrets included (the request's become
 * empty). 0; MAG_EINVAL with a reason without number, code or text. */
int sms_message_take(
	struct sms_message *m, struct wire_submit_req *request, char error[SMS_ERROR_MAX]);
void sms_message_clear(struct sms_message *m);

/* How a number is written in logs: its last four digits ("...0134"); an e-mail
 * address as its domain. Returns buf. */
const char *sms_masked(const char *to, char *buf, size_t cap);

/* 0..SMS_CHANNELS-1; the names by number. */
unsigned sms_channel(const char *name);
extern const char *const sms_channel_names[SMS_CHANNELS];

/* "sms" in "sms voice"? */
bool sms_has_word(const char *words, const char *word);

#endif
