/* What came with a request, as names and values: of a form, a query, a JSON body. */
#ifndef SMSD_RECEIPT_FORM_H
#define SMSD_RECEIPT_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "otpcore/wire/wire.h"

/* `text` is name=value pairs between ampersands. 0; MAG_EPROTO (none such),
 * MAG_ENOSPACE (too many, too long: then a signature could not be checked). */
int receipt_form_add(struct wire_receipt_req *q, const char *text);

/* Every text, number and boolean of a document, by its pointer; those that are too
 * many or too long are left out. 0 or MAG_EPROTO. */
int receipt_json_add(struct wire_receipt_req *q, const char *text, size_t len);

#endif
