/* Compiling and expanding texts with placeholders. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/base/text.h"
#include "smsd/placeholder.h"
#include "smsd/template.h"

enum what {
	PH_LITERAL,
	PH_VAR, /* var.NAME, password: known when compiled */
	PH_TO,
	PH_TO_DIGITS,
	PH_TEXT,
	PH_CODE,
	PH_FROM,
	PH_ID,
	PH_LANG,
	PH_LOCALE,
	PH_ALPHABET, /* one of two literals */
	PH_TTL,
	PH_TTL_MS,
	PH_TTL_MIN,
	PH_EXPIRES_ISO,
	PH_RECEIPT_URL,
	PH_PROVIDER_ID,
};

static const struct {
	const char *name;
	enum what what;
} names[] = {
	{ "to", PH_TO },
	{ "to_digits", PH_TO_DIGITS },
	{ "text", PH_TEXT },
	{ "code", PH_CODE },
	{ "from", PH_FROM },
	{ "id", PH_ID },
	{ "lang", PH_LANG },
	{ "locale", PH_LOCALE },
	{ "ttl", PH_TTL },
	{ "ttl_ms", PH_TTL_MS },
	{ "ttl_min", PH_TTL_MIN },
	{ "expires_iso", PH_EXPIRES_ISO },
	{ "receipt_url", PH_RECEIPT_URL },
	{ "provider_id", PH_PROVIDER_ID },
};
#define N_NAMES (sizeof names / sizeof *names)

#define PARTS_MAX 128

struct part {
	enum what what;
	enum enc_context context;
	bool xml;
	const struct mag_secret *var;
	struct mag_secret literal; /* encoded already */
	struct mag_secret wide;    /* of PH_ALPHABET: where GSM-7 does not hold the text */
};

struct ph_template {
	size_t n;
	struct part part[PARTS_MAX];
};

int ph_new(struct ph_template **template_r)
{
	struct ph_template *t = calloc(1, sizeof *t);

	if (!t)
		return MAG_ENOMEM;
	*template_r = t;
	return 0;
}

void ph_free(struct ph_template **template)
{
	struct ph_template *t = *template;

	*template = NULL;
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++) {
		mag_secret_free(&t->part[i].literal);
		mag_secret_free(&t->part[i].wide);
	}
	free(t);
}

static struct part *new_part(struct ph_template *t, enum what what)
{
	if (t->n == PARTS_MAX)
		return NULL;
	t->part[t->n].what = what;
	return &t->part[t->n++];
}

/* The literal to append to: the last part, if it is one. */
static struct mag_secret *literal_of(struct ph_template *t)
{
	struct part *last = t->n ? &t->part[t->n - 1] : NULL;

	if (!last || last->what != PH_LITERAL)
		last = new_part(t, PH_LITERAL);
	return last ? &last->literal : NULL;
}

int ph_add_literal(struct ph_template *t, const char *text, size_t len)
{
	struct mag_secret *literal = literal_of(t);

	return literal ? mag_secret_append(literal, text, len) : MAG_ENOSPACE;
}

/* ---- compiling ---- */

struct name {
	char text[48]; /* without braces and modifier */
	bool xml, number;
};

static int unknown(const struct name *name, char err[PH_ERROR_MAX])
{
	const char *words[N_NAMES + 3], *nearest;
	size_t n = 0;

	for (; n < N_NAMES; n++)
		words[n] = names[n].name;
	words[n++] = "username";
	words[n++] = "password";
	words[n] = NULL;
	nearest = mag_nearest(name->text, words);
	snprintf(err, PH_ERROR_MAX, "unknown placeholder {%s}%s%s%s", name->text,
		nearest ? "; do you mean {" : "", nearest ? nearest : "", nearest ? "}?" : "");
	return MAG_ESYNTAX;
}

/* "ttl:number" -> name and modifier. */
static int read_name(const char *text, size_t len, struct name *name_r, char err[PH_ERROR_MAX])
{
	const char *colon = memchr(text, ':', len);
	size_t name_len = colon ? (size_t)(colon - text) : len;
	const char *modifier = colon ? colon + 1 : "";
	size_t modifier_len = colon ? len - name_len - 1 : 0;
	struct name name = { .xml = modifier_len == 3 && !memcmp(modifier, "xml", 3),
		.number = modifier_len == 6 && !memcmp(modifier, "number", 6) };

	if (name_len >= sizeof name.text || (colon && !name.xml && !name.number)) {
		snprintf(err, PH_ERROR_MAX, "bad placeholder {%.*s}", (int)(len > 60 ? 60 : len),
			text);
		return MAG_ESYNTAX;
	}
	memcpy(name.text, text, name_len);
	*name_r = name;
	return 0;
}

