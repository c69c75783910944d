/* What verbs say and are told: refusals, lines of an answer, options, dates and other
 * words of the command line. */
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "magotp/cli.h"
#include "otpcore/base/text.h"

/* `more`: lines of our own below it; "" none. */
static void fail_text(const struct cli *c, const char *id, const char *text, const char *more)
{
	const char *end = *more ? "\n" : "";
	char whole[2048];
	struct json_object *o;

	fflush(stdout);
	if (!c->json) {
		if (*id)
			fprintf(stderr, "%s: %s (%s)\n%s%s", c->program, text, id, more, end);
		else
			fprintf(stderr, "%s: %s\n%s%s", c->program, text, more, end);
		return;
	}
	snprintf(whole, sizeof whole, "%s%s%s", text, end, more);
	o = json_object_new_object();
	json_object_object_add(o, "error", json_object_new_string(*id ? id : "usage"));
	json_object_object_add(o, "message", json_object_new_string(whole));
	fprintf(stderr, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

int cli_fail(const struct cli *c, int code, const char *id, const char *fmt, ...)
{
	char text[1024], clean[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fail_text(c, id, mag_clean(clean, sizeof clean, text), "");
	return code;
}

int cli_fail_lines(const struct cli *c, const char *id, const char *more, const char *fmt, ...)
{
	char text[1024], clean[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fail_text(c, id, mag_clean(clean, sizeof clean, text), more);
	return CLI_REFUSED;
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
	char text[1024], clean[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fail_text(c, c->json ? "usage" : "", mag_clean(clean, sizeof clean, text), "");
	if (!c->json && c->verb)
		fprintf(stderr, "usage: %s %s%s%s%s%s\n", c->program, c->verb->noun,
			c->verb->name ? " " : "", c->verb->name ? c->verb->name : "",
			*c->verb->args ? " " : "", c->verb->args);
	return CLI_USAGE;
}

void cli_note(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	if (c->json)
		return;
	fflush(stdout);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void cli_say(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	if (c->json)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

const char *cli_opt(const struct cli *c, const char *name)
{
	for (size_t i = 0; c->verb->opts && c->verb->opts[i].name; i++)
		if (mag_streq(c->verb->opts[i].name, name))
			return c->values[i];
	return NULL;
}

const char *cli_opt_nth(const struct cli *c, const char *name, int n)
{
	for (int i = 0; i < c->n_said; i++)
		if (mag_streq(c->said[i].name, name) && n-- == 0)
			return c->said[i].value;
	return NULL;
}

const char *cli_arg(const struct cli *c, int n)
{
	return n < c->n_args ? c->args[n] : NULL;
}

uint32_t cli_phone_ref(const char *id)
{
	if (*id == 'p')
		id++;
	return id[0] >= '1' && id[0] <= '9' && !id[1] ? (uint32_t)(id[0] - '0') : 0;
}

int cli_day(const char *text, int second, int64_t *at_r)
{
	struct tm tm = { .tm_isdst = -1 };
	const char *end = strptime(text, "%Y-%m-%d", &tm);
	time_t at;

	if (!end || *end)
		return -1;
	tm.tm_hour = second / 3600;
	tm.tm_min = second / 60 % 60;
	tm.tm_sec = second % 60;
	at = mktime(&tm);
	if (at <= 0)
		return -1;
	*at_r = at;
	return 0;
}

int cli_until(const char *text, int64_t *at_r)
{
	int64_t seconds;

	if (cli_day(text, 86399, at_r) == 0)
		return 0;
	if (mag_duration_parse(text, &seconds) || seconds <= 0)
		return -1;
	*at_r = (int64_t)time(NULL) + seconds;
	return 0;
}

const char *cli_channel(const char *word)
{
	if (mag_streq(word, "text") || mag_streq(word, "sms"))
		return "sms";
	return mag_streq(word, "voice") ? "voice" : NULL;
}

const char *cli_channel_word(const char *channel)
{
	return mag_streq(channel, "sms") ? "text" : channel;
}
