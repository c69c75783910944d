/* A phone is added and its code entered (P1-P3, P11, P12). */
#include <json-c/json.h>
#include <string.h>

#include "magotp/cmd.h"
#include "otpcore/base/buf.h"
#include "otpcore/base/text.h"

/* Wrong codes that are asked for again before the broker's cap ends it. */
#define ASK_MAX 12

static const char charge[] = "Your carrier may charge for messages and calls.";

/* "2 minutes", "90 seconds" */
static const char *lifetime(uint32_t seconds, char *buf, size_t cap)
{
	struct mag_buf b;

	mag_buf_init(&b, buf, cap);
	if (seconds % 60 || !seconds)
		mag_buf_printf(&b, "%u seconds", seconds);
	else
		mag_buf_printf(&b, "%u minute%s", seconds / 60, seconds == 60 ? "" : "s");
	return buf;
}

static void say_sent(const struct cli *c, const struct wire_phone_add_rep *p)
{
	const char *way = mag_streq(p->channel, "voice") ? "voice call" : "text";
	char good[32];

	if (c->result.seconds) {
		cli_note(c,
			"The %s to %s was sent just now and still holds; a new one in %u seconds.",
			way, p->masked, c->result.seconds);
		return;
	}
	if (p->delivery == DELIVERY_FAILED)
		cli_note(c, "Not sent: the %s to %s failed.", way, p->masked);
	else if (mag_streq(p->channel, "voice"))
		cli_note(c, "Calling phone %s with a code. It is spoken twice.", p->masked);
	else
		cli_note(c, "Code sent by text to %s.", p->masked);
	if (p->delivery != DELIVERY_FAILED)
		cli_note(c, "Good for %s.", lifetime(p->seconds_left, good, sizeof good));
}

static struct json_object *json_phone(const struct wire_phone_add_rep *p, const char *state)
{
	static const char *const words[] = { "none", "pending", "accepted", "failed" };
	struct json_object *o = json_object_new_object();
	const char id[] = { 'p', (char)('0' + p->ref % 10), 0 };

	json_object_object_add(o, "id", json_object_new_string(id));
	json_object_object_add(o, "number", json_object_new_string(p->number));
	json_object_object_add(o, "masked", json_object_new_string(p->masked));
	json_object_object_add(o, "country", json_object_new_string(p->country));
	json_object_object_add(o, "channel", json_object_new_string(cli_channel_word(p->channel)));
	json_object_object_add(o, "state", json_object_new_string(state));
	json_object_object_add(o, "delivery", json_object_new_string(words[p->delivery & 3]));
	json_object_object_add(o, "seconds_left", json_object_new_int64(p->seconds_left));
	return o;
}

/* Bound: what it is good for, and why a second one is wise (P11). */
static void say_bound(const struct cli *c, const struct wire_phone_verify_rep *v)
{
	char day[32];

	if (mag_streq(v->state, "pending-approval"))
		cli_say(c, "Phone %s waits for identity proofing. See: magotp proofing", v->masked);
	else
		cli_say(c, "Phone %s is active until %s", v->masked,
			mag_time_day(v->expires, day, sizeof day));
	if (v->phones == 1)
		cli_note(c, "Add a second phone: with one, losing it locks %s out.",
			mag_streq(c->program, "magotp") ? "you" : c->user);
}

static int verify_once(
	struct cli *c, uint32_t ref, struct mag_secret *code, struct wire_phone_verify_rep *v)
{
	struct wire_phone_verify_req q = { .ref = ref };
	int r;

	memset(v, 0, sizeof *v);
	mag_copy(q.user, sizeof q.user, c->user);
	q.code = *code; /* the request owns it now */
	memset(code, 0, sizeof *code);
	r = cli_call(c, WIRE_MSG_PHONE_VERIFY, &q, v);
	wire_clear(&wire_phone_verify_req, &q);
	return r;
}

/* r, v, t: a new code, by the same or the other way. Returns true if the answer
 * was one of them. */
static bool wants_resend(const struct mag_secret *answer, struct wire_phone_add_req *q)
{
	const char *a = mag_secret_text(answer);

	if (answer->len != 1 || !strchr("rvtRVT", *a))
		return false;
	if (*a == 'v' || *a == 'V')
		mag_copy(q->channel, sizeof q->channel, "voice");
	if (*a == 't' || *a == 'T')
		mag_copy(q->channel, sizeof q->channel, "sms");
	return true;
}

