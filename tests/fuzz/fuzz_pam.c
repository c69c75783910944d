/* What stands in /etc/pam.d, as the tools read it, and as libpam hands it to the module;
 * and the one field into which a password and a code are typed. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "magotp/pamedit.h"
#include "magotp/pamfile.h"
#include "magotp/pamstack.h"
#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/client/client.h"
#include "otpcore/login/flow.h"
#include "otpcore/login/pam_options.h"
#include "tests/fuzz/fuzz.h"

static const char *const lines[] = {
	"auth\t[success=1 default=ignore]\tpam_unix.so nullok\nauth requisite pam_deny.so\n"
	"auth required pam_permit.so\nauth required pam_magotp.so require=phone-otp\n",
	"@include common-auth\naccount required pam_magotp.so level=2 mode=short\n",
	"-auth sufficient /lib/security/pam_magotp.so prompt_password "
	"password_service=magotp-password \\\n unenrolled=allow broker_down=allow\n",
	"auth include system-auth\nauth substack x\naccount\trequired pam_unix.so\n",
	"auth [success=ok new_authtok_reqd=done auth_err=die default=bad] pam_sss.so [a b] # x\n"
	"auth [default=reset] pam_magotp.so\n",
	"#%PAM-1.0\n\nauth sufficient pam_rootok.so\nauth required pam_succeed_if.so uid = 0\n",
};
#define LINES (sizeof lines / sizeof *lines)

/* A file whose folder is /proc/self/fd; no other file can be included from there but
 * by the number of a descriptor. */
static int file_of(const uint8_t *data, size_t len, char name_r[16])
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("input", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
	FUZZ_CHECK(pwrite(fd, data, len, 0) == (ssize_t)len);
	snprintf(name_r, 16, "%d", fd);
	return fd;
}

static void check_text(const char *s, size_t cap)
{
	FUZZ_CHECK(memchr(s, 0, cap) != NULL);
}

void fuzz_pam_file(const uint8_t *data, size_t len)
{
	struct pam_line l = { 0 };
	char name[16];

	/* Whatever it opens would be a file of this machine. */
	if (memchr(data, '/', len) != NULL)
		return;
	file_of(data, len, name);
	if (pam_read("/proc/self/fd", name, &l) < 0)
		return;
	check_text(l.require, sizeof l.require);
	check_text(l.mode, sizeof l.mode);
	check_text(l.service, sizeof l.service);
	check_text(l.password_service, sizeof l.password_service);
	check_text(l.wrong, sizeof l.wrong);
	FUZZ_CHECK(!l.found || l.auth || l.account);
	FUZZ_CHECK(!l.found || l.line > 0);
}

size_t seed_pam_file(struct dice *d, uint8_t *out)
{
	size_t n = fuzz_choose(d, lines, LINES, out);

	return n + fuzz_choose(d, lines, LINES, out + n);
}

void fuzz_pam_stack(const uint8_t *data, size_t len)
{
	static struct pam_stack s;
	struct pam_finding f = { 0 };
	enum pam_phase phase = PAM_AUTH;
	char *text;

	if (len == 0)
		return;
	phase = (enum pam_phase)(data[0] % 4);
	text = fuzz_string(data + 1, len - 1);
	if (pam_stack_read("/nonexistent", "x", text, phase, &s) == 0) {
		FUZZ_CHECK(s.n <= PAM_RULES_MAX && s.phase == phase);
		for (size_t i = 0; i < s.n; i++) {
			FUZZ_CHECK(s.rules[i].line > 0 && s.rules[i].top_line > 0);
			FUZZ_CHECK(s.rules[i].success >= PAM_RESET);
		}
		pam_stack_judge(&s, &f);
		FUZZ_CHECK(!f.found ||
			   (f.magotp < s.n && strstr(s.rules[f.magotp].module, "pam_magotp")));
		FUZZ_CHECK(!f.way_round || f.found);
	}
	FUZZ_CHECK(s.n <= PAM_RULES_MAX);
	free(text);
}

size_t seed_pam_stack(struct dice *d, uint8_t *out)
{
	out[0] = (uint8_t)dice_below(d, 4);
	return 1 + seed_pam_file(d, out + 1);
}

/* ---- what the tools write into it: two bytes say where, the rest is the file ---- */

/* What goes in comes out again, and nothing else does. */
void fuzz_pam_edit(const uint8_t *data, size_t len)
{
	struct pam_insert in[2] = { { .lines = "auth required pam_magotp.so\n" },
		{ .lines = "account required pam_magotp.so\n" } };
	char *text, *clean = NULL, *with = NULL, *without = NULL;
	size_t blocks = 0;
	int r;

	if (len < 2)
		return;
	text = fuzz_string(data + 2, len - 2);
	*(data[0] & 1 ? &in[0].after : &in[0].before) = 1 + data[0] / 2 % 16;
	*(data[1] & 1 ? &in[1].after : &in[1].before) = 1 + data[0] / 2 % 16 + data[1] / 2 % 16;
	r = pam_edit_strip(text, &clean, &blocks);
	FUZZ_CHECK(r == 0 || r == MAG_ESYNTAX);
	if (r == 0) {
		FUZZ_CHECK(blocks > 0 || strcmp(clean, text) == 0);
		r = pam_edit_insert(clean, in, 2, &with);
		FUZZ_CHECK(r == 0 || r == MAG_ERANGE);
	}
	if (with) {
		FUZZ_CHECK(strstr(with, in[0].lines) && strstr(with, in[1].lines));
		FUZZ_CHECK(pam_edit_strip(with, &without, &blocks) == 0 && blocks >= 1);
		FUZZ_CHECK(strcmp(without, clean) == 0);
	}
	free(without);
	free(with);
	free(clean);
	free(text);
}

