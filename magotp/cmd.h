/* The verbs of both tools, one file per noun. */
#ifndef CMD_H
#define CMD_H

#include <sys/types.h>

#include "magotp/cli.h"

/* magotp */
int cmd_status(struct cli *c);
int cmd_activate(struct cli *c);
int cmd_proofing(struct cli *c);
int cmd_proofing_request(struct cli *c);
int cmd_elevate(struct cli *c);
int cmd_connect(struct cli *c);
int cmd_phone_add(struct cli *c);
int cmd_phone_default(struct cli *c);
int cmd_phone_channel(struct cli *c);
int cmd_token_add(struct cli *c);
int cmd_token_resync(struct cli *c);
int cmd_mobile_add(struct cli *c);
int cmd_mobile_confirm(struct cli *c);
int cmd_mobile_suspend(struct cli *c);
int cmd_mobile_resume(struct cli *c);
int cmd_mobile_delete(struct cli *c);
int cmd_recovery_codes(struct cli *c);
int cmd_terms(struct cli *c);

/* both */
int cmd_phone_list(struct cli *c);
int cmd_phone_verify(struct cli *c);
int cmd_phone_delete(struct cli *c);
int cmd_phone_test(struct cli *c);
int cmd_token_mine(struct cli *c);
int cmd_token_suspend(struct cli *c);
int cmd_token_resume(struct cli *c);
int cmd_token_revoke(struct cli *c);
int cmd_certificate_list(struct cli *c);
int cmd_certificate_add(struct cli *c);
int cmd_certificate_delete(struct cli *c);

/* magotpctl */
int cmd_setup(struct cli *c);
int cmd_backup(struct cli *c);
int cmd_restore(struct cli *c);
#define CMD_JOURNALS 16 /* as many as otpcored takes */
int cmd_migrate(struct cli *c);
/* otpcored with these arguments (at most five, then NULL); `refusal` is said if it fails. */
int cmd_run_otpcored(struct cli *c, const char *const *args, const char *id, const char *refusal);
int cmd_host_add(struct cli *c);
int cmd_host_set(struct cli *c);
int cmd_host_list(struct cli *c);
int cmd_host_revoke(struct cli *c);
int cmd_host_remove(struct cli *c);
int cmd_host_enroll(struct cli *c);
int cmd_key_list(struct cli *c);
int cmd_key_rotate(struct cli *c);
int cmd_key_finish(struct cli *c);
int cmd_lease_list(struct cli *c);
int cmd_lease_end(struct cli *c);
int cmd_account_add(struct cli *c);
int cmd_account_set(struct cli *c);
int cmd_account_show(struct cli *c);
int cmd_account_list(struct cli *c);
int cmd_account_delete(struct cli *c);
int cmd_account_connect(struct cli *c);
int cmd_enroll(struct cli *c);
int cmd_licence_issue(struct cli *c);
int cmd_licence_release(struct cli *c);
int cmd_licence_list(struct cli *c);
int cmd_licence_void(struct cli *c);
int cmd_inventory_list(struct cli *c);
int cmd_inventory_show(struct cli *c);
int cmd_inventory_assign(struct cli *c);
int cmd_import(struct cli *c);
int cmd_unlock(struct cli *c);
int cmd_renew(struct cli *c);
int cmd_sponsor(struct cli *c);
int cmd_proofing_issue(struct cli *c);
int cmd_proofing_reissue(struct cli *c);
int cmd_proofing_fail(struct cli *c);
int cmd_proofing_schedule(struct cli *c);
int cmd_proofing_list(struct cli *c);
int cmd_proofing_show(struct cli *c);
int cmd_break_glass(struct cli *c);
int cmd_sweep(struct cli *c);
int cmd_org_list(struct cli *c);
int cmd_org_accept(struct cli *c);
int cmd_gateway_list(struct cli *c);
int cmd_gateway_limits(struct cli *c);
int cmd_gateway_reset(struct cli *c);
int cmd_gateway_test(struct cli *c);
int cmd_send(struct cli *c);
int cmd_explain(struct cli *c);
int cmd_enable(struct cli *c);
int cmd_disable(struct cli *c);
int cmd_confirm(struct cli *c);
int cmd_report(struct cli *c);
int cmd_doctor(struct cli *c);
int cmd_try(struct cli *c);
int cmd_audit_list(struct cli *c);
int cmd_audit_verify(struct cli *c);
int cmd_audit_export(struct cli *c);
int cmd_session_list(struct cli *c);
int cmd_session_end(struct cli *c);
int cmd_metrics(struct cli *c);
int cmd_config_show(struct cli *c);
int cmd_config_check(struct cli *c);
int cmd_config_get(struct cli *c);
int cmd_config_edit(struct cli *c);
/* smsd.conf as it stands beside the magotp.conf of --config; NULL: without that option, or
 * there is none. */
const char *config_smsd(const struct cli *c, char *path, size_t cap);

/* What can be bought (K1). */
#define CMD_PRODUCTS "phone-us, phone-intl, hardware, mobile or mobile-hardware"

/* What verbs share (cmd_phone_add.c, cmd_account.c, cmd_config.c,
 * cmd_token.c, cmd_session.c). */

/* Register a number from here: shows name and number, tells of charges, sends,
 * asks for the code. `ask`: on a terminal; else the phone stays pending. */
int phone_register(struct cli *c, const char *number, bool ask);
/* Use a licence key for the account: as given, "-" = stdin, NULL = asked for. */
int phone_licence(struct cli *c, const char *key);
/* Two consecutive codes, each as in cli_secret. */
int token_pair(const struct cli *c, const char *first, const char *second, struct mag_secret *code1,
	struct mag_secret *code2);
/* cli_call_grant; on a terminal a missing licence is asked for first. */
int token_licensed(
	struct cli *c, uint16_t message, void *request, struct mag_secret *grant, void *reply);
/* What a login would meet, without the headline (cmd_explain.c). */
void explain_reasons(struct cli *c, const char *service, const char *user);
/* Every live session of the account ("": of all). An exit code, told. */
struct wire_live_session;
typedef void cmd_session_fn(const struct wire_live_session *s, void *arg);
int cmd_each_session(struct cli *c, const char *user, cmd_session_fn *fn, void *arg);
/* An account from the user database: uid and the name of the GECOS field. */
struct wire_account_add_req;
bool account_from_passwd(const char *user, struct wire_account_add_req *q);
/* Copy a file to one that must not be there yet; a missing source is an empty
 * one. 0 or MAG_ESYS (errno). */
int config_copy(const char *from, const char *to, mode_t mode);

#endif
