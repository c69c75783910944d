#include "otpcore/store/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpcore/base/err.h"
#include "otpcore/store/backend.h"

struct column {
	const char *name;
	char type;  /* 'i' int64_t, 't' char[], 'b' struct blob */
	bool fixed; /* written once: it names the row or is its place in an index */
	size_t offset, size;
};

struct table {
	const char *name;
	size_t row_size, n;
	const struct column *columns; /* after id and version, which every row has */
};

/* clang-format off */
#define SIZE_OF(s, f)    sizeof(((struct s *)0)->f)
#define COLUMN(name, type, fixed, s, f) { name, type, fixed, offsetof(struct s, f), SIZE_OF(s, f) }
#define INT(s, f)        COLUMN(#f, 'i', false, s, f)
#define TEXT(s, f)       COLUMN(#f, 't', false, s, f)
#define BLOB(s, f)       COLUMN(#f, 'b', false, s, f)
#define AS(s, f, name)   COLUMN(name, 't', false, s, f)
#define FIXED_INT(s, f)  COLUMN(#f, 'i', true, s, f)
#define FIXED_TEXT(s, f) COLUMN(#f, 't', true, s, f)
#define FIXED_BLOB(s, f) COLUMN(#f, 'b', true, s, f)
/* clang-format on */

static const struct column account_columns[] = {
	FIXED_TEXT(account, name),
	INT(account, uid),
	INT(account, state),
	INT(account, role),
	BLOB(account, email),
	BLOB(account, email_hash),
	AS(account, first, "first_name"),
	AS(account, middle, "middle_name"),
	AS(account, last, "last_name"),
	TEXT(account, postal),
	TEXT(account, language),
	TEXT(account, organisation),
	TEXT(account, country),
	TEXT(account, parent),
	TEXT(account, parent_asked),
	BLOB(account, enrol_key),
	INT(account, enrol_at),
	INT(account, password_due),
	TEXT(account, password_host),
	FIXED_INT(account, created_at),
};
static const struct column subscription_columns[] = {
	FIXED_INT(subscription, account),
	INT(subscription, product),
	INT(subscription, state),
	INT(subscription, level),
	INT(subscription, proofing),
	INT(subscription, licence),
	INT(subscription, started_at),
	INT(subscription, purchased_at),
	INT(subscription, expires_at),
};
static const struct column phone_columns[] = {
	FIXED_INT(phone, account),
	INT(phone, subscription),
	INT(phone, slot),
	BLOB(phone, number),
	BLOB(phone, number_hash),
	TEXT(phone, masked),
	TEXT(phone, country),
	INT(phone, channel),
	INT(phone, voice_only),
	INT(phone, is_default),
	INT(phone, state),
	INT(phone, state_since),
	INT(phone, last_used_at),
	FIXED_INT(phone, created_at),
	TEXT(phone, label),
};
static const struct column token_columns[] = {
	FIXED_INT(token, kind),
	FIXED_INT(token, type),
	INT(token, algorithm),
	INT(token, digits),
	INT(token, period),
	FIXED_TEXT(token, serial),
	BLOB(token, secret),
	INT(token, moving),
	INT(token, drift),
	INT(token, account),
	INT(token, subscription),
	INT(token, state),
	INT(token, state_since),
	INT(token, suspended_by),
	FIXED_INT(token, batch),
	TEXT(token, organisation),
	TEXT(token, label),
	FIXED_INT(token, created_at),
	INT(token, last_used_at),
};
static const struct column recovery_columns[] = {
	FIXED_INT(recovery, account),
	FIXED_INT(recovery, kind),
	FIXED_BLOB(recovery, hash),
	FIXED_INT(recovery, created_at),
	INT(recovery, used_at),
	INT(recovery, expires_at),
	TEXT(recovery, reason),
	TEXT(recovery, made_by),
};
static const struct column challenge_columns[] = {
	FIXED_INT(challenge, account),
	INT(challenge, phone),
	INT(challenge, kind),
	INT(challenge, state),
	BLOB(challenge, chain),
	INT(challenge, chain_id),
	BLOB(challenge, nonce),
	INT(challenge, pepper_id),
	INT(challenge, channel),
	FIXED_INT(challenge, created_at),
	INT(challenge, expires_at),
	INT(challenge, delivery),
	INT(challenge, used_at),
};
static const struct column login_columns[] = {
	FIXED_INT(login, account),
	TEXT(login, service),
	TEXT(login, host),
	TEXT(login, rhost),
	INT(login, peer_uid),
	INT(login, state),
	INT(login, strength),
	INT(login, level),
	INT(login, phone),
	INT(login, token),
	INT(login, certificate),
	INT(login, last_seq),
	INT(login, verdict),
	BLOB(login, answer),
	FIXED_INT(login, started_at),
	INT(login, verified_at),
	INT(login, opened_at),
};
static const struct column session_columns[] = {
	FIXED_TEXT(session, boot),
	FIXED_TEXT(session, host),
	FIXED_INT(session, sid),
	INT(session, loginuid),
	INT(session, account),
	INT(session, login),
	INT(session, leader_pid),
	INT(session, leader_start),
	TEXT(session, service),
	TEXT(session, rhost),
	TEXT(session, tty),
	INT(session, strength),
	INT(session, level),
	INT(session, phone),
	INT(session, token),
	INT(session, certificate),
	INT(session, holder),
	INT(session, since),
	INT(session, ended_at),
	INT(session, expires_at),
};
static const struct column licence_columns[] = {
	FIXED_BLOB(licence, hash),
	AS(licence, group, "key_group"),
	INT(licence, product),
	INT(licence, proofing),
	INT(licence, state),
	TEXT(licence, order_ref),
	INT(licence, issued_at),
	INT(licence, purchased_at),
	INT(licence, account),
	INT(licence, used_at),
};
static const struct column proofing_columns[] = {
	FIXED_INT(proofing, account),
	INT(proofing, subscription),
	INT(proofing, state),
	INT(proofing, method),
	INT(proofing, outcome),
	BLOB(proofing, hash),
	TEXT(proofing, agent),
	FIXED_INT(proofing, created_at),
	INT(proofing, agreed_at),
	INT(proofing, appointment_at),
	INT(proofing, decided_at),
	INT(proofing, expires_at),
	INT(proofing, used_at),
};
static const struct column certificate_columns[] = {
	FIXED_INT(certificate, account),
	FIXED_INT(certificate, slot),
	INT(certificate, class),
	INT(certificate, state),
	FIXED_BLOB(certificate, key_hash),
	FIXED_BLOB(certificate, anchor),
	TEXT(certificate, subject),
	TEXT(certificate, issuer),
	TEXT(certificate, serial),
	INT(certificate, not_before),
	INT(certificate, not_after),
	FIXED_INT(certificate, created_at),
	INT(certificate, last_used_at),
	TEXT(certificate, label),
};
static const struct column seats_columns[] = {
	FIXED_TEXT(seats, order_ref),
	INT(seats, seats),
	INT(seats, taken),
};
static const struct column terms_columns[] = {
	FIXED_TEXT(terms, organisation),
	FIXED_TEXT(terms, application),
	INT(terms, edition),
	INT(terms, accepted_at),
	TEXT(terms, accepted_by),
};
static const struct column mail_columns[] = {
	FIXED_INT(mail, account),
	FIXED_TEXT(mail, once),
	FIXED_TEXT(mail, template),
	TEXT(mail, args),
	INT(mail, state),
	FIXED_INT(mail, created_at),
	INT(mail, next_at),
	INT(mail, attempts),
	INT(mail, sent_at),
};

