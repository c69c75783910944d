/* What the handlers of administration share. */
#ifndef BROKER_HANDLE_H
#define BROKER_HANDLE_H

#include "otpcore/base/buf.h"
#include "otpcore/base/err.h"
#include "otpcore/broker/broker.h"

/* Numbers of rows and the words of messages; ends with id NULL. */
struct handle_word {
	int64_t value;
	const char *id;
};
const char *handle_word(const struct handle_word *words, int64_t value); /* "" if none */
int64_t handle_value(const struct handle_word *words, const char *id);   /* 0 if none */

#define PRODUCT_WORDS "products: phone-us, phone-intl, hardware, mobile, mobile-hardware"

/* A refusal that says what exactly; a request that cannot be right (MAG_EINVAL). */
void handle_refuse(struct request *r, enum verdict v, const char *detail);
void handle_invalid(struct request *r, const char *detail);

#endif