static const struct mag_secret *find_var(const struct ph_vars *vars, const char *name)
{
	if (strcmp(name, "password") == 0)
		return vars->password;
	if (!mag_has_prefix(name, "var."))
		return NULL;
	for (size_t i = 0; i < vars->n; i++)
		if (strcmp(vars->var[i].name, name + 4) == 0)
			return &vars->var[i].value;
	return NULL;
}

/* One ph_add: what every step needs. */
struct compiling {
	struct ph_template *t;
	enum enc_context context;
	enum ph_literals literals;
	const struct ph_vars *vars;
	char *err;
	bool inner; /* inside {username}: it cannot hold itself */
};

static int add_name(const struct compiling *c, const struct name *name)
{
	const struct mag_secret *var = find_var(c->vars, name->text);
	enum what what = var ? PH_VAR : PH_LITERAL;
	struct part *part;

	for (size_t i = 0; i < N_NAMES && !var; i++)
		if (strcmp(names[i].name, name->text) == 0)
			what = names[i].what;
	if (what == PH_LITERAL && mag_has_prefix(name->text, "var.")) {
		snprintf(c->err, PH_ERROR_MAX, "{%s} is used, but there is no %s = ...", name->text,
			name->text);
		return MAG_ESYNTAX;
	}
	if (what == PH_LITERAL)
		return unknown(name, c->err);
	if (!(part = new_part(c->t, what)))
		return MAG_ENOSPACE;
	part->context = c->context;
	part->xml = name->xml;
	part->var = var;
	return 0;
}

static int add_literal(const struct compiling *c, const char *text, size_t len)
{
	struct mag_secret *literal = literal_of(c->t);

	if (!literal)
		return MAG_ENOSPACE;
	if (c->literals == PH_RAW)
		return mag_secret_append(literal, text, len);
	return enc_append(literal, c->context, text, len);
}

/* "alphabet:NARROW:WIDE". */
static int add_alphabet(const struct compiling *c, const char *text, size_t len)
{
	const char *narrow = text + strlen("alphabet:"), *end = text + len;
	const char *colon = memchr(narrow, ':', (size_t)(end - narrow));
	struct part *part;
	int r;

	if (!colon || memchr(colon + 1, ':', (size_t)(end - colon - 1))) {
		snprintf(c->err, PH_ERROR_MAX, "write {alphabet:NARROW:WIDE}");
		return MAG_ESYNTAX;
	}
	if (!(part = new_part(c->t, PH_ALPHABET)))
		return MAG_ENOSPACE;
	r = enc_append(&part->literal, c->context, narrow, (size_t)(colon - narrow));
	return r < 0 ? r
		     : enc_append(&part->wide, c->context, colon + 1, (size_t)(end - colon - 1));
}

static int compile(const struct compiling *c, const char *text, size_t len);

/* {username} is put in where it stands: its own placeholders get this context. */
static int add_placeholder(const struct compiling *c, const char *text, size_t len)
{
	struct compiling inner = *c;
	struct name name;
	int r;

	if (len > strlen("alphabet:") && mag_has_prefix(text, "alphabet:"))
		return add_alphabet(c, text, len);
	r = read_name(text, len, &name, c->err);
	if (r < 0)
		return r;
	if (strcmp(name.text, "username") != 0 || !c->vars->username || c->inner)
		return add_name(c, &name);
	inner.inner = true;
	inner.literals = PH_ENCODED;
	return compile(&inner, c->vars->username, strlen(c->vars->username));
}

static int compile(const struct compiling *c, const char *text, size_t len)
{
	int r = 0;

	for (size_t i = 0; i < len && r == 0;) {
		size_t run = 0;
		const char *end;

		while (i + run < len && text[i + run] != '{' && text[i + run] != '}')
			run++;
		if (run) {
			r = add_literal(c, text + i, run);
			i += run;
		} else if (i + 1 < len && text[i] == text[i + 1]) {
			r = add_literal(c, text + i, 1);
			i += 2;
		} else if (text[i] == '{' && (end = memchr(text + i, '}', len - i))) {
			size_t inside = (size_t)(end - text) - i - 1;

			r = add_placeholder(c, text + i + 1, inside);
			i += inside + 2;
		} else {
			snprintf(c->err, PH_ERROR_MAX,
				"a brace without its partner; write it twice");
			return MAG_ESYNTAX;
		}
	}
	return r;
}

