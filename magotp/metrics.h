/* Numbers in the text format of Prometheus, or as JSON. All samples of a family are to
 * be added one after the other: HELP and TYPE stand before the first. */
#ifndef METRICS_H
#define METRICS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define METRIC_LABELS 4

struct metric {
	const char *name;   /* of the family */
	const char *suffix; /* of the sample: _sum ...; NULL or "": none */
	const char *type, *help;
	struct {
		const char *name, *value; /* name NULL: no more */
	} labels[METRIC_LABELS];
	int64_t value;
	uint32_t scale; /* the number is value / scale; 0 counts as 1 */
};

struct metrics;
/* Writes to `out` (borrowed): lines as they come; json: an array, at metrics_free.
 * NULL: no memory. */
struct metrics *metrics_new(FILE *out, bool json);
void metrics_add(struct metrics *m, const struct metric *sample);
void metrics_free(struct metrics **m);

#endif
