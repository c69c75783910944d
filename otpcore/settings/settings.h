/* magotp.conf as values. The tables in settings.c are the one place where a
 * key, its default, its range and its one-line description stand. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "otpcore/base/option.h"
#include "otpcore/base/strength.h"

#define MAGOTP_CONF SYSCONFDIR "/magotp/magotp.conf"

enum licence_mode { LICENCES_REQUIRED, LICENCES_AUTOMATIC };
enum on_revoke { ON_REVOKE_RESET, ON_REVOKE_EXPIRE, ON_REVOKE_KEEP };
enum offline { OFFLINE_NO, OFFLINE_HARDWARE };
enum service_mode { MODE_SEPARATE, MODE_SHORT, MODE_COMBINED, MODE_NONE };
enum unenrolled { UNENROLLED_DENY, UNENROLLED_ALLOW, UNENROLLED_ENROLL };

struct settings_verifier {
	uint32_t uid;
	char services[512]; /* words, single blanks between */
};

#define UPSTREAMS_MAX 8
#define RELAY_PORT    7443

struct settings_address {
	char host[65]; /* a name or an address, without brackets; "" (listen): every one */
	uint16_t port;
};

struct settings {
	/* [store] */
	char url[512], master_key[512], journal[256];
	/* [broker] */
	char socket[108], user[64], verifiers[1024], upstream[256], host_identity[256];
	char crypto[128]; /* OpenSSL property query, "fips=yes" */
	bool sandbox;
	int64_t max_clients, max_clients_per_uid, max_clients_per_host;
	char listen[128], identity[256];                           /* of auth hosts; of relays */
	struct settings_address upstreams[UPSTREAMS_MAX], listens; /* of the texts */
	size_t n_upstreams;                                        /* 0: not a relay */
	int offline;                                               /* enum offline: of a relay */
	int64_t offline_hours; /* of an auth host: how long it leases tokens */
	/* [licences] */
	int mode; /* enum licence_mode */
	/* [phone] */
	int64_t code_digits, code_validity, tries, max_phones, resend_wait, sends_per_hour,
		sends_per_day;
	bool autosend;
	char region_overrides[1024]; /* "+1684=AS +1202=US": prefix=region */
	/* [hardware] */
	int64_t lock_after, resync_fail_limit, hotp_window, totp_window, resync_window_hotp,
		resync_window_totp;
	/* [throttle] */
	int64_t total_30d, delay_first, delay_max, delay_after, per_source, per_verifier, per_relay;
	/* [lifecycle] */
	int64_t subscription, remind_before, suspended_limit, expired_limit, renewal_period;
	int64_t proofing_code;
	char revoke_reminders[64];
	int on_revoke; /* enum on_revoke */
	/* [policy] */
	char factors[128], help[128], language[17];
	/* [audit] */
	char audit_file[256];
	/* [smsd] */
	char smsd_socket[108];
	/* [mail] */
	char mail_from[256], mail_enabled[256];
	/* [certificates] */
	char ca[256], crl[256], bloa[512], mloa_software[512], mloa_hardware[512];

	bool defaults;                      /* there is no MAGOTP_CONF */
	struct opt_tree *tree;              /* where each value stands */
	struct settings_verifier *verifier; /* see settings_verifier() */
	size_t n_verifiers;
	struct settings_named *services; /* see settings_service(); the first is "*" */
	size_t n_services;
};

/* [service NAME] over [service *] over the defaults. */
struct service_settings {
	char require[32]; /* strength id or profile name */
	int64_t level, reuse, methods;
	int mode, unenrolled, publickey_alone /* 0 deny 1 allow */, su_target, separator;
	bool skip, email_login, observe;
	char exempt_users[1024], exempt_groups[1024], exempt_networks[1024], application[64];
};

/* One that has a section. */
struct settings_named {
	const char *name; /* borrowed from the tree */
	struct service_settings settings;
};

/* [application NAME]: its terms (O2). */
struct application_settings {
	int64_t edition;
	char terms[256]; /* file; never empty after settings_application() */
};

extern const struct opt_schema settings_schema;

/* 0, or as opt_load and opt_fill with err filled: also for a profile or a
 * service that names an unknown strength, and for networks, verifiers or region
 * overrides that do not parse. file NULL: MAGOTP_CONF; a missing MAGOTP_CONF
 * itself is an empty one, a missing file that was named is an error. Drop-ins
 * are the *.conf files of the directory FILE.d. */
int settings_load(const char *file, struct settings **s_r, char err[OPT_ERROR_MAX]);
/* Again, for who has `old`: a file that was there is to be there still. */
int settings_reload(const char *file, const struct settings *old, struct settings **s_r,
	char err[OPT_ERROR_MAX]);
void settings_free(struct settings **s);

/* What holds for this service. Never fails after settings_load succeeded. */
void settings_service(const struct settings *s, const char *service, struct service_settings *r);

/* An application that services name; one without a section of its own is at its first
 * edition. Never fails after settings_load succeeded. */
void settings_application(
	const struct settings *s, const char *name, struct application_settings *r);
/* The applications that services name, each once, as words; "" if none. */
char *settings_applications(const struct settings *s, char *buf, size_t cap);

/* A strength id or a profile's name -> strength; STRENGTH_NONE if neither. */
enum strength settings_strength(const struct settings *s, const char *name);

/* The services a verifier uid may speak for; "" if it is no verifier. Uids are
 * looked up once, at load. Borrowed, words with single blanks. */
const char *settings_verifier(const struct settings *s, uint32_t uid);

/* "magotp.conf:41 [service sshd]" for what set a key, "default" otherwise.
 * service NULL: a key of the other sections, as "phone.code_digits". */
char *settings_source(
	const struct settings *s, const char *service, const char *key, char *buf, size_t cap);

#endif
