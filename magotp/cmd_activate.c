/* magotp activate: a licence or renewal key (K1-K3, K5, K7), or the activation code of
 * an identity proofing (I1). */
#include <json-c/json.h>
#include <stdlib.h>

#include "magotp/cmd.h"
#include "otpcore/base/text.h"

/* What a product is for, and how one gets it. */
static const struct {
	const char *product, *kind, *next;
} steps[] = {
	{ "phone-us", "phone", "Next, add your phone: magotp phone add NUMBER" },
	{ "phone-intl", "phone", "Next, add your phone: magotp phone add NUMBER" },
	{ "hardware", "token", "Next, activate your token: magotp token add" },
	{ "mobile", "mobile", "Next, bind your app: magotp mobile add" },
	{ "mobile-hardware", "mobile",
		"Next, bind your app or token: magotp mobile add, magotp token add" },
};

static bool has_kind(const struct wire_status_rep *s, const char *kind)
{
	for (size_t i = 0; i < s->n_factors; i++)
		if (mag_streq(s->factors[i].kind, kind) &&
			!mag_streq(s->factors[i].state, "pending-activation"))
			return true;
	return false;
}

/* What comes next for who has nothing of that kind; only a hint, so no fault of its own. */
static void say_next(struct cli *c, const char *product)
{
	struct wire_status_req q = { 0 };
	struct wire_status_rep *s = calloc(1, sizeof *s);

	mag_copy(q.user, sizeof q.user, c->user);
	if (s && !client_call(&c->client, WIRE_MSG_STATUS, &q, &c->result, s) && !c->result.error &&
		c->result.verdict == VERDICT_OK)
		for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
			if (mag_streq(steps[i].product, product) && !has_kind(s, steps[i].kind))
				cli_note(c, "%s", steps[i].next);
	free(s);
}

int cmd_activate(struct cli *c)
{
	struct wire_activate_req q = { 0 };
	struct wire_activate_rep p = { 0 };
	char day[32];
	int r = cli_settings(c);

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE)
		r = cli_secret(c, cli_arg(c, 0), "Licence key: ", "the key", &q.key);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_ACTIVATE, &q, &p);
	wire_clear(&wire_activate_req, &q);
	if (r != CLI_DONE)
		return r;
	if (c->json) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "product", json_object_new_string(p.product));
		json_object_object_add(o, "level", json_object_new_int64(p.level));
		json_object_object_add(o, "expires", cli_json_time(p.expires));
		json_object_object_add(o, "proofing", json_object_new_string(p.proofing));
		if (p.proofed)
			json_object_object_add(o, "approved", json_object_new_string(p.approved));
		cli_json_print(&o);
		return CLI_DONE;
	}
	if (p.proofed) {
		cli_say(c, "Identity proofing is complete: level %u", p.level);
		cli_say(c, "Proofed: %s", p.approved);
		cli_note(c, "If one of them is not yours, tell your administrator at once.");
		return CLI_DONE;
	}
	cli_say(c, "Key accepted: %s, until %s", p.product,
		mag_time_day(p.expires, day, sizeof day));
	if (mag_streq(p.proofing, "wanted"))
		cli_note(c, "What you register with it waits until your identity is proofed: "
			    "magotp proofing");
	say_next(c, p.product);
	return CLI_DONE;
}
