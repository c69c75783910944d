#include "otpcore/base/audit_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "otpcore/base/text.h"

static bool as_written(const char *line, const struct audit_record *record)
{
	char again[AUDIT_LINE_MAX + 1], hex[2 * AUDIT_HASH_LEN + 1];

	mag_hex_encode(record->hash, AUDIT_HASH_LEN, hex);
	snprintf(again, sizeof again, "%" PRId64 " %s %s %s", record->n, record->time, hex,
		record->text);
	return mag_streq(again, line);
}

bool audit_record_split(const char *line, struct audit_record *record_r)
{
	struct audit_record record = { 0 };
	char hex[2 * AUDIT_HASH_LEN + 1] = "";
	int text = 0;
	size_t len = 0;

	if (strlen(line) >= AUDIT_LINE_MAX ||
		/* NOLINTNEXTLINE(cert-err34-c): 18 digits fit, and as_written() compares */
		sscanf(line, "%18" SCNd64 " %20s %64s %n", &record.n, record.time, hex, &text) !=
			3 ||
		!text)
		return false;
	if (mag_hex_decode(hex, record.hash, sizeof record.hash, &len) || len != AUDIT_HASH_LEN)
		return false;
	record.text = line + text;
	if (record.n < 1 || !as_written(line, &record))
		return false;
	*record_r = record;
	return true;
}