/* Ask until the code is right or nothing more can be tried. */
static int ask_code(struct cli *c, struct wire_phone_add_req *q, struct wire_phone_add_rep *p)
{
	struct wire_phone_verify_rep v;

	for (int i = 0; i < ASK_MAX; i++) {
		struct mag_secret code = { 0 };
		int r = cli_ask(c, "r resend, v voice call, t text.\nCode: ", "the code", &code);

		if (r == CLI_DONE && wants_resend(&code, q)) {
			mag_secret_free(&code);
			r = cli_request_grant(c, WIRE_MSG_PHONE_ADD, q, &q->grant, p);
			if (r == CLI_DONE)
				say_sent(c, p);
			else if (c->result.verdict != VERDICT_SEND_LIMITED)
				return r;
			continue;
		}
		if (r == CLI_DONE && !code.len)
			continue; /* an empty answer never counts as a try */
		if (r == CLI_DONE)
			r = verify_once(c, p->ref, &code, &v);
		mag_secret_free(&code);
		if (r != CLI_DONE)
			return r;
		if (c->result.verdict == VERDICT_OK) {
			say_bound(c, &v);
			return CLI_DONE;
		}
		if (c->result.verdict == VERDICT_CODE_WRONG)
			cli_note(c, "Wrong code, %u %s left, %u seconds.", v.tries_left,
				v.tries_left == 1 ? "try" : "tries", v.seconds_left);
		else if (c->result.verdict == VERDICT_CODE_EXPIRED)
			cli_note(c, "That code has expired.");
		else
			return cli_verdict(c);
	}
	return cli_fail(c, CLI_REFUSED, "tries-exceeded", "Too many answers. Begin again.");
}

/* P3 and P12, before anything is sent. */
static int confirm(struct cli *c, const struct wire_phone_add_rep *p)
{
	cli_note(c, "Name      %s", *p->name ? p->name : c->user);
	cli_note(c, "Number    %s", p->number);
	cli_note(c, "Country   %s", *p->country ? p->country : "-");
	cli_note(c, "%s", charge);
	return cli_confirm(c, mag_streq(p->channel, "voice")
				      ? "Call this number with a code? [Y/n] "
				      : "Send a code to this number by text? [Y/n] ");
}

static void say_how_to_verify(const struct cli *c, uint32_t ref)
{
	if (mag_streq(c->program, "magotp"))
		cli_note(c, "To bind it: magotp phone verify p%u CODE", ref);
	else
		cli_note(c, "To bind it: magotpctl phone verify %s p%u CODE", c->user, ref);
}

static int fill_add(struct cli *c, const char *number, struct wire_phone_add_req *q)
{
	const char *country = cli_opt(c, "--country"), *label = cli_opt(c, "--label");

	mag_copy(q->user, sizeof q->user, c->user);
	if (mag_copy(q->number, sizeof q->number, number))
		return cli_usage(c, "%s: too long for a number", number);
	if (mag_copy(q->country, sizeof q->country, country ? country : ""))
		return cli_usage(c, "--country %s: two letters, such as US", country);
	if (mag_copy(q->label, sizeof q->label, label ? label : ""))
		return cli_usage(c, "--label: 64 bytes at most");
	mag_copy(q->channel, sizeof q->channel, cli_opt(c, "--voice") ? "voice" : "");
	return CLI_DONE;
}

int phone_licence(struct cli *c, const char *key)
{
	struct wire_activate_req q = { 0 };
	struct wire_activate_rep p = { 0 };
	char day[32];
	int r = cli_secret(c, key, "Licence key: ", "the key", &q.key);

	mag_copy(q.user, sizeof q.user, c->user);
	if (r == CLI_DONE)
		r = cli_request(c, WIRE_MSG_ACTIVATE, &q, &p);
	if (r == CLI_DONE)
		cli_note(c, "Key accepted: %s, until %s", p.product,
			mag_time_day(p.expires, day, sizeof day));
	wire_clear(&wire_activate_req, &q);
	return r;
}

/* Nothing is written: may this number be added? Where a licence is missing, a
 * terminal asks for its key. */
