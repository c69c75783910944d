/* One prompt, and what the line that came back is. */
#include <ctype.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/base/verdict.h"
#include "otpcore/login/steps.h"

/* What sshd answers for a user it will not let in anyway (auth-pam.c). */
static const char sshd_junk[] = "\b\n\r\177INCORRECT";

static bool is_text(const struct mag_secret *s, const char *text)
{
	return s && text && s->len == strlen(text) && mag_equal(s->data, text, s->len);
}

/* Does a program answer, with the same for every question, rather than a person? */
static bool is_blind(const struct flow *f, const struct mag_secret *answer)
{
	const struct mag_secret *password = f->p->password;
	if (mag_has_prefix(mag_secret_text(answer), sshd_junk))
		return true;
	if (password && password->len && mag_secret_equal(answer, password))
		return true;
	return !mag_all_digits(f->p->user ? f->p->user : "") && is_text(answer, f->p->user);
}

/* "483 920" and "483-920" are codes, too. */
static size_t take_digits(const char *s, size_t len, char *code, size_t cap)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		if (s[i] == ' ' || s[i] == '-')
			continue;
		if (s[i] < '0' || s[i] > '9' || n + 1 >= cap)
			return 0;
		code[n++] = s[i];
	}
	code[n] = '\0';
	return n;
}

/* Four groups of four letters and digits, with or without dashes: what no other
 * answer looks like. The broker says whether it is one. */
static bool is_recovery(const char *s, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		if (isalnum((unsigned char)s[i]))
			n++;
		else if (s[i] != '-' && s[i] != ' ')
			return false;
	}
	return n == 16 && len <= FLOW_CODE_MAX;
}

static void strip(const char **s, size_t *len)
{
	while (*len && isspace((unsigned char)(*s)[*len - 1]))
		--*len;
	while (*len && isspace((unsigned char)**s)) {
		++*s;
		--*len;
	}
}

static void classify(const char *s, size_t len, struct answer_line *a)
{
	strip(&s, &len);
	memset(a, 0, sizeof *a);
	a->what = ANSWER_OTHER;
	size_t digits = take_digits(s, len, a->code, sizeof a->code);
	if (!len) {
		a->what = ANSWER_EMPTY;
	} else if (digits == 1) {
		a->what = ANSWER_NUMBER;
		a->number = (unsigned)(a->code[0] - '0');
	} else if (is_recovery(s, len)) {
		a->what = ANSWER_RECOVERY;
		memcpy(a->code, s, len);
		a->code[len] = '\0';
	} else if (digits) {
		a->what = ANSWER_CODE;
	} else if (len == 1 && strchr("rvtmsnqRVTMSNQ", *s)) {
		a->what = ANSWER_KEY;
		a->key = (char)tolower((unsigned char)*s);
	}
}

/* One prompt; what was typed, unless nobody reads. */
static int ask(struct flow *f, const char *prompt, struct mag_secret *answer_r)
{
	if (f->prompts >= (f->enroll.on ? FLOW_ENROLL_MAX : FLOW_PROMPTS_MAX)) {
		flow_refuse_text(f, VERDICT_TRY_LATER, TEXT_TOO_MANY_ANSWERS);
		return MAG_ECONV;
	}
	f->prompts++;
	if (f->io->ask(f->io->arg, prompt, f->p->echo, answer_r)) {
		f->out->end = FLOW_BROKEN;
		return MAG_ECONV;
	}
	if (!is_blind(f, answer_r))
		return 0;
	flow_refuse_mute(f, VERDICT_NONE);
	return MAG_ECONV;
}

int flow_ask(struct flow *f, const char *prompt, struct answer_line *answer_r)
{
	struct mag_secret answer = { 0 };
	int r = ask(f, prompt, &answer);

	if (!r)
		classify(mag_secret_text(&answer), answer.len, answer_r);
	if (!r && !f->enroll.on && answer_r->what == ANSWER_KEY && strchr("nq", answer_r->key))
		answer_r->what = ANSWER_OTHER; /* mean something while setting up only */
	mag_secret_free(&answer);
	return r;
}

int flow_ask_text(struct flow *f, const char *prompt, char *text_r, size_t cap)
{
	struct mag_secret answer = { 0 };
	int r = ask(f, prompt, &answer);

	if (!r) {
		const char *s = mag_secret_text(&answer);
		size_t len = answer.len;
		strip(&s, &len);
		if (len >= cap)
			len = cap - 1;
		memcpy(text_r, s, len);
		text_r[len] = '\0';
	}
	mag_secret_free(&answer);
	return r;
}

void flow_tell(struct flow *f, enum text id)
{
	char text[TEXT_PROMPT_MAX + 1];
	struct mag_buf b = MAG_BUF(text);
	text_put(&b, id, false, &f->args);
	while (b.len && text[b.len - 1] == '\n')
		text[--b.len] = '\0';
	f->io->tell(f->io->arg, text, false);
}
