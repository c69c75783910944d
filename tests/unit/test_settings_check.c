/* What is refused when magotp.conf is loaded; errors are compared whole. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <pwd.h>
#include <cmocka.h>

#include "otpcore/base/err.h"
#include "otpcore/settings/settings.h"

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

static char file[64];

struct passwd *__wrap_getpwnam(const char *name);
struct passwd *__wrap_getpwnam(const char *name)
{
	static struct passwd pw;

	pw.pw_uid = strcmp(name, "root") == 0 ? 0 : 33;
	return strcmp(name, "nobody-here") == 0 ? NULL : &pw;
}

static int try_to_load(const char *text, char err[OPT_ERROR_MAX])
{
	struct settings *s = NULL;
	FILE *f = fopen(file, "w");
	int r;

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	strcpy(err, "-");
	r = settings_load(file, &s, err);
	assert_true((r == 0) == (s != NULL));
	settings_free(&s);
	return r;
}

/* error: without the file's name, which differs from run to run */
static const struct {
	const char *text;
	int r;
	const char *error;
} faults[] = {
	{ "[service sshd]\nrequire = phone-opt\n", MAG_ESYNTAX,
		":2: require = phone-opt: unknown strength or profile; did you mean phone-otp?" },
	{ "[service sshd]\nrequire = sensitive\n", MAG_ESYNTAX,
		":2: require = sensitive: unknown strength or profile; write a strength such as "
		"phone-otp or make a [profile sensitive]" },
	{ "[service *]\nrequire =\n", MAG_ESYNTAX,
		":2: require = : unknown strength or profile; write a strength such as phone-otp "
		"or "
		"make a [profile ]" },
	{ "[profile core]\nrequire = passwort\n", MAG_ESYNTAX,
		":2: require = passwort: unknown strength; did you mean password?" },
	{ "[profile core]\nrequire = high\n", MAG_ESYNTAX,
		":2: require = high: unknown strength; the weakest is password, the strongest "
		"mloa-hardware" },
	{ "[profile a]\nrequire = bloa\n[profile b]\nrequire = a\n", MAG_ESYNTAX,
		":4: require = a: unknown strength; the weakest is password, the strongest "
		"mloa-hardware" },
	{ "[profile bloa]\nrequire = password\n", MAG_ESYNTAX,
		":2: require = password: [profile bloa] has the name of a strength; choose "
		"another" },
	{ "[profile x]\n", MAG_ESYNTAX, "[profile x] needs a line require = STRENGTH" },
	{ "[service *]\nlevel = 4\n", MAG_ERANGE, ":2: level = 4: must be 1 to 3" },
	{ "[service *]\nunenrolled = enrol\n", MAG_ESYNTAX,
		":2: unenrolled = enrol: write deny, allow or enroll" },
	{ "[service *]\nreuse = 25h\n", MAG_ERANGE, ":2: reuse = 25h: must be 0s to 1d" },
	{ "[service *]\nexempt_networks = 10.0.0.0/8 10.1.2.3/24\n", MAG_ESYNTAX,
		":2: exempt_networks = 10.0.0.0/8 10.1.2.3/24: 10.1.2.3/24 has bits beyond the "
		"/24; "
		"write 10.1.2.3/32 for one host" },
	{ "[service *]\nexempt_networks = 10.0.0.0/33\n", MAG_ESYNTAX,
		":2: exempt_networks = 10.0.0.0/33: 10.0.0.0/33: the prefix must be 0 to 32" },
	{ "[service *]\nexempt_networks = 10.0.0.0/\n", MAG_ESYNTAX,
		":2: exempt_networks = 10.0.0.0/: 10.0.0.0/: the prefix must be 0 to 32" },
	{ "[service x]\nexempt_networks = 2001:db8::1/64\n", MAG_ESYNTAX,
		":2: exempt_networks = 2001:db8::1/64: 2001:db8::1/64 has bits beyond the /64; "
		"write "
		"2001:db8::1/128 for one host" },
	{ "[service *]\nexempt_networks = office.example.org\n", MAG_ESYNTAX,
		":2: exempt_networks = office.example.org: office.example.org is no network; write "
		"one "
		"such as 192.0.2.0/24" },
	{ "[service *]\nexempt_networks = 10.1/16\n", MAG_ESYNTAX,
		":2: exempt_networks = 10.1/16: 10.1/16 is no network; write one such as "
		"192.0.2.0/24" },
	{ "[broker]\nverifiers = nobody-here:nginx\n", MAG_ESYNTAX,
		":2: verifiers = nobody-here:nginx: there is no user nobody-here; create it or "
		"take it "
		"out" },
	{ "[broker]\nverifiers = www-data\n", MAG_ESYNTAX,
		":2: verifiers = www-data: www-data is not USER:SERVICE" },
	{ "[broker]\nverifiers = :x\n", MAG_ESYNTAX, ":2: verifiers = :x: :x is not USER:SERVICE" },
	{ "[broker]\nverifiers = a:\n", MAG_ESYNTAX, ":2: verifiers = a:: a: is not USER:SERVICE" },
	{ "[broker]\nverifiers = root:x\n", MAG_ESYNTAX,
		":2: verifiers = root:x: root may do that already; take it out" },
	{ "[broker]\nupstream = auth1:4444\n", MAG_ESYNTAX,
		":2: upstream = auth1:4444: write tls://HOST:7443" },
	{ "[broker]\nupstream = tls://auth1:0\n", MAG_ESYNTAX,
		":2: upstream = tls://auth1:0: auth1:0 is not HOST:PORT" },
	{ "[broker]\nupstream = tls://a,b\n[store]\nurl = sqlite:/x/y\n", MAG_ESYNTAX,
		":4: url = sqlite:/x/y: a relay (upstream) has neither store nor master key; take "
		"one of the two out" },
	{ "[broker]\nupstream = tls://a\n[store]\nmaster_key = file:/x\n", MAG_ESYNTAX,
		":4: master_key = file:/x: a relay (upstream) has neither store nor master key; "
		"take one of the two out" },
	{ "[broker]\nupstream = tls://a\nlisten = :7443\n", MAG_ESYNTAX,
		":3: listen = :7443: a relay (upstream) serves no relays; take one out" },
	{ "[broker]\nlisten = [::1\n", MAG_ESYNTAX,
		":2: listen = [::1: write ADDRESS:7443, or :7443 for every address" },
	{ "[broker]\nmax_clients = 8\n", MAG_ESYNTAX,
		":2: max_clients = 8: max_clients_per_uid is 64 and max_clients 8; it must not be "
		"greater" },
	{ "[store]\nurl = mysql://x\n", MAG_ESYNTAX,
		":2: url = mysql://x: write sqlite:/PATH or postgresql://..." },
	{ "[store]\nurl = sqlite:relative.db\n", MAG_ESYNTAX,
		":2: url = sqlite:relative.db: write sqlite:/PATH or postgresql://..." },
	{ "[store]\nmaster_key = 0011\n", MAG_ESYNTAX,
		":2: master_key = 0011: write file:/PATH, credential:NAME or tpm:/PATH" },
	{ "[store]\nmaster_key = tpm:0x81000001\n", MAG_ESYNTAX,
		":2: master_key = tpm:0x81000001: write file:/PATH, credential:NAME or tpm:/PATH" },
	{ "[phone]\nregion_overrides = +1684=AS 1202=US\n", MAG_ESYNTAX,
		":2: region_overrides = +1684=AS 1202=US: 1202=US is not +PREFIX=COUNTRY, such as "
		"+1684=AS" },
	{ "[phone]\nregion_overrides = +1684=as\n", MAG_ESYNTAX,
		":2: region_overrides = +1684=as: +1684=as is not +PREFIX=COUNTRY, such as "
		"+1684=AS" },
	{ "[phone]\nregion_overrides = +=US\n", MAG_ESYNTAX,
		":2: region_overrides = +=US: +=US is not +PREFIX=COUNTRY, such as +1684=AS" },
	{ "[phone]\ncode_digits = 5\n", MAG_ERANGE, ":2: code_digits = 5: must be 6 to 8" },
	{ "[phone]\ncode_validity = 1h\n", MAG_ERANGE,
		":2: code_validity = 1h: must be 30s to 10m" },
	{ "[throttle]\ntotal_30d = 101\n", MAG_ERANGE, ":2: total_30d = 101: must be 1 to 100" },
	{ "[throttle]\ndelay = 1m\n", MAG_ESYNTAX,
		":2: delay = 1m: delay is longer than delay_max" },
	{ "[throttle]\ndelay_max = 0\n", MAG_ESYNTAX,
		":2: delay_max = 0: delay is longer than delay_max" },
	{ "[policy]\nfactors =\n", MAG_ESYNTAX,
		":2: factors = : nobody could log in; name at least one factor" },
	{ "[policy]\nfactors = phone mobile phone\n", MAG_ESYNTAX,
		":2: factors = phone mobile phone: phone stands there twice" },
	{ "[policy]\nfactors = phone fax\n", MAG_ESYNTAX,
		":2: factors = phone fax: unknown word fax; known are certificate, phone, "
		"hardware, "
		"mobile or recovery" },
	{ "[mail]\nenabled = login spam\n", MAG_ESYNTAX,
		":2: enabled = login spam: unknown word spam; known are activation, "
		"sponsorship, login, reminder, expiry, suspension, revocation, password-reset "
		"or proofing" },
	{ "[lifecycle]\nrevoke_reminders = 30d, 3d\n", MAG_ESYNTAX,
		":2: revoke_reminders = 30d, 3d: not a duration; write one such as 20s, 2m, 8h, "
		"30d or "
		"1y" },
	{ "[phones]\n", MAG_ESYNTAX, ":1: unknown section [phones]; did you mean [phone]?" },
	{ "[service]\n", MAG_ESYNTAX, ":1: [service] needs a name; write [service NAME]" },
	{ "[service *]\nskip = no # for now\n", MAG_ESYNTAX,
		":2: skip = no # for now: write yes or no" },
};

