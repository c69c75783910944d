/* What a service demands and an account can offer (L2, L3, L6-L8, L13). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "otpcore/engine/policy.h"

#define NOW 1800000000

static const struct policy_line no_line;

static struct settings *settings_from(const char *text)
{
	char path[] = "/tmp/test_policy.XXXXXX", err[OPT_ERROR_MAX] = "";
	struct settings *s = NULL;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	if (settings_load(path, &s, err) < 0)
		fail_msg("%s", err);
	unlink(path);
	return s;
}

static struct policy policy_from(const char *text, const struct policy_line *line)
{
	struct settings *s = settings_from(text);
	struct service_settings service;
	struct policy p;

	settings_service(s, "sshd", &service);
	policy_make(s, &service, line, &p);
	settings_free(&s);
	return p;
}

/* ---- policy_make ---- */

static void test_L7_order(void **state)
{
	static const char *const ids[] = { "password", "bloa", "phone-otp", "mobile-id",
		"hardware-otp", "mloa-software", "mloa-hardware" };
	char text[128];
	size_t i, j;

	(void)state;
	for (i = 0; i < 7; i++) {
		snprintf(text, sizeof(text), "[service sshd]\nrequire = %s\n", ids[i]);
		struct policy p = policy_from(text, &no_line);

		assert_true(p.known);
		for (j = 0; j < 7; j++)
			assert_int_equal(
				strength_satisfies(strength_from_id(ids[j]), p.require), j >= i);
	}
}

static void test_L8_profiles_are_requirements(void **state)
{
	const struct policy_line line = { .require = "sensitive" };
	struct policy p = policy_from("[profile protected]\nrequire = mloa-hardware\n"
				      "[profile sensitive]\nrequire = bloa\n"
				      "[service sshd]\nrequire = protected\n",
		&no_line);

	(void)state;
	assert_int_equal(p.require, STRENGTH_MLOA_HARDWARE);
	p = policy_from("[profile sensitive]\nrequire = bloa\n", &line);
	assert_int_equal(p.require, STRENGTH_BLOA);
	assert_true(p.known);
}

static void test_defaults_ask_for_a_second_factor(void **state)
{
	struct policy p = policy_from("", &no_line);

	(void)state;
	assert_true(p.known);
	assert_int_equal(p.require, STRENGTH_PHONE_OTP);
	assert_int_equal(p.level, 1);
	assert_int_equal(p.mode, MODE_SEPARATE);
	assert_int_equal(p.unenrolled, UNENROLLED_DENY);
	assert_false(p.skip);
	assert_false(p.observe);
	assert_string_equal(p.bad, "");
}

static void test_options_of_the_line_beat_the_section(void **state)
{
	const char *text = "[service sshd]\nrequire = hardware-otp\nlevel = 3\nmode = short\n"
			   "unenrolled = deny\n";
	struct policy_line line = {
		.require = "phone-otp", .mode = "none", .unenrolled = "allow", .level = 2
	};
	struct policy p = policy_from(text, &line);

	(void)state;
	assert_true(p.known);
	assert_int_equal(p.require, STRENGTH_PHONE_OTP);
	assert_int_equal(p.level, 2);
	assert_int_equal(p.mode, MODE_NONE);
	assert_int_equal(p.unenrolled, UNENROLLED_ALLOW);
	/* what is empty is not on the line */
	line = (struct policy_line){ .require = "", .mode = "", .unenrolled = "" };
	p = policy_from(text, &line);
	assert_int_equal(p.require, STRENGTH_HARDWARE_OTP);
	assert_int_equal(p.level, 3);
	assert_int_equal(p.mode, MODE_SHORT);
	assert_int_equal(p.unenrolled, UNENROLLED_DENY);
}

static void assert_refuses(struct policy_line line, const char *bad)
{
	struct policy p = policy_from("[service sshd]\nrequire = password\nskip = yes\n", &line);
	int strength;

	assert_false(p.known);
	assert_string_equal(p.bad, bad);
	assert_false(p.skip);
	for (strength = 0; strength < STRENGTH_N; strength++)
		assert_false(strength_satisfies((enum strength)strength, p.require));
}