static int check(
	struct cli *c, struct wire_phone_add_req *q, struct wire_phone_add_rep *p, bool ask)
{
	int r;

	q->check_only = 1;
	if (ask) {
		r = cli_call(c, WIRE_MSG_PHONE_ADD, q, p);
		if (r == CLI_DONE && c->result.verdict == VERDICT_LICENCE_NEEDED) {
			cli_note(c, "A phone needs a licence key.");
			r = phone_licence(c, NULL);
		}
		if (r != CLI_DONE)
			return r;
		memset(p, 0, sizeof *p);
	}
	r = cli_request_grant(c, WIRE_MSG_PHONE_ADD, q, &q->grant, p);
	q->check_only = 0;
	return r;
}

int phone_register(struct cli *c, const char *number, bool ask)
{
	struct wire_phone_add_req q = { 0 };
	struct wire_phone_add_rep p = { 0 };
	int r = fill_add(c, number, &q);

	if (r == CLI_DONE)
		r = check(c, &q, &p, ask);
	if (r == CLI_DONE && ask) {
		r = confirm(c, &p);
		if (r == CLI_REFUSED)
			cli_note(c, "Nothing was sent.");
	} else if (r == CLI_DONE) {
		cli_note(c, "%s", charge);
	}
	if (r == CLI_DONE)
		r = cli_request_grant(c, WIRE_MSG_PHONE_ADD, &q, &q.grant, &p);
	if (r == CLI_DONE && ask) {
		say_sent(c, &p);
		r = ask_code(c, &q, &p);
	} else if (r == CLI_DONE && c->json) {
		struct json_object *o = json_phone(&p, "pending");

		cli_json_print(&o);
	} else if (r == CLI_DONE) {
		cli_say(c, "p%u\t%s\tpending", p.ref, p.number);
		say_sent(c, &p);
		say_how_to_verify(c, p.ref);
	}
	wire_clear(&wire_phone_add_req, &q);
	return r;
}

int cmd_phone_add(struct cli *c)
{
	struct mag_secret typed = { 0 };
	bool ask = cli_can_ask() && !c->json;
	int r = cli_settings(c);

	if (r == CLI_DONE)
		r = cli_secret(c, cli_arg(c, 0), "Phone number (like +12025550134): ", "the number",
			&typed);
	if (r == CLI_DONE)
		r = phone_register(c, mag_secret_text(&typed), ask);
	mag_secret_free(&typed);
	return r;
}

/* verify [ID] [CODE]: one argument is the code, unless it is an id. */
int cmd_phone_verify(struct cli *c)
{
	const char *id = cli_arg(c, 0), *code = cli_arg(c, 1);
	struct wire_phone_verify_rep v = { 0 };
	struct mag_secret secret = { 0 };
	uint32_t ref;
	int r = cli_settings(c);

	if (id && !code && (!cli_phone_ref(id) || mag_streq(id, "-"))) {
		code = id;
		id = NULL;
	}
	ref = id ? cli_phone_ref(id) : 0;
	if (id && !ref)
		return cli_usage(c, "%s: not a phone's id; they are p1, p2, p3", id);
	if (r == CLI_DONE)
		r = cli_secret(c, code, "Code: ", "the code", &secret);
	if (r == CLI_DONE)
		r = verify_once(c, ref, &secret, &v);
	mag_secret_free(&secret);
	if (r != CLI_DONE)
		return r;
	if (c->result.verdict == VERDICT_CODE_WRONG)
		return cli_fail(c, CLI_REFUSED, "code-wrong", "Wrong code, %u %s left.",
			v.tries_left, v.tries_left == 1 ? "try" : "tries");
	if (c->result.verdict != VERDICT_OK)
		return cli_verdict(c);
	if (c->json) {
		struct json_object *o = json_object_new_object();
		const char text[] = { 'p', (char)('0' + v.ref % 10), 0 };

		json_object_object_add(o, "id", json_object_new_string(text));
		json_object_object_add(o, "masked", json_object_new_string(v.masked));
		json_object_object_add(o, "state", json_object_new_string(v.state));
		json_object_object_add(o, "expires", cli_json_time(v.expires));
		json_object_object_add(o, "phones", json_object_new_int64(v.phones));
		cli_json_print(&o);
		return CLI_DONE;
	}
	say_bound(c, &v);
	return CLI_DONE;
}
