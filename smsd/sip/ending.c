/* Endings of calls: the table, and SIP's answers (RFC 3261 §21). */
#include <stddef.h>
#include <stdlib.h>

#include "smsd/sip/ending.h"

static const struct {
	int status;
	enum sms_outcome outcome;
	const char *text;
} endings[] = {
#define SIP_ENDING(name, status, outcome, text) { status, outcome, text },
#include "smsd/sip/ending.def"
#undef SIP_ENDING
};

/* The first row that fits. */
static const struct {
	int low, high;
	enum sip_ending ending;
} answers[] = {
	{ 486, 486, SIP_BUSY },
	{ 600, 600, SIP_BUSY },
	{ 480, 480, SIP_NO_ANSWER },
	{ 487, 487, SIP_NO_ANSWER },
	{ 401, 403, SIP_REFUSED }, /* 402: the account has no money */
	{ 407, 407, SIP_REFUSED },
	{ 404, 404, SIP_NO_NUMBER },
	{ 410, 410, SIP_NO_NUMBER },
	{ 484, 485, SIP_NO_NUMBER },
	{ 604, 604, SIP_NO_NUMBER },
	{ 603, 608, SIP_DECLINED },
	{ 300, 699, SIP_SERVER_FAULT },
};

bool sip_ending_find(int status, enum sms_outcome *outcome_r, const char **text_r)
{
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		if (endings[i].status != status)
			continue;
		*outcome_r = endings[i].outcome;
		*text_r = endings[i].text;
		return true;
	}
	return false;
}

enum sip_ending sip_ending_of(const char *reason, bool rang)
{
	char *end = NULL;
	long code = strtol(reason, &end, 10);

	/* 408 is an answer of the server's, or baresip's own to silence. */
	if (end == reason || code == 408)
		return rang ? SIP_NO_ANSWER : SIP_UNREACHABLE;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
		if (code >= answers[i].low && code <= answers[i].high)
			return answers[i].ending;
	return SIP_SERVER_FAULT;
}