static void test_what_is_not_understood_refuses(void **state)
{
	(void)state;
	assert_refuses((struct policy_line){ .require = "strong" }, "require=strong");
	assert_refuses((struct policy_line){ .require = "Password" }, "require=Password");
	assert_refuses((struct policy_line){ .require = "none" }, "require=none");
	assert_refuses((struct policy_line){ .mode = "loud" }, "mode=loud");
	assert_refuses((struct policy_line){ .unenrolled = "maybe" }, "unenrolled=maybe");
	assert_refuses((struct policy_line){ .level = 4 }, "level=4");
	assert_refuses((struct policy_line){ .level = -1 }, "level=-1");
	assert_refuses((struct policy_line){ .require = "x", .mode = "y" }, "require=x");
	assert_refuses((struct policy_line){ .require = "a\033[31m\n" }, "require=a?[31m?");
	assert_refuses(
		(struct policy_line){
			.require = "0123456789012345678901234567890123456789012345678901" },
		"require=012345678901234567890123456789012345678");
}

static void test_a_section_that_names_no_strength_refuses(void **state)
{
	struct settings *s = settings_from("");
	struct service_settings service;
	struct policy p;

	(void)state;
	settings_service(s, "sshd", &service);
	strcpy(service.require, "gone"); /* cannot be loaded, but may never let in */
	policy_make(s, &service, &no_line, &p);
	assert_false(p.known);
	assert_int_equal(p.require, STRENGTH_NONE);
	settings_free(&s);
}

static void test_L3_skip_only_where_the_password_is_enough(void **state)
{
	struct policy p;

	(void)state;
	p = policy_from("[service sshd]\nskip = yes\nrequire = password\n", &no_line);
	assert_true(p.skip);
	p = policy_from("[service sshd]\nskip = yes\nrequire = phone-otp\n", &no_line);
	assert_false(p.skip);
	p = policy_from("[service sshd]\nskip = yes\nrequire = password\nlevel = 2\n", &no_line);
	assert_false(p.skip);
	p = policy_from("[service sshd]\nrequire = password\n", &no_line);
	assert_false(p.skip);
}

static void test_L2_autosend_and_the_rest_come_along(void **state)
{
	struct policy p = policy_from("[phone]\nautosend = yes\n[service sshd]\nobserve = yes\n"
				      "publickey_alone = allow\nseparator = none\n",
		&no_line);

	(void)state;
	assert_true(p.autosend);
	assert_true(p.observe);
	assert_int_equal(p.publickey_alone, 1);
	assert_int_equal(p.separator, 1);
}

/* ---- exemptions ---- */

static void test_exempt_users_match_whole_names(void **state)
{
	struct service_settings s = { .exempt_users = "backup monitor, root" };

	(void)state;
	assert_true(policy_exempt_user(&s, "backup"));
	assert_true(policy_exempt_user(&s, "monitor"));
	assert_true(policy_exempt_user(&s, "root"));
	assert_false(policy_exempt_user(&s, "back"));
	assert_false(policy_exempt_user(&s, "backup monitor"));
	assert_false(policy_exempt_user(&s, "Root"));
	assert_false(policy_exempt_user(&s, ""));
	assert_false(policy_exempt_user(&s, NULL));
	s.exempt_users[0] = '\0';
	assert_false(policy_exempt_user(&s, "root"));
	assert_false(policy_exempt_user(&s, ""));
}

static void test_exempt_groups_are_whole_words_of_both_lists(void **state)
{
	struct service_settings s = { .exempt_groups = "backup, wheel" };

	(void)state;
	assert_true(policy_exempt_groups(&s, "wheel"));
	assert_true(policy_exempt_groups(&s, "users games backup"));
	assert_false(policy_exempt_groups(&s, "whee back wheels Wheel"));
	assert_false(policy_exempt_groups(&s, ""));
	assert_false(policy_exempt_groups(&s, "  ,"));
	s.exempt_groups[0] = '\0';
	assert_false(policy_exempt_groups(&s, "wheel"));
	assert_false(policy_exempt_groups(&s, ""));
}

static void test_exempt_user_names_that_are_too_long_never_match(void **state)
{
	struct service_settings s = { 0 };
	char name[301];

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[300] = '\0';
	snprintf(s.exempt_users, sizeof(s.exempt_users), "%s bob", name);
	assert_false(policy_exempt_user(&s, name));
	assert_false(policy_exempt_user(&s, ""));
	assert_true(policy_exempt_user(&s, "bob"));
}

