/* The second asking for one page (H6, twin.h): only in combined mode, where a
 * program repeats what a person typed once. */
#include "otpcore/base/text.h"
#include "otpcore/broker/handle/login.h"
#include "otpcore/broker/handle/trial.h"
#include "otpcore/broker/elevation.h"
#include "otpcore/broker/twin.h"

bool verify_twin_decide(struct request *r, const struct party *p)
{
	struct proof proof;

	if (r->ticket.mode != MODE_COMBINED || p->decoy ||
		mag_streq(r->ticket.service, SERVICE_ELEVATE) || !twins_take(r, &proof) ||
		!session_proof_holds(r, p->own, r->ticket.holder, &proof))
		return false;
	r->state.i[TRIAL_EVALUATED] = EVALUATED_TWIN;
	r->state.i[TRIAL_STRENGTH] = proof.strength;
	r->state.i[TRIAL_LEVEL] = proof.level;
	r->state.i[TRIAL_CREDENTIAL] = proof.phone;
	r->state.i[TRIAL_ACCEPTED] = proof.token;
	request_verdict(r, VERDICT_OK);
	return true;
}

void verify_twin_settle(struct request *r, const struct party *p)
{
	const struct proof proof = { (enum strength)r->state.i[TRIAL_STRENGTH],
		r->state.i[TRIAL_LEVEL], r->state.i[TRIAL_CREDENTIAL], r->state.i[TRIAL_ACCEPTED] };

	verify_succeed(r, p, &proof);
}

void verify_after(struct request *r)
{
	const struct login *l = store_login(r->tick, r->ticket.login);
	const struct proof proof = { (enum strength)l->strength, l->level, l->phone, l->token };
	bool judged = r->state.i[TRIAL_EVALUATED] == EVALUATED_PHONE ||
		      r->state.i[TRIAL_EVALUATED] == EVALUATED_TOKEN;

	if (judged && r->result.verdict == VERDICT_OK && r->ticket.mode == MODE_COMBINED)
		twins_remember(r, &proof);
	if (judged && r->result.verdict == VERDICT_OK && !r->state.i[TRIAL_CLAIMED] &&
		mag_streq(r->ticket.service, SERVICE_ELEVATE))
		elevations_remember(r, &proof);
}
