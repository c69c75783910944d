/* E-mails: no header of anybody else's, 7-bit lines, templates filled in (O4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "otpcore/base/err.h"
#include "smsd/mail_template.h"
#include "smsd/mail_text.h"

static int make(const char *to, const char *subject, const char *body, struct mag_secret *out)
{
	struct mag_secret text = { 0 };
	const struct mail_text m = { .from = "otp@example.org",
		.to = to,
		.id = "m01ab",
		.subject = subject,
		.body = &text,
		.at = 1774699200 };
	int r;

	assert_int_equal(mag_secret_set_text(&text, body), 0);
	r = mail_text_make(&m, out);
	mag_secret_free(&text);
	return r;
}

static void test_headers(void **state)
{
	struct mag_secret out = { 0 };

	(void)state;
	assert_int_equal(make("anna@example.org", "Hello", "One.\nTwo =\n", &out), 0);
	assert_string_equal(mag_secret_text(&out), "Date: Sat, 28 Mar 2026 12:00:00 +0000\r\n"
						   "From: otp@example.org\r\n"
						   "To: anna@example.org\r\n"
						   "Subject: Hello\r\n"
						   "Message-ID: <m01ab@example.org>\r\n"
						   "Auto-Submitted: auto-generated\r\n"
						   "MIME-Version: 1.0\r\n"
						   "Content-Type: text/plain; charset=utf-8\r\n"
						   "Content-Transfer-Encoding: quoted-printable\r\n"
						   "\r\n"
						   "One.\r\nTwo =3D\r\n");
	mag_secret_free(&out);
}

static void test_header_injection_is_refused(void **state)
{
	struct mag_secret out = { 0 };

	(void)state;
	assert_int_equal(make("a@example.org\r\nBcc: b@example.org", "s", "t", &out), MAG_ERANGE);
	assert_int_equal(make("a@example.org", "s\nBcc: b@example.org", "t", &out), MAG_ERANGE);
	assert_int_equal(make("a@example.org", "s\r\n\r\nbody", "t", &out), MAG_ERANGE);
	assert_int_equal(make("a@example.org", "\xc3(", "t", &out), MAG_ERANGE);
	assert_int_equal(make("a@example.org", "s", "\xff", &out), MAG_ERANGE);
	assert_null(out.data);
}

/* Every line is at most 76 characters of ASCII, whatever the text. */
static void test_lines_are_short_and_ascii(void **state)
{
	struct mag_secret out = { 0 };
	char body[1200] = "", subject[200] = "";
	size_t column = 0;

	(void)state;
	for (int i = 0; i < 200; i++)
		strcat(body, i % 3 ? "\xc3\xa4" : "a ");
	for (int i = 0; i < 40; i++)
		strcat(subject, "\xe2\x82\xac");
	assert_int_equal(make("a@example.org", subject, body, &out), 0);
	for (size_t i = 0; i < out.len; i++) {
		assert_true(out.data[i] < 0x80);
		column = out.data[i] == '\n' ? 0 : column + 1;
		assert_true(column <= 77); /* with the CR */
	}
	assert_non_null(strstr(mag_secret_text(&out), "Subject: =?UTF-8?B?4oKs"));
	assert_non_null(strstr(mag_secret_text(&out), "=C3=A4"));
	mag_secret_free(&out);
}

/* ---- templates ---- */

struct files {
	char dir[64], file[128];
};

static void put(const struct files *f, const char *text)
{
	FILE *out = fopen(f->file, "w");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static int setup(void **state)
{
	static struct files f;

	strcpy(f.dir, "/tmp/magotp-mail-XXXXXX");
	if (!mkdtemp(f.dir))
		return -1;
	snprintf(f.file, sizeof f.file, "%s/expired.txt", f.dir);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct files *f = *state;

	unlink(f->file);
	return rmdir(f->dir);
}

static void test_values_are_filled_in(void **state)
{
	struct mail_templates *t = NULL;
	struct sms_message m = { .template = "expired",
		.args = (char[]){ "account=anna\nreason=\ndate=today" } };
	char err[OPT_ERROR_MAX], subject[MAIL_SUBJECT_MAX];
	struct mag_secret text = { 0 };

	put(*state, "Subject: {account}: over {date}\n\n"
		    "Hello {account} {}\nBecause {reason}\n{unknown}\nEnd {date}");
	assert_int_equal(mail_templates_read(((struct files *)*state)->dir, &t, err), 0);
	assert_int_equal(mail_template_render(t, &m, subject, &text), 0);
	assert_string_equal(subject, "anna: over today");
	assert_string_equal(mag_secret_text(&text), "Hello anna {}\nEnd today\n");
	strcpy(m.template, "other");
	assert_int_equal(mail_template_render(t, &m, subject, &text), MAG_ENOTFOUND);
	assert_int_equal(mail_template_render(NULL, &m, subject, &text), MAG_ENOTFOUND);
	/* What sms_message_take lets in, but once more: */
	strcpy(m.template, "expired");
	m.args = (char[]){ "account=x\rBcc: y" };
	assert_int_equal(mail_template_render(t, &m, subject, &text), MAG_EINVAL);
	mag_secret_free(&text);
	mail_templates_free(&t);
}

static void test_faulty_files_are_named(void **state)
{
	static const char *const faulty[] = { "Hello\n\ntext\n", "Subject: \n\ntext\n",
		"Subject: x\ntext\n", "Subject: x\n\n", "Subject: x\r\n\r\ntext\n", "" };
	struct mail_templates *t = NULL;
	char err[OPT_ERROR_MAX];

	for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++) {
		put(*state, faulty[i]);
		assert_int_equal(
			mail_templates_read(((struct files *)*state)->dir, &t, err), MAG_ESYNTAX);
		assert_non_null(strstr(err, "expired.txt"));
		assert_null(t);
	}
	assert_int_equal(mail_templates_read("/nonexistent/templates", &t, err), 0);
	mail_templates_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_header_injection_is_refused),
		cmocka_unit_test(test_lines_are_short_and_ascii),
		cmocka_unit_test_setup_teardown(test_values_are_filled_in, setup, teardown),
		cmocka_unit_test_setup_teardown(test_faulty_files_are_named, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