static bool exempt(const char *networks, const char *rhost)
{
	struct service_settings s = { 0 };

	snprintf(s.exempt_networks, sizeof(s.exempt_networks), "%s", networks);
	return policy_exempt_address(&s, rhost);
}

static void test_exempt_networks(void **state)
{
	static const struct {
		const char *networks, *rhost;
		bool is;
	} rows[] = {
		{ "10.0.0.0/8", "10.1.2.3", true },
		{ "10.0.0.0/8", "11.1.2.3", false },
		{ "10.128.0.0/9", "10.127.255.255", false },
		{ "10.128.0.0/9", "10.128.0.0", true },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.0/31", "192.0.2.1", true },
		{ "192.0.2.0/31", "192.0.2.2", false },
		{ "192.0.2.1/32", "192.0.2.1", true },
		{ "10.9.9.9/8", "10.1.2.3", true }, /* bits beyond the prefix do not count */
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "203.0.113.9", false },
		{ "::/0", "2001:db8::1", true },
		{ "2001:db8::/32", "2001:db8:ffff::1", true },
		{ "2001:db8::/32", "2001:db9::1", false },
		{ "2001:db8::/33", "2001:db8:8000::", false },
		{ "2001:db8::1", "2001:db8:0:0::1", true },
		{ "fe80::/10", "fe80::1%eth0", false }, /* not a plain literal */
		{ "198.51.100.0/24 10.0.0.0/8", "10.1.1.1", true },
		{ "198.51.100.0/24, 10.0.0.0/8", "198.51.100.77", true },
		/* v4-mapped, on either side */
		{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
		{ "10.0.0.0/8", "::ffff:11.1.2.3", false },
		{ "::ffff:10.0.0.0/104", "10.1.2.3", true },
		{ "::ffff:10.0.0.0/104", "11.1.2.3", false },
		{ "::ffff:10.0.0.1", "10.0.0.1", true },
		{ "::ffff:0:0/96", "203.0.113.9", true },
		{ "::ffff:10.0.0.0/8", "10.1.2.3",
			false }, /* /8 of version 6 means another thing */
		/* names and half addresses */
		{ "10.0.0.0/8", "localhost", false },
		{ "10.0.0.0/8", "10.1.2.3.example.org", false },
		{ "10.0.0.0/8", "10.1", false },
		{ "10.0.0.0/8", "010.1.2.3", false },
		{ "10.0.0.0/8", " 10.1.2.3", false },
		{ "0.0.0.0/0", "", false },
		{ "0.0.0.0/0 ::/0", NULL, false },
		{ "localhost", "localhost", false },
		/* networks that do not parse match nobody */
		{ "", "10.1.2.3", false },
		{ "10.0.0.0/33", "10.0.0.0", false },
		{ "10.0.0.0/-1", "10.0.0.0", false },
		{ "10.0.0.0/", "10.0.0.0", false },
		{ "10.0.0.0/8x", "10.0.0.0", false },
		{ "10.0.0/8", "10.0.0.0", false },
		{ "2001:db8::/129", "2001:db8::", false },
		{ "/8", "10.0.0.0", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (exempt(rows[i].networks, rows[i].rhost) != rows[i].is)
			fail_msg("%s in %s: expected %d", rows[i].rhost ? rows[i].rhost : "NULL",
				rows[i].networks, rows[i].is);
}

/* ---- offers ---- */

static struct aggregate *fresh(void)
{
	struct aggregate *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	a->exists = true;
	a->account.row.id = 1;
	a->n_subscriptions = 1;
	a->subscriptions[0] = (struct subscription){ .row = { .id = 50 },
		.account = 1,
		.product = PRODUCT_PHONE_US,
		.state = SUBSCRIPTION_ACTIVE,
		.level = 2,
		.expires_at = NOW + 1000 };
	return a;
}

static struct phone *add(struct aggregate *a, int64_t slot)
{
	struct phone *p = &a->phones[a->n_phones++];

	*p = (struct phone){ .row = { .id = 100 + slot },
		.account = 1,
		.subscription = 50,
		.slot = slot,
		.state = PHONE_ACTIVE,
		.channel = CHANNEL_SMS };
	return p;
}

static const struct settings *lists(const char *factors)
{
	static struct settings s;

	s.resync_fail_limit = 5;
	snprintf(s.factors, sizeof(s.factors), "%s", factors);
	return &s;
}

static const struct policy asks = { .known = true, .require = STRENGTH_PHONE_OTP, .level = 1 };

static void test_L2_phones_are_offered_by_slot_default_marked(void **state)
{
	struct aggregate *a = fresh();
	struct offer o[PHONES_MAX];

	(void)state;
	add(a, 3);
	add(a, 1);
	add(a, 2)->is_default = 1;
	assert_int_equal(
		policy_offers(a, &asks, lists("certificate phone hardware"), NOW, o, PHONES_MAX),
		3);
	assert_int_equal(o[0].phone->slot, 1);
	assert_int_equal(o[1].phone->slot, 2);
	assert_int_equal(o[2].phone->slot, 3);
	assert_false(o[0].is_default);
	assert_true(o[1].is_default);
	assert_false(o[2].is_default);
	assert_null(o[0].excluded);
	free(a);
}

static void test_L2_without_a_usable_default_the_first_is_taken(void **state)
{
	struct aggregate *a = fresh();
	struct offer o[PHONES_MAX];
	struct phone *pending;

	(void)state;
	pending = add(a, 1);
	pending->state = PHONE_PENDING;
	pending->is_default = 1;
	add(a, 2);
	add(a, 3);
	assert_int_equal(policy_offers(a, &asks, lists("phone"), NOW, o, PHONES_MAX), 3);
	assert_int_equal(o[0].phone->slot, 2);
	assert_true(o[0].is_default);
	assert_false(o[1].is_default);
	assert_string_equal(o[2].excluded, "pending");
	assert_false(o[2].is_default);
	free(a);
}

static void test_L13_unusable_phones_say_why(void **state)
{
	struct aggregate *a = fresh();
	struct policy wants = asks;
	struct offer o[PHONES_MAX];
	struct phone *p = add(a, 1);

	(void)state;
	p->subscription = 0;
	assert_int_equal(policy_offers(a, &asks, lists("phone"), NOW, o, PHONES_MAX), 1);
	assert_string_equal(o[0].excluded, "no-licence");
	assert_false(o[0].is_default);
	p->subscription = 50;
	assert_int_equal(policy_offers(a, &asks, lists("phone"), NOW + 1001, o, PHONES_MAX), 1);
	assert_string_equal(o[0].excluded, "phone-expired");
	assert_int_equal(policy_offers(a, &asks, lists("phone"), NOW + 1000, o, PHONES_MAX), 1);
	assert_null(o[0].excluded);
	wants.require = STRENGTH_HARDWARE_OTP;
	policy_offers(a, &wants, lists("phone"), NOW, o, PHONES_MAX);
	assert_string_equal(o[0].excluded, "requirements-not-met");
	wants = asks;
	wants.level = 3;
	policy_offers(a, &wants, lists("phone"), NOW, o, PHONES_MAX);
	assert_string_equal(o[0].excluded, "requirements-not-met");
	a->subscriptions[0].level = 3;
	policy_offers(a, &wants, lists("phone"), NOW, o, PHONES_MAX);
	assert_null(o[0].excluded);
	wants.known = false;
	policy_offers(a, &wants, lists("phone"), NOW, o, PHONES_MAX);
	assert_string_equal(o[0].excluded, "requirements-not-met");
	free(a);
}

static void test_factors_decide_whether_phones_are_offered(void **state)
{
	static const char *const without[] = { "", "hardware", "certificate mobile", "phones",
		"aphone", "phone-otp" };
	static const char *const with[] = { "phone", "hardware phone", "phone hardware",
		"certificate  phone", "\tphone" };
	struct aggregate *a = fresh();
	struct offer o[PHONES_MAX];
	size_t i;

	(void)state;
	add(a, 1);
	for (i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
		assert_int_equal(policy_offers(a, &asks, lists(without[i]), NOW, o, PHONES_MAX), 1);
		assert_string_equal(o[0].excluded, "not-offered");
	}
	for (i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
		assert_int_equal(policy_offers(a, &asks, lists(with[i]), NOW, o, PHONES_MAX), 1);
		assert_null(o[0].excluded);
	}
	free(a);
}

static void test_deleted_phones_and_wild_counts(void **state)
{
	struct aggregate *a = fresh();
	struct offer o[PHONES_MAX];

	(void)state;
	assert_int_equal(policy_offers(a, &asks, lists("phone"), NOW, o, PHONES_MAX), 0);
	add(a, 1)->row.fate = ROW_DELETED;
	assert_int_equal(policy_offers(a, &asks, lists("phone"), NOW, o, PHONES_MAX), 0);
	add(a, 2);
	add(a, 3);
	a->n_phones = 900;
	assert_int_equal(policy_offers(a, &asks, lists("phone"), NOW, o, PHONES_MAX), 2);
	assert_int_equal(policy_offers(a, &asks, lists("phone"), NOW, o, 1), 1);
	assert_int_equal(o[0].phone->slot, 2);
	free(a);
}

/* ---- tokens and apps ---- */

static struct token *give(struct aggregate *a, enum token_kind kind, enum token_state state)
{
	struct token *t = &a->tokens[a->n_tokens++];

	*t = (struct token){ .row = { .id = (int64_t)(200 + a->n_tokens) },
		.kind = kind,
		.type = TOKEN_TOTP,
		.account = 1,
		.subscription = 50,
		.state = state };
	snprintf(t->serial, sizeof(t->serial), "A%d", (int)a->n_tokens);
	return t;
}

/* The offers as one text: "p1 p2* t1" are offered (p2 by default), "!t1" is there
 * to repair, "-t1:why" is excluded. */
static const char *offers_text(struct aggregate *a, const struct policy *p, const char *factors)
{
	static char text[256];
	struct offer o[OFFERS_MAX];
	size_t n = policy_offers(a, p, lists(factors), NOW, o, OFFERS_MAX), i, len = 0;

	text[0] = '\0';
	for (i = 0; i < n; i++) {
		bool excluded = o[i].excluded && !o[i].repair;

		assert_true(!o[i].phone != !o[i].token);
		assert_true(!o[i].repair || o[i].excluded);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%c%d%s%s%s",
			i ? " " : "",
			o[i].repair ? "!"
			: excluded  ? "-"
				    : "",
			o[i].phone                           ? 'p'
			: o[i].token->kind == TOKEN_HARDWARE ? 't'
							     : 'm',
			o[i].phone ? (int)o[i].phone->slot : 1, o[i].is_default ? "*" : "",
			excluded ? ":" : "", excluded ? o[i].excluded : "");
	}
	return text;
}

static void test_L2_offers_stand_in_the_order_of_factors(void **state)
{
	static const struct {
		const char *factors, *text;
	} rows[] = {
		{ "certificate phone hardware mobile recovery", "p1 p2* t1 m1" },
		{ "hardware phone mobile", "t1* p1 p2 m1" },
		{ "mobile hardware phone", "m1* t1 p1 p2" },
		{ "mobile phone", "m1* p1 p2 -t1:not-offered" },
		{ "phone", "p1 p2* -t1:not-offered -m1:not-offered" },
		{ "", "-p1:not-offered -p2:not-offered -t1:not-offered -m1:not-offered" },
	};
	struct aggregate *a = fresh();
	size_t i;

	(void)state;
	add(a, 2)->is_default = 1;
	add(a, 1);
	give(a, TOKEN_HARDWARE, TOKEN_ACTIVE);
	give(a, TOKEN_MOBILE, TOKEN_ACTIVE);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(offers_text(a, &asks, rows[i].factors), rows[i].text);
	free(a);
}

static void test_L6_a_service_can_require_the_token(void **state)
{
	static const char all[] = "phone hardware mobile";
	struct policy p = asks;
	struct aggregate *a = fresh();

	(void)state;
	add(a, 1);
	give(a, TOKEN_HARDWARE, TOKEN_ACTIVE);
	give(a, TOKEN_MOBILE, TOKEN_ACTIVE);
	assert_string_equal(offers_text(a, &p, all), "p1* t1 m1");
	p.require = STRENGTH_MOBILE_ID;
	assert_string_equal(offers_text(a, &p, all), "t1* m1 -p1:requirements-not-met");
	p.require = STRENGTH_HARDWARE_OTP;
	assert_string_equal(
		offers_text(a, &p, all), "t1* -p1:requirements-not-met -m1:requirements-not-met");
	/* nor is one repaired that would not be enough */
	a->tokens[0].state = a->tokens[1].state = TOKEN_LOCKED;
	assert_string_equal(
		offers_text(a, &p, all), "!t1* -p1:requirements-not-met -m1:requirements-not-met");
	p.require = STRENGTH_MLOA_SOFTWARE;
	assert_string_equal(offers_text(a, &p, all),
		"-p1:requirements-not-met -t1:requirements-not-met -m1:requirements-not-met");
	p = asks;
	p.level = 3;
	assert_string_equal(offers_text(a, &p, "hardware"),
		"-t1:requirements-not-met -p1:not-offered -m1:not-offered");
	a->subscriptions[0].level = 3;
	assert_string_equal(offers_text(a, &p, "hardware"), "!t1* -p1:not-offered -m1:not-offered");
	p.known = false;
	assert_string_equal(offers_text(a, &p, "hardware"),
		"-t1:requirements-not-met -p1:not-offered -m1:not-offered");
	free(a);
}

static void test_H4_H7_L13_what_is_repaired_and_what_not(void **state)
{
	static const struct {
		int64_t state, by, resyncs;
		const char *text;
	} rows[] = {
		{ TOKEN_ACTIVE, 0, 0, "t1*" },
		{ TOKEN_ACTIVE, 0, 5, "t1*" },
		{ TOKEN_LOCKED, 0, 0, "!t1*" },
		{ TOKEN_LOCKED, 0, 4, "!t1*" },
		{ TOKEN_LOCKED, 0, 5, "-t1:token-out-of-sync" },
		{ TOKEN_SUSPENDED, ACTOR_USER, 0, "!t1*" },
		{ TOKEN_SUSPENDED, ACTOR_ADMIN, 0, "-t1:token-suspended-by-admin" },
		{ TOKEN_EXPIRED, 0, 0, "-t1:token-expired" },
		{ TOKEN_PENDING_ACTIVATION, 0, 0, "-t1:token-pending" },
		{ TOKEN_PENDING_APPROVAL, 0, 0, "-t1:proofing-pending" },
		{ TOKEN_REVOKED, 0, 0, "" },
	};
	struct aggregate *a = fresh();
	struct token *t = give(a, TOKEN_HARDWARE, TOKEN_ACTIVE);
	struct offer o[OFFERS_MAX];
	size_t i;

	(void)state;
	a->n_throttles = 2;
	a->throttles[0] =
		(struct throttle){ .kind = THROTTLE_TOKEN, .subject = t->row.id, .count = 9 };
	a->throttles[1] = (struct throttle){ .kind = THROTTLE_RESYNC, .subject = t->row.id };
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		t->state = rows[i].state;
		t->suspended_by = rows[i].by;
		a->throttles[1].count = rows[i].resyncs;
		assert_string_equal(offers_text(a, &asks, "hardware"), rows[i].text);
	}
	t->state = TOKEN_LOCKED;
	a->throttles[1].count = 0;
	assert_int_equal(policy_offers(a, &asks, lists("hardware"), NOW, o, OFFERS_MAX), 1);
	assert_string_equal(o[0].excluded, "token-locked");
	assert_string_equal(offers_text(a, &asks, "phone"), "-t1:not-offered");
	a->subscriptions[0].expires_at = NOW - 1; /* H4: only while it is paid */
	assert_string_equal(offers_text(a, &asks, "hardware"), "-t1:token-expired");
	t->subscription = 0;
	assert_string_equal(offers_text(a, &asks, "hardware"), "-t1:no-licence");
	t->row.fate = ROW_DELETED;
	assert_string_equal(offers_text(a, &asks, "hardware"), "");
	free(a);
}