int ph_add(struct ph_template *t, const char *text, size_t len, enum enc_context context,
	enum ph_literals literals, const struct ph_vars *vars, char err[PH_ERROR_MAX])
{
	const struct compiling c = { t, context, literals, vars, err, false };
	int r = compile(&c, text, len);

	if (r == MAG_ERANGE)
		snprintf(err, PH_ERROR_MAX, "a character that cannot be there");
	else if (r < 0 && r != MAG_ESYNTAX)
		snprintf(err, PH_ERROR_MAX, "%s", mag_strerror(r));
	return r;
}

bool ph_is_number(const char *text)
{
	static const char *const numbers[] = { "{ttl:number}", "{ttl_ms:number}",
		"{ttl_min:number}" };

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (strcmp(text, numbers[i]) == 0)
			return true;
	return false;
}

/* ---- expanding ---- */

/* What a placeholder stands for; buf is for what has to be written first. */
static const char *value_of(enum what what, const struct ph_values *v, char *buf, size_t cap)
{
	const struct sms_message *m = v->message;
	int64_t ttl_ms = m->expires_at * 1000 - v->now_ms, ttl;

	if (v->ttl_most && ttl_ms > v->ttl_most * 1000)
		ttl_ms = v->ttl_most * 1000;
	if (ttl_ms < v->ttl_least * 1000)
		ttl_ms = v->ttl_least * 1000;
	ttl = ttl_ms / 1000;
	switch (what) {
	case PH_TO:
		return m->to;
	case PH_TO_DIGITS:
		return m->to + (m->to[0] == '+');
	case PH_TEXT:
		return mag_secret_text(v->text);
	case PH_CODE:
		return mag_secret_text(&m->code);
	case PH_FROM:
		return v->from;
	case PH_ID:
		return m->id;
	case PH_LANG:
		return m->language[0] ? m->language : "en";
	case PH_LOCALE:
		return template_locale(m);
	case PH_RECEIPT_URL:
		return v->receipt_url ? v->receipt_url : "";
	case PH_PROVIDER_ID:
		return v->provider_id ? v->provider_id : "";
	case PH_EXPIRES_ISO:
		return mag_time_rfc3339((v->now_ms + ttl_ms) / 1000, buf, cap);
	case PH_TTL:
		snprintf(buf, cap, "%lld", (long long)ttl);
		return buf;
	case PH_TTL_MS:
		snprintf(buf, cap, "%lld", (long long)ttl_ms);
		return buf;
	default: /* PH_TTL_MIN: rounded up, a provider takes no 0 */
		snprintf(buf, cap, "%lld", (long long)(ttl < 1 ? 1 : (ttl + 59) / 60));
		return buf;
	}
}

static int expand_part(const struct part *p, const struct ph_values *v, struct mag_secret *out)
{
	struct mag_secret escaped = { 0 };
	const char *data;
	char buf[32];
	size_t len;
	int r = 0;

	if (p->what == PH_LITERAL)
		return mag_secret_append(out, p->literal.data, p->literal.len);
	if (p->what == PH_ALPHABET) {
		const struct mag_secret *s =
			gsm7_septets(mag_secret_text(v->text)) >= 0 ? &p->literal : &p->wide;

		return mag_secret_append(out, s->data, s->len);
	}
	data = p->var ? mag_secret_text(p->var) : value_of(p->what, v, buf, sizeof buf);
	len = p->var ? p->var->len : strlen(data);
	if (p->xml) {
		r = enc_append(&escaped, ENC_XML, data, len);
		data = mag_secret_text(&escaped);
		len = escaped.len;
	}
	if (r == 0)
		r = enc_append(out, p->context, data, len);
	mag_secret_free(&escaped);
	return r;
}

int ph_expand(const struct ph_template *t, const struct ph_values *v, struct mag_secret *out)
{
	int r = 0;

	for (size_t i = 0; i < t->n && r == 0; i++)
		r = expand_part(&t->part[i], v, out);
	return r;
}
