/* What is said once somebody is in (rule L9). */
#include "otpcore/base/buf.h"
#include "otpcore/base/strength.h"
#include "otpcore/base/text.h"
#include "otpcore/login/flow.h"
#include "otpcore/login/texts.h"

static void put_line(struct mag_buf *out, unsigned language, enum text id, const char *what)
{
	char line[400];
	struct mag_buf b = MAG_BUF(line);
	struct text_args args = { .language = language, .first = what };
	text_put(&b, id, false, &args);
	text_put_wrapped(out, line);
}

static enum text label_of(enum strength strength)
{
	static const enum text labels[] = {
#define STRENGTH(name, id, label) [STRENGTH_##name] = TEXT_STRENGTH_##name,
#include "otpcore/base/strength.def"
#undef STRENGTH
	};
	return labels[strength];
}

/* "2026-11-21 14:02 from 203.0.113.7, Phone OTP" */
static void put_previous(struct mag_buf *out, unsigned language, const struct wire_open_rep *open)
{
	enum strength strength = strength_from_id(open->previous_strength);
	char when[32], from[257];
	const struct text_args args = { .language = language,
		.first = mag_time_minute(open->previous_at, when, sizeof when),
		.last = mag_clean(from, sizeof from, open->previous_from) };

	if (*from)
		text_put(out, TEXT_LAST_LOGIN_FROM, false, &args);
	else
		mag_buf_puts(out, when);
	if (strength == STRENGTH_NONE)
		return;
	mag_buf_puts(out, ", ");
	text_put(out, label_of(strength), false, &args);
}

char *flow_session_text(const struct wire_open_rep *open, char *buf, size_t cap)
{
	char what[360], when[32];
	struct mag_buf out, b = MAG_BUF(what);
	unsigned language = text_language(open->language);

	mag_buf_init(&out, buf, cap);
	if (open->previous_at > 0) {
		put_previous(&b, language, open);
		put_line(&out, language, TEXT_LAST_LOGIN, what);
	}
	if (open->renewal_at > 0)
		put_line(&out, language, TEXT_RENEW,
			mag_time_day(open->renewal_at, when, sizeof when));
	/* Who was let in by the password alone was not asked, nor told (L14). */
	if (strength_from_id(open->strength) == STRENGTH_PASSWORD)
		for (size_t i = 0; i < open->n_notices; i++)
			text_put_notice(&out, language, open->notices[i].id, open->notices[i].what);
	if (out.len && buf[out.len - 1] == '\n')
		buf[--out.len] = '\0';
	return buf;
}
