/* Only root's word about addresses and groups counts (security.md 9). The broker asks
 * no name service: it would have to wait for one, or meet its own module there. Root's
 * module asks it, about the groups that the settings name; what it could not find out,
 * and what nobody was asked, exempts nobody. */
#include "otpcore/broker/handle/exempt.h"

enum exempting exempt_judge(const struct request *r, const struct service_settings *service,
	const struct exempt_input *in)
{
	if (policy_exempt_user(service, in->user))
		return EXEMPT_YES;
	if (r->peer.uid != 0)
		return EXEMPT_NO;
	if (policy_exempt_address(service, in->rhost))
		return EXEMPT_YES;
	if (in->tells_groups == TELLS_ASK && *service->exempt_groups)
		return EXEMPT_ASK;
	return in->tells_groups == TELLS_TOLD && policy_exempt_groups(service, in->groups)
		       ? EXEMPT_YES
		       : EXEMPT_NO;
}
