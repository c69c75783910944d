/* The verbs of both tools, one file per noun. */
#ifndef CMD_H
#define CMD_H

#include <sys/types.h>

#include "magotp/cli.h"

/* magotp */
int cmd_status(struct cli *c);
int cmd_activate(struct cli *c);
int cmd_elevate(struct cli *c);
int cmd_phone_add(struct cli *c);
int cmd_phone_default(struct cli *c);
int cmd_phone_channel(struct cli *c);

/* both */
int cmd_phone_list(struct cli *c);
int cmd_phone_verify(struct cli *c);
int cmd_phone_delete(struct cli *c);
int cmd_phone_test(struct cli *c);

/* magotpctl */
int cmd_setup(struct cli *c);
int cmd_account_add(struct cli *c);
int cmd_account_set(struct cli *c);
int cmd_account_show(struct cli *c);
int cmd_account_list(struct cli *c);
int cmd_account_delete(struct cli *c);
int cmd_enroll(struct cli *c);
int cmd_licence_issue(struct cli *c);
int cmd_licence_release(struct cli *c);
int cmd_licence_list(struct cli *c);
int cmd_licence_void(struct cli *c);
int cmd_gateway_list(struct cli *c);
int cmd_gateway_test(struct cli *c);
int cmd_send(struct cli *c);
int cmd_explain(struct cli *c);
int cmd_config_show(struct cli *c);
int cmd_config_check(struct cli *c);
int cmd_config_get(struct cli *c);
int cmd_config_edit(struct cli *c);

/* What verbs share (cmd_phone_add.c, cmd_account.c, cmd_config.c). */

/* Register a number from here: shows name and number, tells of charges, sends,
 * asks for the code. `ask`: on a terminal; else the phone stays pending. */
int phone_register(struct cli *c, const char *number, bool ask);
/* Use a licence key for the account: as given, "-" = stdin, NULL = asked for. */
int phone_licence(struct cli *c, const char *key);
/* An account from the user database: uid and the name of the GECOS field. */
struct wire_account_add_req;
bool account_from_passwd(const char *user, struct wire_account_add_req *q);
/* Copy a file to one that must not be there yet; a missing source is an empty
 * one. 0 or MAG_ESYS (errno). */
int config_copy(const char *from, const char *to, mode_t mode);

#endif
