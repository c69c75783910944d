/* Submit requests become messages: checked once, here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/message.h"

static bool id_is_safe(const char *id)
{
	static const char safe[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

	return *id && id[strspn(id, safe)] == '\0';
}

/* E.164: a plus sign, 7 to 15 digits, the first of them not 0. */
static bool is_e164(const char *to)
{
	size_t len = strlen(to);

	return to[0] == '+' && to[1] != '0' && len >= 8 && len <= 16 && mag_all_digits(to + 1);
}

static bool is_mail_address(const char *to)
{
	/* RFC 5322 atoms; quoted local parts and comments are not taken. */
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789.-_+@!#$%&'*/=?^`{|}~";
	const char *at = strchr(to, '@');

	return at && at != to && at[1] && !strchr(at + 1, '@') && to[strspn(to, safe)] == '\0' &&
	       *to != '-';
}

/* The host is spoken and shown; a name that is not one is left out. */
static bool is_host(const char *host)
{
	static const char safe[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";

	return host[strspn(host, safe)] == '\0';
}

/* name=value lines; a control character could begin a line of somebody else's. */
static bool are_values(const char *args)
{
	while (*args) {
		size_t n = strcspn(args, "\n"), name = strcspn(args, "=\n");

		if (name == 0 || name == n)
			return false;
		for (size_t i = 0; i < n; i++)
			if ((unsigned char)args[i] < ' ' || args[i] == 0x7f)
				return false;
		args += n + (args[n] == '\n');
	}
	return true;
}

/* In the text of an e-mail a code may be a password or a key for once. */
static bool is_password(const char *code)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyz0123456789-"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return code[strspn(code, safe)] == '\0';
}

static const char *fault_of(const struct wire_submit_req *q)
{
	const char *channel = sms_channel_names[sms_channel(q->channel)];
	bool mail = mag_streq(q->channel, "email");

	if (!id_is_safe(q->id))
		return "the id must be made of letters, digits, - and _";
	if (!mag_streq(q->channel, channel))
		return "unknown channel";
	if (mail ? !is_mail_address(q->to) : !is_e164(q->to))
		return mail ? "not an e-mail address" : "not an E.164 number";
	if (*q->from && (!mail || !is_mail_address(q->from)))
		return "the sender is not an e-mail address";
	if (q->priority >= SMS_PRIORITIES)
		return "unknown priority";
	if (!q->template[0] && !q->text.len)
		return "neither template nor text";
	if (q->template[0] && q->text.len)
		return "both template and text";
	if (*q->args && !(mail && q->template[0]))
		return "only templates of e-mails take values";
	if (!are_values(q->args))
		return "the values must be lines name=value";
	if (q->code.len && !(*q->args ? is_password(mag_secret_text(&q->code))
				      : mag_all_digits(mag_secret_text(&q->code))))
		return "the code is not made of digits";
	return NULL;
}

int sms_message_take(
	struct sms_message *m, struct wire_submit_req *request, char error[SMS_ERROR_MAX])
{
	const char *fault = fault_of(request);

	if (fault) {
		snprintf(error, SMS_ERROR_MAX, "%s", fault);
		return MAG_EINVAL;
	}
	memset(m, 0, sizeof *m);
	if ((*request->args && !(m->args = strdup(request->args))) ||
		(*request->from && !(m->from = strdup(request->from)))) {
		sms_message_clear(m);
		return MAG_ENOMEM;
	}
	memcpy(m->id, request->id, sizeof m->id);
	memcpy(m->to, request->to, sizeof m->to);
	memcpy(m->channel, request->channel, sizeof m->channel);
	memcpy(m->template, request->template, sizeof m->template);
	memcpy(m->language, request->language, sizeof m->language);
	if (is_host(request->host))
		memcpy(m->host, request->host, sizeof m->host);
	m->expires_at = request->expires_at;
	m->priority = request->priority;
	m->code = request->code;
	m->text = request->text;
	memset(&request->code, 0, sizeof request->code);
	memset(&request->text, 0, sizeof request->text);
	return 0;
}

void sms_message_clear(struct sms_message *m)
{
	mag_secret_free(&m->code);
	mag_secret_free(&m->text);
	free(m->args);
	free(m->from);
	m->args = m->from = NULL;
}

const char *sms_masked(const char *to, char *buf, size_t cap)
{
	const char *at = strchr(to, '@');
	size_t len = strlen(to);

	if (at)
		snprintf(buf, cap, "...%s", at);
	else
		snprintf(buf, cap, "...%s", len > 4 ? to + len - 4 : "");
	return buf;
}

const char *const sms_channel_names[SMS_CHANNELS] = { "sms", "voice", "email" };

unsigned sms_channel(const char *name)
{
	unsigned i = 0;

	while (i + 1 < SMS_CHANNELS && !mag_streq(name, sms_channel_names[i]))
		i++;
	return i;
}

bool sms_has_word(const char *words, const char *word)
{
	size_t len = strlen(word);
	const char *start = words;

	while (len && (words = strstr(words, word))) {
		bool opens = words == start || words[-1] == ' ';

		if (opens && (words[len] == '\0' || words[len] == ' '))
			return true;
		words += len;
	}
	return false;
}