static const char *why(struct aggregate *a, const struct policy *p)
{
	return verdict_id(policy_why(a, p, lists("hardware mobile"), NOW));
}

static void test_L14_why_nothing_is_offered(void **state)
{
	static const struct {
		int64_t state, by, resyncs;
		const char *why;
	} rows[] = {
		{ TOKEN_ACTIVE, 0, 0, "undecided" },
		{ TOKEN_LOCKED, 0, 4, "undecided" },
		{ TOKEN_LOCKED, 0, 5, "token-out-of-sync" },
		{ TOKEN_SUSPENDED, ACTOR_USER, 0, "undecided" },
		{ TOKEN_SUSPENDED, ACTOR_ADMIN, 0, "token-suspended-by-admin" },
		{ TOKEN_EXPIRED, 0, 0, "token-expired" },
		{ TOKEN_PENDING_ACTIVATION, 0, 0, "token-pending" },
		{ TOKEN_PENDING_APPROVAL, 0, 0, "proofing-pending" },
		{ TOKEN_REVOKED, 0, 0, "token-revoked" },
	};
	struct aggregate *a = fresh();
	struct policy p = asks;
	struct token *t;

	(void)state;
	assert_string_equal(why(a, &p), "undecided");
	t = give(a, TOKEN_HARDWARE, TOKEN_ACTIVE);
	a->n_throttles = 1;
	a->throttles[0] = (struct throttle){ .kind = THROTTLE_RESYNC, .subject = t->row.id };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		t->state = rows[i].state;
		t->suspended_by = rows[i].by;
		a->throttles[0].count = rows[i].resyncs;
		assert_string_equal(why(a, &p), rows[i].why);
	}
	t->row.fate = ROW_DELETED;
	assert_string_equal(why(a, &p), "undecided");
	add(a, 1);
	a->subscriptions[0].proofing = PROOFING_WANTED;
	assert_string_equal(why(a, &p), "proofing-pending");
	p.require = STRENGTH_HARDWARE_OTP; /* a phone would not be enough */
	assert_string_equal(why(a, &p), "undecided");
	free(a);
}

