/* smsd.conf and gateways.d/: read whole, or not at all. */
#ifndef SMSD_SETTINGS_H
#define SMSD_SETTINGS_H

#include "smsd/gateway.h"
#include "smsd/limits.h"
#include "smsd/mail_template.h"
#include "smsd/route.h"

/* The listener for receipts; `listen` "": there is none. */
struct receipt_settings {
	char listen[64], url[256], user[64], certificate[256], key[256];
};

struct smsd_settings {
	char socket[108], user[64], clients[256], allowed_countries[1024];
	int64_t each_hour[LIMIT_SCOPES], each_day[LIMIT_SCOPES]; /* by enum limit_scope */
	int64_t budget_hour, budget_day, parallel, max_waiting, max_watched, drain, used_watch;
	char templates_dir[256];
	bool autofill, sandbox;
	struct receipt_settings receipts;
	struct mail_templates *templates;

	struct gateway *gateways[GATEWAYS_MAX];
	size_t n_gateways;
};

extern const struct opt_schema *smsd_settings_schema(void);

/* Read `file` and the *.conf of the directory gateways.d beside it; open every
 * gateway; read the templates of e-mails. shared[i]: what driver i set up; all NULL only checks.
 * 0 or an error with err. */
int smsd_settings_load(const char *file, void *const *shared, struct smsd_settings **settings_r,
	char err[OPT_ERROR_MAX]);
void smsd_settings_free(struct smsd_settings **settings);

#endif
