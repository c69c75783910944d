/* How row structs and tables correspond: one descriptor per table, from which
 * column lists, INSERT, UPDATE and DELETE texts and the values are made. */
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include "otpcore/engine/model.h"

/* Rows are written in this order (then by id). */
enum row_table {
	TABLE_ACCOUNT,
	TABLE_SUBSCRIPTION,
	TABLE_PHONE,
	TABLE_TOKEN,
	TABLE_RECOVERY,
	TABLE_CHALLENGE,
	TABLE_LOGIN,
	TABLE_SESSION,
	TABLE_LICENCE,
	TABLE_PROOFING,
	TABLE_CERTIFICATE,
	TABLE_SEATS,
	TABLE_TERMS,
	TABLE_HOST,
	TABLE_AUTHORITY,
	TABLE_DATA_KEY,
	TABLE_MAIL,
	TABLE_COUNT
};
enum row_verb { ROW_INSERT, ROW_UPDATE, ROW_DELETE, ROW_PAGE, ROW_VERSION, ROW_VERBS };

#define ROW_COLUMNS_MAX 32

/* A parameter of a statement. */
struct store_value {
	char type;     /* 'i', 't', 'b' */
	int64_t i;     /* 'i' */
	const void *p; /* 't', 'b': borrowed */
	size_t len;
};

/* The row a statement stands on; a backend embeds it. */
struct store_cells {
	const struct backend_ops *ops;
	void *statement;
};

const char *row_table_name(enum row_table table);
size_t row_size(enum row_table table);
size_t row_n_columns(enum row_table table);

/* SQL text, `$N` parameters in the order of row_values(); malloc'd, NULL: no
 * memory. ROW_PAGE: those after the id $1, in order, at most $2. ROW_VERSION: that of the id $1. An
 * UPDATE's third is the version that the row gets. An INSERT that meets a row with
 * the same key changes 0 rows. */
char *row_sql(enum row_table table, enum row_verb verb);
/* Replace every "{table}" by its column list; malloc'd, NULL: no memory. */
char *row_expand(const char *text);

/* Values for a verb; returns how many (<= ROW_COLUMNS_MAX). Borrows from row. */
size_t row_values(enum row_table table, enum row_verb verb, const struct row *row,
	struct store_value values_r[ROW_COLUMNS_MAX]);

/* Fill a row from columns 0.. of the cells. 0, or MAG_ESTORE: a value does not
 * fit the struct (the database was changed by something else). */
int row_load(enum row_table table, const struct store_cells *cells, void *row_r);

#endif
