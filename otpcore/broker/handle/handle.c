/* What the handlers of administration share. */
#include "otpcore/broker/handle/handle.h"
#include "otpcore/base/text.h"

const char *handle_word(const struct handle_word *words, int64_t value)
{
	for (; words->id; words++)
		if (words->value == value)
			return words->id;
	return "";
}

int64_t handle_value(const struct handle_word *words, const char *id)
{
	for (; words->id; words++)
		if (mag_streq(words->id, id))
			return words->value;
	return 0;
}

void handle_refuse(struct request *r, enum verdict v, const char *detail)
{
	request_verdict(r, v);
	mag_clean(r->result.detail, sizeof r->result.detail, detail);
}

void handle_invalid(struct request *r, const char *detail)
{
	request_error(r, MAG_EINVAL);
	mag_clean(r->result.detail, sizeof r->result.detail, detail);
}