/* Renewing what is not enough helps nobody; what was replaced is history. */
static void test_L14_only_what_would_be_enough_is_to_blame(void **state)
{
	struct aggregate *a = fresh();
	struct policy p = asks;

	(void)state;
	give(a, TOKEN_MOBILE, TOKEN_EXPIRED);
	assert_string_equal(why(a, &p), "token-expired");
	p.require = STRENGTH_HARDWARE_OTP;
	assert_string_equal(why(a, &p), "undecided");
	give(a, TOKEN_HARDWARE, TOKEN_REVOKED);
	assert_string_equal(why(a, &p), "token-revoked");
	p.level = 3;
	assert_string_equal(why(a, &p), "token-revoked");
	p = asks;
	assert_string_equal(why(a, &p), "token-expired");
	p.level = 3; /* the expired one stands for level 2 */
	assert_string_equal(why(a, &p), "token-revoked");
	give(a, TOKEN_HARDWARE, TOKEN_PENDING_ACTIVATION); /* revoked no more */
	assert_string_equal(why(a, &p), "token-pending");
	p.known = false;
	assert_string_equal(why(a, &p), "undecided");
	free(a);
}

/* What takes a code stands before what has to be repaired, whatever the order. */
static void test_L2_a_locked_token_is_no_default_beside_a_phone(void **state)
{
	struct aggregate *a = fresh();
	size_t i;

	(void)state;
	give(a, TOKEN_HARDWARE, TOKEN_LOCKED);
	assert_string_equal(offers_text(a, &asks, "hardware phone mobile"), "!t1*");
	give(a, TOKEN_MOBILE, TOKEN_ACTIVE);
	assert_string_equal(offers_text(a, &asks, "hardware phone mobile"), "m1* !t1");
	add(a, 2);
	add(a, 1)->state = PHONE_PENDING;
	assert_string_equal(
		offers_text(a, &asks, "hardware phone mobile"), "p2* m1 !t1 -p1:pending");
	a->n_tokens = 900; /* no more than there can be */
	for (i = 2; i < TOKENS_MAX; i++)
		a->tokens[i].state = TOKEN_REVOKED;
	assert_string_equal(
		offers_text(a, &asks, "hardware phone mobile"), "p2* m1 !t1 -p1:pending");
	free(a);
}

