/* Frames: the head, the result, and a struct behind it (wire.h). */
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "otpcore/wire/codec.h"

/* Numbers of errors on the wire lie below this; anything else is not a reply. */
#define ERROR_MAX 1000

const struct wire_message *wire_message_by_id(uint16_t id)
{
	for (size_t i = 0; i < wire_n_messages; i++)
		if (wire_messages[i].id == id)
			return &wire_messages[i];
	return NULL;
}

const char *wire_text_of_type(const struct wire_struct *s, const void *object, enum wire_type type)
{
	for (size_t i = 0; i < s->n_fields; i++)
		if (wire_field_of(s, i)->type == type)
			return (const char *)object + wire_field_of(s, i)->offset;
	return NULL;
}

static int put_head(struct wire_writer *w, uint16_t id)
{
	int e = wire_put_number(w, WIRE_VERSION, 2);

	return e < 0 ? e : wire_put_number(w, id, 2);
}

/* MAG_EVERSION comes before anything else: what follows may mean anything. */
static int get_head(struct wire_reader *r, uint16_t *id_r)
{
	uint64_t version, id;
	int e = wire_get_number(r, 2, &version);

	if (e < 0)
		return e;
	if (version != WIRE_VERSION)
		return MAG_EVERSION;
	e = wire_get_number(r, 2, &id);
	if (e == 0)
		*id_r = (uint16_t)id;
	return e;
}

int wire_encode_request(uint16_t id, const void *request, unsigned char *frame, size_t *len_r)
{
	const struct wire_message *m = wire_message_by_id(id);
	struct wire_writer w = { frame, WIRE_FRAME_MAX, 0 };
	int e;

	if (m == NULL)
		return MAG_EINVAL;
	e = put_head(&w, id);
	if (e == 0 && m->request.n_fields > 0)
		e = wire_put_struct(&w, &m->request, request);
	if (e == 0)
		*len_r = w.len;
	else
		mag_wipe(frame, w.len);
	return e;
}

int wire_decode_request(const unsigned char *frame, size_t len,
	const struct wire_message **message_r, void **request_r)
{
	const struct wire_message *m;
	struct wire_reader r = { frame, len };
	void *request;
	uint16_t id = 0;
	int e = get_head(&r, &id);

	if (e < 0)
		return e;
	m = wire_message_by_id(id);
	if (m == NULL || len > WIRE_FRAME_MAX)
		return MAG_EPROTO;
	request = calloc(1, m->request.size);
	if (request == NULL)
		return MAG_ENOMEM;
	e = wire_decode_struct(&m->request, r.data, r.len, request);
	if (e < 0) {
		wire_free(&m->request, &request);
		return e;
	}
	*message_r = m;
	*request_r = request;
	return 0;
}

/* What every reply begins with: three numbers, and a text. */
#define DETAIL_MAX (sizeof(((struct wire_result *)0)->detail) - 1)

static int put_result(struct wire_writer *w, const struct wire_result *result)
{
	const uint32_t numbers[] = { (uint32_t)-result->error, result->verdict, result->seconds };
	int e = 0;

	if (result->error > 0 || result->error <= -ERROR_MAX)
		return MAG_ERANGE;
	for (size_t i = 0; e == 0 && i < sizeof numbers / sizeof *numbers; i++)
		e = wire_put_number(w, numbers[i], 4);
	return e < 0 ? e : wire_put_text(w, result->detail, DETAIL_MAX);
}

static int get_result(struct wire_reader *r, struct wire_result *result)
{
	uint64_t numbers[3];
	int e = 0;

	for (size_t i = 0; e == 0 && i < sizeof numbers / sizeof *numbers; i++)
		e = wire_get_number(r, 4, &numbers[i]);
	if (e < 0)
		return e;
	if (numbers[0] >= ERROR_MAX)
		return MAG_EPROTO;
	result->error = -(int)numbers[0];
	result->verdict = (unsigned)numbers[1];
	result->seconds = (uint32_t)numbers[2];
	return wire_get_text(r, result->detail, DETAIL_MAX);
}

int wire_encode_reply(uint16_t id, const struct wire_result *result, const void *reply,
	unsigned char *frame, size_t *len_r)
{
	const struct wire_message *m = wire_message_by_id(id);
	struct wire_writer w = { frame, WIRE_FRAME_MAX, 0 };
	int e;

	/* A message that does not exist can still be answered with an error. */
	if (m == NULL && result->error == 0)
		return MAG_EINVAL;
	e = put_head(&w, id);
	if (e == 0)
		e = put_result(&w, result);
	if (e == 0 && result->error == 0 && m->reply.n_fields > 0)
		e = wire_put_struct(&w, &m->reply, reply);
	if (e == 0)
		*len_r = w.len;
	else
		mag_wipe(frame, w.len);
	return e;
}

int wire_decode_reply(const unsigned char *frame, size_t len, uint16_t id,
	struct wire_result *result_r, void *reply)
{
	const struct wire_message *m = wire_message_by_id(id);
	struct wire_reader r = { frame, len };
	struct wire_result result;
	uint16_t got;
	int e;

	if (m == NULL)
		return MAG_EINVAL;
	memset(&result, 0, sizeof result);
	e = get_head(&r, &got);
	if (e == 0 && got != id)
		e = MAG_EPROTO;
	if (e == 0)
		e = get_result(&r, &result);
	if (e < 0)
		return e;
	if (result.error == 0)
		e = wire_decode_struct(&m->reply, r.data, r.len, reply);
	else if (r.len > 0)
		e = MAG_EPROTO;
	if (e == 0)
		*result_r = result;
	return e;
}
