/* What is said in a call, joined from recorded pieces into a WAV file in memory. */
#ifndef SMSD_SIP_SPEECH_H
#define SMSD_SIP_SPEECH_H

#include <stdint.h>

#include "otpcore/base/secret.h"
#include "smsd/sip/voice.h"

#define SPEECH_DIGITS_MAX  10 /* as many as a code has at most */
#define SPEECH_REPEATS_MAX 5

struct speech {
	unsigned repeats;  /* how often the whole code is said: 2 to SPEECH_REPEATS_MAX */
	unsigned pause_ms; /* behind each digit; between sentences half as much more */
};

/* A phrase, the code digit by digit, "once more", the code ..., goodbye. once_ms_r: when
 * its last digit has been said for the first time. 0, MAG_EINVAL (not a code of
 * digits), MAG_ERANGE, MAG_ENOMEM. */
int speech_code(const struct voice *v, const char *digits, const struct speech *how,
	struct mag_secret *wav_r, int64_t *once_ms_r);

/* "Press any key to hear your code", again and again for `ms`. */
int speech_prompt(const struct voice *v, int64_t ms, struct mag_secret *wav_r);

/* Nothing, for `ms`. */
int speech_silence(int64_t ms, struct mag_secret *wav_r);

#endif