size_t seed_pam_edit(struct dice *d, uint8_t *out)
{
	size_t n = 2;

	out[0] = (uint8_t)dice_roll(d);
	out[1] = (uint8_t)dice_roll(d);
	n += fuzz_choose(d, lines, LINES, out + n);
	if (dice_below(d, 2))
		n += (size_t)sprintf((char *)out + n, "%s\nauth x\n%s\n", PAMEDIT_BEGIN,
			dice_below(d, 6) ? PAMEDIT_END : PAMEDIT_BEGIN);
	return n + fuzz_choose(d, lines, LINES, out + n);
}

/* ---- the module's own line: words, with blanks between ---- */

void fuzz_pam_options(const uint8_t *data, size_t len)
{
	char *text = fuzz_string(data, len), *p = text, *word;
	char err[OPTIONS_ERROR_MAX] = "";
	struct options o;
	const char *argv[32];
	int argc = 0, r;

	while (argc < 32 && (word = strsep(&p, " \n")) != NULL)
		argv[argc++] = word;
	memset(&o, 0, sizeof o);
	r = options_parse(argc, argv, &o, err);
	if (r == 0) {
		FUZZ_CHECK(o.level >= 0 && o.timeout >= 0 && err[0] == '\0');
		FUZZ_CHECK(o.broker_down == DOWN_DENY || o.broker_down == DOWN_ALLOW);
		FUZZ_CHECK(!o.require || *o.require);
		(void)client_server_uid(o.socket);
	} else {
		FUZZ_CHECK(r == MAG_ESYNTAX && memchr(err, 0, sizeof err) && *err);
		FUZZ_CHECK(mag_utf8_valid(err, strlen(err)));
	}
	free(text);
}

size_t seed_pam_options(struct dice *d, uint8_t *out)
{
	static const char *const words[] = { "require=phone-otp ", "level=2 ", "mode=combined ",
		"unenrolled=enroll ", "nullok ", "first=publickey ", "echo=on ", "timeout=20 ",
		"broker_down=allow ", "prompt_password ", "password_service=x ", "service=web ",
		"socket=/run/x ", "debug ", "use_first_pass ", "levl=2 ", "level=999999999999 " };
	size_t n = 0;

	for (size_t i = 0, k = dice_below(d, 5); i < k; i++)
		n += fuzz_choose(d, words, sizeof words / sizeof *words, out + n);
	return n;
}

/* ---- password,code ---- */

/* Nothing is lost and nothing is made up: the two parts, and a comma between them,
 * are what was typed; or it was SCRV1, and the parts come out of base64. */
void fuzz_split(const uint8_t *data, size_t len)
{
	struct flow_options o = { .mode = "combined", .separator = "comma", .code_digits = 6 };
	struct mag_secret typed = { 0 }, password = { 0 }, factor = { 0 };
	size_t n;

	if (len == 0)
		return;
	if (data[0] & 1)
		strcpy(o.separator, "none");
	o.code_digits = data[0] >> 4;
	n = strnlen((const char *)data + 1, len - 1);
	FUZZ_CHECK(mag_secret_set(&typed, data + 1, n) == 0);
	FUZZ_CHECK(flow_split(&typed, &o, &password, &factor) == 0);
	if (!mag_has_prefix(mag_secret_text(&typed), "SCRV1:")) {
		size_t gap = n - password.len - factor.len;

		FUZZ_CHECK(password.len + factor.len <= n && gap <= 1);
		FUZZ_CHECK(gap == 0 || data[1 + password.len] == ',');
		FUZZ_CHECK(password.len == 0 || !memcmp(password.data, data + 1, password.len));
		FUZZ_CHECK(factor.len == 0 ||
			   !memcmp(factor.data, data + 1 + password.len + gap, factor.len));
	}
	mag_secret_free(&typed);
	mag_secret_free(&password);
	mag_secret_free(&factor);
}

size_t seed_split(struct dice *d, uint8_t *out)
{
	static const char *const typed[] = { "secret,483920", "secret,sms", "a,b,call",
		"secret483920", ",sms2", "SCRV1:c2VjcmV0:NDgzOTIw", "SCRV1:c2VjcmV0:", "SCRV1:x",
		"p\xc3\xa4ss,12345678", "" };

	out[0] = (uint8_t)dice_roll(d);
	return 1 + fuzz_choose(d, typed, sizeof typed / sizeof *typed, out + 1);
}
