/* What the administrator is shown of gateways and limits. */
#ifndef SMSD_REPORT_H
#define SMSD_REPORT_H

#include "smsd/queue.h"

void report_gateways(struct queue_config *q, struct wire_gateway_list_rep *body);

#endif
