/* One codec for every message. The structs, the enum and the descriptor table
 * are generated from the .wire files (wire_gen.h); this walks the table.
 *
 * A frame is one datagram of at most WIRE_FRAME_MAX bytes, big-endian:
 *   request  u16 version, u16 message, fields
 *   reply    u16 version, u16 message, u32 error (0 or -enum mag_err),
 *            u32 verdict, u32 seconds, text detail, then, if error is 0, fields
 *   text, secret, sealed, bytes   u16 length, bytes;   list   u16 count, rows
 * Decoding refuses what is too long, leaves bytes over or, in text and secret,
 * is not UTF-8 or holds NUL. A frame of another version is answered with
 * MAG_EVERSION. */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "otpcore/base/secret.h"
#include "otpcore/wire/protocol.h"

enum wire_type {
	WIRE_U32,
	WIRE_I64,
	WIRE_TEXT,
	WIRE_BYTES,
	WIRE_SECRET,
	WIRE_SEALED,
	WIRE_LIST,
	WIRE_ACCOUNT,
	WIRE_SERVICE,
};
enum wire_authority { AUTH_ANY, AUTH_VERIFIER, AUTH_AGENT, AUTH_ADMIN, AUTH_ROOT };

/* `bytes NAME MAX` is struct { size_t len; unsigned char data[MAX]; } NAME;
 * `text NAME MAX` is char NAME[MAX + 1]; `secret` (a text) and `sealed`
 * (any bytes: tickets) are struct mag_secret;
 * `list NAME ROW MAX` is size_t n_NAME; struct wire_ROW NAME[MAX]. */
/* Numbers and texts in place, no pointers: those would have to be relocated whenever a
 * program, or a login, loads the module that these tables are part of. */
#define WIRE_NAME_MAX 23

struct wire_struct {
	uint32_t size;
	uint16_t first, n_fields; /* of wire_fields */
};

struct wire_field {
	char name[WIRE_NAME_MAX + 1];
	enum wire_type type;
	uint32_t offset;
	uint32_t count_offset;  /* lists */
	uint32_t max;           /* bytes of text, rows of a list */
	struct wire_struct row; /* lists */
};
extern const struct wire_field wire_fields[];

static inline const struct wire_field *wire_field_of(const struct wire_struct *s, size_t i)
{
	return &wire_fields[s->first + i];
}

struct wire_message {
	char name[WIRE_NAME_MAX + 1];
	uint16_t id;
	enum wire_authority authority;
	struct wire_struct request, reply; /* may have no fields */
};

/* How every reply begins. error 0: the request was served and `verdict` says
 * with which outcome; the reply's fields are there. */
struct wire_result {
	int error;        /* 0 or a negative enum mag_err */
	unsigned verdict; /* enum verdict */
	uint32_t seconds; /* try again after this; 0: does not apply */
	char detail[256]; /* what exactly: an option, a group of a key ... */
};

#include "wire_gen.h" /* enum wire_msg, struct wire_NAME_req, struct wire_NAME_rep, rows */

extern const struct wire_message wire_messages[];
extern const size_t wire_n_messages;

/* NULL if there is no such message. */
const struct wire_message *wire_message_by_id(uint16_t id);

/* The first field of type account or service in `s`, inside `object`; NULL if
 * the struct has none. */
const char *wire_text_of_type(const struct wire_struct *s, const void *object, enum wire_type type);

/* Encode into frame[WIRE_FRAME_MAX]. 0; MAG_ERANGE (a field over its maximum or
 * not UTF-8); MAG_EINVAL (no such message). Every message fits: wire.awk checks
 * it. With result->error set, `reply` is not looked at and `id` may be unknown. */
int wire_encode_request(uint16_t id, const void *request, unsigned char *frame, size_t *len_r);
int wire_encode_reply(uint16_t id, const struct wire_result *result, const void *reply,
	unsigned char *frame, size_t *len_r);

/* Decode into a new object of the message's struct (wire_free it).
 * 0; MAG_EPROTO, MAG_EVERSION, MAG_ENOMEM. */
int wire_decode_request(const unsigned char *frame, size_t len,
	const struct wire_message **message_r, void **request_r);

/* `reply` points at a zeroed struct of the message's reply; it is filled if
 * result_r->error is 0 and all zero otherwise. A reply to another message than
 * `id` is MAG_EPROTO. 0; MAG_EPROTO, MAG_EVERSION, MAG_ENOMEM. */
int wire_decode_reply(const unsigned char *frame, size_t len, uint16_t id,
	struct wire_result *result_r, void *reply);

/* Encode or decode one struct without a header (sealed tickets, stored answers).
 * `object` of decode is zeroed before, and all zero again after a failure.
 * 0; MAG_ERANGE, MAG_ENOSPACE; MAG_EPROTO, MAG_ENOMEM. */
int wire_encode_struct(const struct wire_struct *s, const void *object, unsigned char *out,
	size_t cap, size_t *len_r);
int wire_decode_struct(
	const struct wire_struct *s, const unsigned char *in, size_t len, void *object);

/* Wipe and free secrets inside, leaving zeros. */
void wire_clear(const struct wire_struct *s, void *object);
/* wire_clear and free(). */
void wire_free(const struct wire_struct *s, void **object);

#endif
