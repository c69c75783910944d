/* From a number to its country, by the longest prefix. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "smsd/limits.h"

#define PREFIX_MAX 9

struct country {
	const char *prefix, *iso;
};

static const struct country countries[] = {
#define COUNTRY(prefix, iso) { prefix, iso },
#include "smsd/country.def"
#undef COUNTRY
};

static const char *const services[] = {
#define SERVICE(prefix) prefix,
#include "smsd/service.def"
#undef SERVICE
};

static int compare_texts(const void *key, const void *row)
{
	return strcmp(key, *(const char *const *)row);
}

static int compare(const void *key, const void *row)
{
	return strcmp(key, ((const struct country *)row)->prefix);
}

const char *country_of(const char *e164)
{
	char prefix[PREFIX_MAX + 1];

	if (*e164 != '+')
		return NULL;
	for (size_t len = strnlen(e164 + 1, PREFIX_MAX); len > 0; len--) {
		const struct country *c;

		memcpy(prefix, e164 + 1, len);
		prefix[len] = '\0';
		c = bsearch(prefix, countries, sizeof countries / sizeof *countries,
			sizeof *countries, compare);
		if (c)
			return *c->iso ? c->iso : NULL;
	}
	return NULL;
}

bool country_is_service(const char *e164)
{
	char prefix[PREFIX_MAX + 1];

	for (size_t len = strnlen(e164 + 1, PREFIX_MAX); *e164 == '+' && len > 0; len--) {
		memcpy(prefix, e164 + 1, len);
		prefix[len] = '\0';
		if (bsearch(prefix, services, sizeof services / sizeof *services, sizeof *services,
			    compare_texts))
			return true;
	}
	return false;
}

bool country_known(const char *iso)
{
	for (size_t i = 0; i < sizeof countries / sizeof *countries; i++)
		if (*iso && strcmp(countries[i].iso, iso) == 0)
			return true;
	return false;
}