/* clang-format off */
#define TABLE(s) { #s, sizeof(struct s), sizeof s##_columns / sizeof s##_columns[0], s##_columns }
/* clang-format on */
static const struct table tables[TABLE_COUNT] = {
	[TABLE_ACCOUNT] = TABLE(account),
	[TABLE_SUBSCRIPTION] = TABLE(subscription),
	[TABLE_PHONE] = TABLE(phone),
	[TABLE_TOKEN] = TABLE(token),
	[TABLE_RECOVERY] = TABLE(recovery),
	[TABLE_CHALLENGE] = TABLE(challenge),
	[TABLE_LOGIN] = TABLE(login),
	[TABLE_SESSION] = TABLE(session),
	[TABLE_LICENCE] = TABLE(licence),
	[TABLE_PROOFING] = TABLE(proofing),
	[TABLE_CERTIFICATE] = TABLE(certificate),
	[TABLE_SEATS] = TABLE(seats),
	[TABLE_TERMS] = TABLE(terms),
	[TABLE_MAIL] = TABLE(mail),
};

const char *row_table_name(enum row_table table)
{
	return tables[table].name;
}

size_t row_size(enum row_table table)
{
	return tables[table].row_size;
}

size_t row_n_columns(enum row_table table)
{
	return tables[table].n + 2;
}

static void put_columns(FILE *f, const struct table *t)
{
	fputs("id, version", f);
	for (size_t i = 0; i < t->n; i++)
		fprintf(f, ", %s", t->columns[i].name);
}

