/* What the files about accounts share. */
#ifndef BROKER_HANDLE_ACCOUNT_H
#define BROKER_HANDLE_ACCOUNT_H

#include "otpcore/broker/handle/handle.h"

extern const struct handle_word account_states[], account_roles[];

/* The administrator's own account; NULL: root. */
const struct account *account_admin(struct request *r);

/* account_list.c */
void account_show_decide(struct request *r);
void account_list_decide(struct request *r);
void account_list_after(struct request *r);

#endif
