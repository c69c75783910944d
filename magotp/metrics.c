#include "magotp/metrics.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/text.h"

struct metrics {
	FILE *out;
	struct json_object *array; /* NULL: text */
	char family[64];           /* the last one */
};

struct metrics *metrics_new(FILE *out, bool json)
{
	struct metrics *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	m->out = out;
	m->array = json ? json_object_new_array() : NULL;
	if (json && !m->array) {
		free(m);
		return NULL;
	}
	return m;
}

/* Prometheus' "Exposition formats": what is escaped in a help line, and besides in a
 * label's value. */
static void put_escaped(FILE *out, const char *text, bool label)
{
	for (; *text; text++)
		if (*text == '\\')
			fputs("\\\\", out);
		else if (*text == '\n')
			fputs("\\n", out);
		else if (*text == '"' && label)
			fputs("\\\"", out);
		else
			fputc(*text, out);
}

/* "12.5": no exponent, no zeros at the end; the scale is a power of ten. */
static void put_value(FILE *out, const struct metric *s)
{
	uint64_t value = s->value < 0 ? -(uint64_t)s->value : (uint64_t)s->value, rest;
	uint32_t scale = s->scale ? s->scale : 1;

	fprintf(out, "%s%" PRIu64, s->value < 0 ? "-" : "", value / scale);
	rest = value % scale;
	if (rest)
		fputc('.', out);
	for (uint32_t unit = scale; rest && unit > 1; unit /= 10) {
		fputc('0' + (char)(rest * 10 / scale), out);
		rest = rest * 10 % scale;
	}
}

static void add_text(struct metrics *m, const struct metric *s)
{
	FILE *out = m->out;

	if (!mag_streq(m->family, s->name)) {
		mag_copy(m->family, sizeof m->family, s->name);
		fprintf(out, "# HELP %s ", s->name);
		put_escaped(out, s->help, false);
		fprintf(out, "\n# TYPE %s %s\n", s->name, s->type);
	}
	fprintf(out, "%s%s", s->name, s->suffix ? s->suffix : "");
	for (size_t i = 0; i < METRIC_LABELS && s->labels[i].name; i++) {
		fprintf(out, "%c%s=\"", i ? ',' : '{', s->labels[i].name);
		put_escaped(out, s->labels[i].value, true);
		fputc('"', out);
	}
	if (s->labels[0].name)
		fputc('}', out);
	fputc(' ', out);
	put_value(out, s);
	fputc('\n', out);
}

static void add_json(struct metrics *m, const struct metric *s)
{
	struct json_object *o = json_object_new_object(), *labels = json_object_new_object();
	char name[80];

	snprintf(name, sizeof name, "%s%s", s->name, s->suffix ? s->suffix : "");
	json_object_object_add(o, "name", json_object_new_string(name));
	json_object_object_add(o, "type", json_object_new_string(s->type));
	for (size_t i = 0; i < METRIC_LABELS && s->labels[i].name; i++)
		json_object_object_add(
			labels, s->labels[i].name, json_object_new_string(s->labels[i].value));
	json_object_object_add(o, "labels", labels);
	json_object_object_add(o, "value",
		s->scale > 1 ? json_object_new_double((double)s->value / s->scale)
			     : json_object_new_int64(s->value));
	json_object_array_add(m->array, o);
}

void metrics_add(struct metrics *m, const struct metric *sample)
{
	if (m->array)
		add_json(m, sample);
	else
		add_text(m, sample);
}

void metrics_free(struct metrics **m)
{
	if (!*m)
		return;
	if ((*m)->array && json_object_array_length((*m)->array))
		fprintf((*m)->out, "%s\n",
			json_object_to_json_string_ext((*m)->array, JSON_C_TO_STRING_PRETTY));
	json_object_put((*m)->array); /* NULL does nothing */
	free(*m);
	*m = NULL;
}