static void test_phone_strength_and_level(void **state)
{
	struct aggregate *a = fresh();
	struct phone *p = add(a, 1);

	(void)state;
	assert_int_equal(phone_strength(p), STRENGTH_PHONE_OTP);
	p->state = PHONE_PENDING;
	assert_int_equal(phone_strength(p), STRENGTH_NONE);
	p->state = 0;
	assert_int_equal(phone_strength(p), STRENGTH_NONE);
	assert_int_equal(phone_level(a, p), 2);
	a->subscriptions[0].level = 3;
	assert_int_equal(phone_level(a, p), 3);
	a->subscriptions[0].level = 9; /* not a level: the one without proofing */
	assert_int_equal(phone_level(a, p), 2);
	p->subscription = 0;
	assert_int_equal(phone_level(a, p), 1);
	free(a);
}

static void test_subscription_must_be_of_the_same_account(void **state)
{
	struct aggregate *a = fresh();
	struct phone *p = add(a, 1);

	(void)state;
	assert_ptr_equal(phone_subscription(a, p), &a->subscriptions[0]);
	a->subscriptions[0].account = 2;
	assert_null(phone_subscription(a, p));
	a->subscriptions[0].account = 1;
	a->subscriptions[0].row.fate = ROW_DELETED;
	assert_null(phone_subscription(a, p));
	a->subscriptions[0].row.fate = ROW_CLEAN;
	p->subscription = 51;
	assert_null(phone_subscription(a, p));
	a->n_subscriptions = 900;
	assert_null(phone_subscription(a, p));
	free(a);
}