static void put_insert(FILE *f, const struct table *t)
{
	fprintf(f, "INSERT INTO %s (", t->name);
	put_columns(f, t);
	fputs(") VALUES ($1, $2", f);
	for (size_t i = 0; i < t->n; i++)
		fprintf(f, ", $%zu", i + 3);
	fputs(") ON CONFLICT DO NOTHING", f);
}

static void put_update(FILE *f, const struct table *t)
{
	size_t n = 3;

	fprintf(f, "UPDATE %s SET version = version + 1", t->name);
	for (size_t i = 0; i < t->n; i++) {
		if (!t->columns[i].fixed)
			fprintf(f, ", %s = $%zu", t->columns[i].name, n++);
	}
	fputs(" WHERE id = $1 AND version = $2", f);
}

static void put_page(FILE *f, const struct table *t)
{
	fputs("SELECT ", f);
	put_columns(f, t);
	fprintf(f, " FROM %s WHERE id > $1 ORDER BY id LIMIT $2", t->name);
}

char *row_sql(enum row_table table, enum row_verb verb)
{
	const struct table *t = &tables[table];
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	if (verb == ROW_INSERT)
		put_insert(f, t);
	else if (verb == ROW_UPDATE)
		put_update(f, t);
	else if (verb == ROW_PAGE)
		put_page(f, t);
	else
		fprintf(f, "DELETE FROM %s WHERE id = $1 AND version = $2", t->name);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* The table named by "{name}" at p, with the length of that; NULL if none is. */
static const struct table *named_table(const char *p, size_t *len_r)
{
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		size_t n = strlen(tables[i].name);

		if (strncmp(p + 1, tables[i].name, n) == 0 && p[n + 1] == '}') {
			*len_r = n + 2;
			return &tables[i];
		}
	}
	return NULL;
}

char *row_expand(const char *text)
{
	char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);

	if (f == NULL)
		return NULL;
	while (*text != '\0') {
		const struct table *t = NULL;
		size_t n = 1;

		if (*text == '{')
			t = named_table(text, &n);
		if (t != NULL)
			put_columns(f, t);
		else
			fputc(*text, f);
		text += n;
	}
	if (fclose(f) != 0) {
		free(out);
		return NULL;
	}
	return out;
}

static struct store_value value_of(const struct column *c, const struct row *row)
{
	const char *field = (const char *)row + c->offset;
	struct store_value v = { .type = c->type };

	if (c->type == 'i') {
		memcpy(&v.i, field, sizeof v.i);
	} else if (c->type == 't') {
		v.p = field;
		v.len = strnlen(field, c->size);
	} else {
		const struct blob *b = (const void *)field;

		v.p = b->data;
		v.len = b->len;
		if (b->len > sizeof b->data)
			v.type = 0; /* a broken row: no backend takes this value */
	}
	return v;
}

size_t row_values(enum row_table table, enum row_verb verb, const struct row *row,
	struct store_value values_r[ROW_COLUMNS_MAX])
{
	const struct table *t = &tables[table];
	size_t n = 0;

	values_r[n++] = (struct store_value){ .type = 'i', .i = row->id };
	values_r[n++] = (struct store_value){ .type = 'i', .i = row->version };
	for (size_t i = 0; verb != ROW_DELETE && i < t->n; i++) {
		if (verb == ROW_INSERT || !t->columns[i].fixed)
			values_r[n++] = value_of(&t->columns[i], row);
	}
	return n;
}

static int load_column(const struct column *c, const struct store_cells *cells, int i, char *row)
{
	const void *p = NULL;
	size_t len = 0;

	if (c->type == 'i') {
		int64_t v = cells->ops->cell_int(cells->statement, i);

		memcpy(row + c->offset, &v, sizeof v);
		return 0;
	}
	p = cells->ops->cell_bytes(cells->statement, i, &len);
	if (c->type == 't') {
		if (len >= c->size)
			return MAG_ESTORE;
		if (len > 0)
			memcpy(row + c->offset, p, len);
		row[c->offset + len] = '\0';
	} else {
		struct blob *b = (void *)(row + c->offset);

		if (len > sizeof b->data)
			return MAG_ESTORE;
		if (len > 0)
			memcpy(b->data, p, len);
		b->len = len;
	}
	return 0;
}

int row_load(enum row_table table, const struct store_cells *cells, void *row_r)
{
	const struct table *t = &tables[table];
	struct row *row = row_r;
	int r = 0;

	for (size_t i = 0; r == 0 && i < t->n; i++)
		r = load_column(&t->columns[i], cells, (int)i + 2, row_r);
	if (r != 0)
		return r;
	row->id = cells->ops->cell_int(cells->statement, 0);
	row->version = cells->ops->cell_int(cells->statement, 1);
	row->fate = ROW_CLEAN;
	return row->id > 0 ? 0 : MAG_ESTORE;
}
