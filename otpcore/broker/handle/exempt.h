/* Who is asked for no second factor: by name, by address, by group. */
#ifndef BROKER_HANDLE_EXEMPT_H
#define BROKER_HANDLE_EXEMPT_H

#include "otpcore/broker/broker.h"
#include "otpcore/engine/policy.h"

enum exempting { EXEMPT_NO, EXEMPT_YES, EXEMPT_ASK }; /* ASK: it depends on groups */

struct exempt_input {
	const char *user, *rhost;
	uint32_t tells_groups; /* enum tells_groups */
	const char *groups;
};
enum exempting exempt_judge(const struct request *r, const struct service_settings *service,
	const struct exempt_input *in);

#endif