static void test_L12_states_of_phones(void **state)
{
	struct aggregate *a = fresh();
	struct phone *p = add(a, 1);

	(void)state;
	assert_string_equal(phone_state_id(a, p, NOW), "active");
	assert_string_equal(phone_state_id(a, p, NOW + 1001), "expired");
	p->state = PHONE_PENDING;
	assert_string_equal(phone_state_id(a, p, NOW), "pending");
	free(a);
}

static void test_channels(void **state)
{
	(void)state;
	assert_string_equal(channel_id(CHANNEL_SMS), "sms");
	assert_string_equal(channel_id(CHANNEL_VOICE), "voice");
	assert_string_equal(channel_id(CHANNEL_EMAIL), "email");
	assert_string_equal(channel_id(0), "");
	assert_string_equal(channel_id(4), "");
	assert_int_equal(channel_from_id("sms"), CHANNEL_SMS);
	assert_int_equal(channel_from_id("voice"), CHANNEL_VOICE);
	assert_int_equal(channel_from_id("email"), CHANNEL_EMAIL);
	assert_int_equal(channel_from_id("text"), 0);
	assert_int_equal(channel_from_id(""), 0);
	assert_int_equal(channel_from_id(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_L7_order),
		cmocka_unit_test(test_L8_profiles_are_requirements),
		cmocka_unit_test(test_defaults_ask_for_a_second_factor),
		cmocka_unit_test(test_options_of_the_line_beat_the_section),
		cmocka_unit_test(test_what_is_not_understood_refuses),
		cmocka_unit_test(test_a_section_that_names_no_strength_refuses),
		cmocka_unit_test(test_L3_skip_only_where_the_password_is_enough),
		cmocka_unit_test(test_L2_autosend_and_the_rest_come_along),
		cmocka_unit_test(test_exempt_users_match_whole_names),
		cmocka_unit_test(test_exempt_user_names_that_are_too_long_never_match),
		cmocka_unit_test(test_exempt_groups_are_whole_words_of_both_lists),
		cmocka_unit_test(test_exempt_networks),
		cmocka_unit_test(test_L2_phones_are_offered_by_slot_default_marked),
		cmocka_unit_test(test_L2_without_a_usable_default_the_first_is_taken),
		cmocka_unit_test(test_L13_unusable_phones_say_why),
		cmocka_unit_test(test_factors_decide_whether_phones_are_offered),
		cmocka_unit_test(test_deleted_phones_and_wild_counts),
		cmocka_unit_test(test_L2_offers_stand_in_the_order_of_factors),
		cmocka_unit_test(test_L6_a_service_can_require_the_token),
		cmocka_unit_test(test_H4_H7_L13_what_is_repaired_and_what_not),
		cmocka_unit_test(test_L14_why_nothing_is_offered),
		cmocka_unit_test(test_L14_only_what_would_be_enough_is_to_blame),
		cmocka_unit_test(test_L2_a_locked_token_is_no_default_beside_a_phone),
		cmocka_unit_test(test_phone_strength_and_level),
		cmocka_unit_test(test_subscription_must_be_of_the_same_account),
		cmocka_unit_test(test_L12_states_of_phones),
		cmocka_unit_test(test_channels),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
