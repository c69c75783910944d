/* How a call ends: said by sip-call as its exit status, understood by the driver. */
#ifndef SMSD_SIP_ENDING_H
#define SMSD_SIP_ENDING_H

#include <stdbool.h>

#include "otpcore/wire/protocol.h"

enum sip_ending {
#define SIP_ENDING(name, status, outcome, text) SIP_##name = (status),
#include "smsd/sip/ending.def"
#undef SIP_ENDING
};

/* What an exit status means. false: sip-call never ends so. */
bool sip_ending_find(int status, enum sms_outcome *outcome_r, const char **text_r);

/* The final answer to a call that nobody took, as baresip words it: "486 Busy Here", or
 * an error of its own. rang: the telephone did ring. */
enum sip_ending sip_ending_of(const char *reason, bool rang);

#endif
