/* What otpcored was told to do. */
#ifndef BROKER_ARGUMENTS_H
#define BROKER_ARGUMENTS_H

#include "otpcore/broker/parts.h"

enum order {
	ORDER_SERVE, /* none was given */
	ORDER_CHECK,
	ORDER_SETUP,
	ORDER_MIGRATE,
	ORDER_REKEY,
	ORDER_ENROLL,
	ORDER_BACKUP,
	ORDER_RESTORE,
	ORDER_RESTORE_IN_PLACE,
	ORDER_AUDIT_VERIFY,
	ORDER_PASSWORD_HELPER,
	ORDERS,
};
struct arguments {
	enum order order;
	const char *what;   /* the order's file, URL, key or code */
	const char *config; /* NULL: the usual place */
	const char *upstream;
	bool foreground, debug, dry, json;
	unsigned details; /* which of them were said */
	struct backup_orders backup;
	struct restore_orders restore;
};

/* -1: go on; otherwise the exit status, and why was said. */
int arguments_read(int argc, char **argv, struct arguments *a_r);

#endif
