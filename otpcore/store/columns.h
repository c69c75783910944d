/* Between columns.c (which columns a table has) and rows.c (what is made of that). */
#ifndef STORE_COLUMNS_H
#define STORE_COLUMNS_H

#include <stdbool.h>

#include "otpcore/store/rows.h"

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

extern const struct table row_tables[TABLE_COUNT];

#endif