static void test_faults(void **state)
{
	char err[OPT_ERROR_MAX];

	(void)state;
	for (size_t i = 0; i < LENGTH(faults); i++) {
		const char *rest = err;
		int r = try_to_load(faults[i].text, err);

		if (strncmp(err, file, strlen(file)) == 0)
			rest = err + strlen(file);
		assert_string_equal(rest, faults[i].error);
		assert_int_equal(r, faults[i].r);
	}
}

static void test_what_is_right_is_taken(void **state)
{
	static const char *const right[] = {
		"[service *]\nexempt_networks = 10.0.0.0/8 192.0.2.1 ::1 ::/0 0.0.0.0/0\n",
		"[phone]\nregion_overrides = +1684=AS +1202=US\n",
		"[broker]\nverifiers = www-data:nginx, postgres:postgresql\n",
		"[store]\nurl = sqlite::memory:\nmaster_key = credential:magotp\n",
		"[throttle]\ndelay = 0\ndelay_max = 0\n",
		"[policy]\nfactors = hardware phone\nhelp = Call +1 202 555 0100 # not a comment\n",
		"[service *]\nrequire = sensitive\n[profile sensitive]\nrequire = bloa\n",
		"[broker]\nmax_clients = 64\n",
	};
	char err[OPT_ERROR_MAX];

	(void)state;
	for (size_t i = 0; i < LENGTH(right); i++)
		if (try_to_load(right[i], err) < 0)
			fail_msg("%s", err);
}

