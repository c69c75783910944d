/* doctor: the service that prompt_password asks (pam_magotp(8)). The module refuses
 * everybody where it is not as it has to be; here it is said before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "magotp/doctor.h"
#include "magotp/pamfile.h"
#include "magotp/pamstack.h"
#include "otpcore/base/text.h"

/* Modules that ask for something else than the password: the module answers one question. */
static const char *const askers[] = { "pam_oath.so", "pam_google_authenticator.so", "pam_duo.so",
	"pam_yubico.so", "pam_otpw.so", "pam_opie.so", NULL };

static bool asks_more(const struct pam_rule *r)
{
	for (size_t i = 0; askers[i]; i++)
		if (mag_streq(r->module, askers[i]))
			return true;
	return false;
}

/* Only the machine's own folders have others that libpam looks into. */
static bool is_there(const struct doctor *d, const char *service)
{
	static const char *const dirs[] = { "/usr/lib/pam.d", "/usr/share/pam.d" };
	char path[400];

	snprintf(path, sizeof path, "%s/%s", d->pam_dir, service);
	if (!access(path, R_OK))
		return true;
	for (size_t i = 0; d->ours && i < sizeof dirs / sizeof *dirs; i++) {
		snprintf(path, sizeof path, "%s/%s", dirs[i], service);
		if (!access(path, R_OK))
			return true;
	}
	return false;
}

/* What is wrong with its auth lines; NULL: nothing that can be seen. */
static const char *fault_of(const struct pam_stack *s)
{
	bool password = false;

	for (size_t i = 0; i < s->n; i++) {
		const struct pam_rule *r = &s->rules[i];

		if (mag_streq(r->module, "pam_magotp.so"))
			return "it asks pam_magotp again";
		if (asks_more(r))
			return "it asks for more than the password";
		password |= pam_checks_password(r);
	}
	return password ? NULL : "nothing in it checks a password";
}

static void judge(struct doctor *d, const struct pam_line *l, const char *why)
{
	const struct finding f = { .id = "password-service",
		.severity = DOCTOR_ERROR,
		.subject = l->password_service,
		.file = l->file,
		.line = l->line,
		.fix = "A file as conf/pam.d/magotp-password, or password_service=NAME on the "
		       "line" };

	doctor_found(d, &f, "%s:%d: everybody is refused: password_service %s: %s", l->file,
		l->line, l->password_service, why);
}

void doctor_password(struct doctor *d)
{
	struct pam_stack *s;
	struct pam_line l;
	const char *why = NULL;

	if (pam_read(d->pam_dir, d->service, &l) || !l.auth || !*l.password_service)
		return;
	s = calloc(1, sizeof *s);
	if (!s)
		return;
	if (strchr(l.password_service, '/') || *l.password_service == '.')
		why = "that is no name of a service";
	else if (mag_streq(l.password_service, d->service))
		why = "that is this service itself";
	else if (!is_there(d, l.password_service))
		why = "there is no such file, and \"other\" is not taken in its place";
	else if (!pam_stack_read(d->pam_dir, l.password_service, NULL, PAM_AUTH, s))
		why = fault_of(s);
	else
		why = "its file is not understood";
	if (why)
		judge(d, &l, why);
	else
		doctor_ok(d, "password-service", "%s asks for the password", l.password_service);
	free(s);
}
