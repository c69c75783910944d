/* What is said once somebody is in (rule L9). */
#include "otpcore/base/buf.h"
#include "otpcore/base/strength.h"
#include "otpcore/base/text.h"
#include "otpcore/login/flow.h"
#include "otpcore/login/texts.h"

static void put_line(struct mag_buf *out, enum text id, const char *what)
{
	char line[400];
	struct mag_buf b = MAG_BUF(line);
	struct text_args args = { .first = what };
	text_put(&b, id, false, &args);
	text_put_wrapped(out, line);
}

char *flow_session_text(const struct wire_open_rep *open, char *buf, size_t cap)
{
	char what[360], when[32], from[257];
	struct mag_buf out, b = MAG_BUF(what);
	enum strength strength = strength_from_id(open->previous_strength);

	mag_buf_init(&out, buf, cap);
	if (open->previous_at > 0) {
		mag_buf_puts(&b, mag_time_minute(open->previous_at, when, sizeof when));
		if (*open->previous_from)
			mag_buf_printf(
				&b, " from %s", mag_clean(from, sizeof from, open->previous_from));
		if (strength != STRENGTH_NONE)
			mag_buf_printf(&b, ", %s", strength_label(strength));
		put_line(&out, TEXT_LAST_LOGIN, what);
	}
	if (open->renewal_at > 0)
		put_line(&out, TEXT_RENEW, mag_time_day(open->renewal_at, when, sizeof when));
	/* Who was let in by the password alone was not asked, nor told (L14). */
	if (strength_from_id(open->strength) == STRENGTH_PASSWORD)
		for (size_t i = 0; i < open->n_notices; i++)
			text_put_notice(&out, open->notices[i].id, open->notices[i].what);
	if (out.len && buf[out.len - 1] == '\n')
		buf[--out.len] = '\0';
	return buf;
}