/* Every row can be read, and every default is one that a file could hold. */
static void test_rows_are_whole(void **state)
{
	char err[OPT_ERROR_MAX];

	(void)state;
	for (const struct opt_section *s = settings_schema.sections; s->name != NULL; s++) {
		assert_true(s->doc != NULL && *s->doc != '\0');
		for (const struct opt *o = s->opts; o->key != NULL; o++) {
			assert_true(o->doc != NULL && *o->doc != '\0');
			assert_true(strlen(o->doc) <= 78);
			assert_ptr_equal(opt_find(s->opts, o->key, NULL), o);
			if (o->def != NULL && opt_set(o, o->def, NULL, err) < 0)
				fail_msg("[%s] %s", s->name, err);
			if (o->type == OPT_INT || o->type == OPT_DURATION)
				assert_true(o->size == sizeof(int64_t) && o->min <= o->max);
			if (o->type == OPT_ENUM)
				assert_int_equal(o->size, sizeof(int));
			if (o->type == OPT_BOOL)
				assert_int_equal(o->size, sizeof(bool));
		}
	}
}

static int make_file(void **state)
{
	int fd;

	(void)state;
	strcpy(file, "/tmp/test_settings.XXXXXX");
	fd = mkstemp(file);
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_what_is_right_is_taken),
		cmocka_unit_test(test_rows_are_whole),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
