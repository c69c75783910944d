/* Every key of magotp.conf, once: where it goes, its default, its range and
 * its line in `magotpctl config` and in the manual. */
#include "otpcore/settings/table.h"

#include <stddef.h>
#include <string.h>

#define MINUTE 60
#define HOUR   3600
#define DAY    86400
#define YEAR   (365 * DAY)

#define AT(field)         OPT_AT(struct settings, field)
#define IN_SERVICE(field) OPT_AT(struct service_settings, field)
#define NOWHERE           0, 0

static const char *const licence_modes[] = { "required", "automatic", NULL };
static const char *const on_revoke[] = { "reset", "expire", "keep", NULL };
static const char *const factors[] = { "certificate", "phone", "hardware", "mobile", "recovery",
	NULL };
static const char *const mails[] = { "activation", "sponsorship", "login", "reminder", "expiry",
	"suspension", "revocation", "password-reset", "proofing", NULL };
static const char *const service_modes[] = { "separate", "short", "combined", "none", NULL };
static const char *const unenrolled[] = { "deny", "allow", "enroll", NULL };
static const char *const deny_allow[] = { "deny", "allow", NULL };
static const char *const offline[] = { "no", "hardware", NULL };
static const char *const su_targets[] = { "target", "caller", NULL };
static const char *const separators[] = { "comma", "none", NULL };

static const struct opt store_opts[] = {
	{ "url", OPT_TEXT, "sqlite:" LOCALSTATEDIR "/lib/magotp/otpcore.db", 0, 0, NULL, AT(url),
		"where accounts are kept: sqlite:/PATH or postgresql://..." },
	{ "master_key", OPT_TEXT, "file:" SYSCONFDIR "/magotp/master.key", 0, 0, NULL,
		AT(master_key),
		"the key that seals secrets: file:/PATH, credential:NAME or tpm:/PATH" },
	{ "journal", OPT_TEXT, LOCALSTATEDIR "/lib/magotp/journal", 0, 0, NULL, AT(journal),
		"what is spent, for a restore of the store: /PATH, best on another disk; or no" },
	{ 0 },
};

static const struct opt broker_opts[] = {
	{ "socket", OPT_TEXT, RUNDIR "/magotp/otpcored.sock", 0, 0, NULL, AT(socket),
		"the socket that modules and tools connect to" },
	{ "user", OPT_TEXT, "magotp", 0, 0, NULL, AT(user),
		"the user that otpcored becomes when root starts it" },
	{ "verifiers", OPT_TEXT, NULL, 0, 0, NULL, AT(verifiers),
		"users that may log others in, each with its service: www-data:nginx" },
	{ "max_clients", OPT_INT, "1024", 8, 65536, NULL, AT(max_clients),
		"connections at a time" },
	{ "max_clients_per_uid", OPT_INT, "64", 1, 65536, NULL, AT(max_clients_per_uid),
		"connections at a time from one user; root is not counted" },
	{ "listen", OPT_TEXT, NULL, 0, 0, NULL, AT(listen),
		"where relays are served: ADDRESS:7443" },
	{ "max_clients_per_host", OPT_INT, "128", 1, 65536, NULL, AT(max_clients_per_host),
		"requests at a time from one relay" },
	{ "upstream", OPT_TEXT, NULL, 0, 0, NULL, AT(upstream),
		"makes this host a relay of others: tls://auth1:7443,auth2:7443" },
	{ "identity", OPT_TEXT, LOCALSTATEDIR "/lib/magotp/host.pem", 0, 0, NULL, AT(identity),
		"a relay's key and certificate, made by magotpctl host enroll" },
	{ "offline", OPT_ENUM, "no", 0, 0, offline, AT(offline),
		"hardware: a relay without an auth host takes codes of tokens leased to it" },
	{ "offline_hours", OPT_INT, "8", 1, 24, NULL, AT(offline_hours),
		"for how long an auth host leases tokens to a relay" },
	{ "host_identity", OPT_TEXT, NULL, 0, 0, NULL, AT(host_identity),
		"the name of this host; its host name if empty" },
	{ "crypto", OPT_TEXT, NULL, 0, 0, NULL, AT(crypto),
		"which of OpenSSL's algorithms to use, as a property query: fips=yes" },
	{ "sandbox", OPT_BOOL, "yes", 0, 0, NULL, AT(sandbox),
		"give up all files, ports and calls that are not needed" },
	{ 0 },
};

static const struct opt licences_opts[] = {
	{ "mode", OPT_ENUM, "required", 0, 0, licence_modes, AT(mode),
		"required: a phone needs a licence key; automatic: the site has none" },
	{ 0 },
};

static const struct opt phone_opts[] = {
	{ "code_digits", OPT_INT, "6", 6, 8, NULL, AT(code_digits), "digits of a code" },
	{ "code_validity", OPT_DURATION, "2m", 30, 10 * MINUTE, NULL, AT(code_validity),
		"how long a code can be entered after it was asked for" },
	{ "tries", OPT_INT, "3", 1, 10, NULL, AT(tries), "wrong codes until it dies" },
	{ "max_phones", OPT_INT, "3", 1, 3, NULL, AT(max_phones), "phones of one account" },
	{ "autosend", OPT_BOOL, "no", 0, 0, NULL, AT(autosend),
		"send to the default phone without asking which" },
	{ "resend_wait", OPT_DURATION, "20s", 0, 10 * MINUTE, NULL, AT(resend_wait),
		"pause before a code can be asked for again" },
	{ "sends_per_hour", OPT_INT, "10", 1, 100, NULL, AT(sends_per_hour),
		"messages to one account in an hour" },
	{ "sends_per_day", OPT_INT, "40", 1, 2400, NULL, AT(sends_per_day),
		"messages to one account in a day" },
	{ "region_overrides", OPT_TEXT, NULL, 0, 0, NULL, AT(region_overrides),
		"prefixes that belong to another country: +1684=AS +1787=PR" },
	{ 0 },
};

static const struct opt hardware_opts[] = {
	{ "lock_after", OPT_INT, "5", 1, 20, NULL, AT(lock_after),
		"wrong codes in a row until a token locks" },
	{ "resync_fail_limit", OPT_INT, "5", 1, 20, NULL, AT(resync_fail_limit),
		"failed resyncs until an administrator has to reset it" },
	{ "hotp_window", OPT_INT, "10", 1, 100, NULL, AT(hotp_window),
		"codes to look ahead at login (HOTP)" },
	{ "totp_window", OPT_INT, "1", 0, 10, NULL, AT(totp_window),
		"steps to look around at login (TOTP)" },
	{ "resync_window_hotp", OPT_INT, "1000", 10, 10000, NULL, AT(resync_window_hotp),
		"codes to look ahead at resync (HOTP)" },
	{ "resync_window_totp", OPT_INT, "20", 1, 1000, NULL, AT(resync_window_totp),
		"steps to look around at resync (TOTP)" },
	{ 0 },
};

static const struct opt throttle_opts[] = {
	/* NIST SP 800-63B-4: at most 100 failures of one account */
	{ "total_30d", OPT_INT, "20", 1, 100, NULL, AT(total_30d),
		"failures of a credential or account in 30 days" },
	{ "delay", OPT_DURATION, "1s", 0, HOUR, NULL, AT(delay_first),
		"pause after a failure; it doubles with each further one" },
	{ "delay_max", OPT_DURATION, "30s", 0, DAY, NULL, AT(delay_max), "the longest pause" },
	{ "delay_after", OPT_INT, "3", 0, 100, NULL, AT(delay_after),
		"failures before there is a pause" },
	{ "per_source", OPT_INT, "30", 1, 1000000, NULL, AT(per_source),
		"failures from one address in an hour" },
	{ "per_verifier", OPT_INT, "100", 1, 1000000, NULL, AT(per_verifier),
		"messages that one verifier may have sent in an hour" },
	{ "per_relay", OPT_INT, "300", 1, 1000000, NULL, AT(per_relay),
		"messages that one relay may have sent, and failures there, in an hour" },
	{ 0 },
};

static const struct opt lifecycle_opts[] = {
	{ "subscription", OPT_DURATION, "1y", DAY, 10 * YEAR, NULL, AT(subscription),
		"how long a subscription runs" },
	{ "remind_before", OPT_DURATION, "30d", 0, YEAR, NULL, AT(remind_before),
		"when its end is announced" },
	{ "suspended_limit", OPT_DURATION, "60d", DAY, 10 * YEAR, NULL, AT(suspended_limit),
		"how long a token can be suspended until it is revoked" },
	{ "expired_limit", OPT_DURATION, "1y", 0, 10 * YEAR, NULL, AT(expired_limit),
		"how long after expiry a token is revoked" },
	{ "revoke_reminders", OPT_DURATIONS, "30d 15d 3d", 0, YEAR, NULL, AT(revoke_reminders),
		"when a coming revocation is announced" },
	{ "renewal_period", OPT_DURATION, "1y", 0, 10 * YEAR, NULL, AT(renewal_period),
		"how long after expiry a subscription can be renewed" },
	{ "proofing_code", OPT_DURATION, "30d", HOUR, YEAR, NULL, AT(proofing_code),
		"how long the activation code of an identity proofing is good" },
	{ "on_revoke", OPT_ENUM, "reset", 0, 0, on_revoke, AT(on_revoke),
		"what happens to the password when a token is revoked" },
	{ 0 },
};

static const struct opt policy_opts[] = {
	{ "factors", OPT_WORDS, "certificate phone hardware mobile recovery", 0, 0, factors,
		AT(factors), "the order in which factors are offered; the first is the default" },
	{ "help", OPT_TEXT, NULL, 0, 0, NULL, AT(help),
		"a line with a contact, shown with every refusal" },
	{ "language", OPT_TEXT, "en", 0, 0, NULL, AT(language),
		"of login prompts, where the account names none: en, de, fr, es or ja" },
	{ 0 },
};

static const struct opt service_opts[] = {
	{ "require", OPT_TEXT, "phone-otp", 0, 0, NULL, IN_SERVICE(require),
		"the strength, or the profile, that this service needs" },
	{ "level", OPT_INT, "1", 1, 3, NULL, IN_SERVICE(level), "the level that it needs" },
	{ "unenrolled", OPT_ENUM, "deny", 0, 0, unenrolled, IN_SERVICE(unenrolled),
		"what happens to somebody without a second factor" },
	{ "mode", OPT_ENUM, "separate", 0, 0, service_modes, IN_SERVICE(mode),
		"how the code is asked for" },
	{ "skip", OPT_BOOL, "no", 0, 0, NULL, IN_SERVICE(skip),
		"may the second factor be left out?" },
	{ "reuse", OPT_DURATION, "0", 0, DAY, NULL, IN_SERVICE(reuse),
		"how long an earlier login counts" },
	{ "publickey_alone", OPT_ENUM, "deny", 0, 0, deny_allow, IN_SERVICE(publickey_alone),
		"what happens to a login by SSH key alone" },
	{ "exempt_users", OPT_WORDS, NULL, 0, 0, NULL, IN_SERVICE(exempt_users),
		"users that are asked for no second factor" },
	{ "exempt_groups", OPT_WORDS, NULL, 0, 0, NULL, IN_SERVICE(exempt_groups),
		"groups that are asked for no second factor" },
	{ "exempt_networks", OPT_WORDS, NULL, 0, 0, NULL, IN_SERVICE(exempt_networks),
		"networks from which no second factor is asked: 10.0.0.0/8 2001:db8::/32" },
	{ "methods", OPT_INT, "1", 1, 10, NULL, IN_SERVICE(methods),
		"how many registered factors it needs" },
	{ "application", OPT_TEXT, NULL, 0, 0, NULL, IN_SERVICE(application),
		"the application whose terms have to be accepted" },
	{ "su_target", OPT_ENUM, "target", 0, 0, su_targets, IN_SERVICE(su_target),
		"whose factor su asks for" },
	{ "email_login", OPT_BOOL, "no", 0, 0, NULL, IN_SERVICE(email_login),
		"may the e-mail address stand for the user name?" },
	{ "separator", OPT_ENUM, "comma", 0, 0, separators, IN_SERVICE(separator),
		"what stands between password and code in mode combined" },
	{ "observe", OPT_BOOL, "no", 0, 0, NULL, IN_SERVICE(observe),
		"ask and refuse nobody; only note what would have been refused" },
	{ 0 },
};

static const struct opt profile_opts[] = {
	{ "require", OPT_TEXT, NULL, 0, 0, NULL, NOWHERE,
		"the strength that this name stands for" },
	{ 0 },
};

static const struct opt application_opts[] = {
	{ "edition", OPT_INT, "1", 1, 1000000, NULL, OPT_AT(struct application_settings, edition),
		"of its terms; a new one has to be accepted anew" },
	{ "terms", OPT_TEXT, NULL, 0, 0, NULL, OPT_AT(struct application_settings, terms),
		"the file with its terms [/etc/magotp/terms/NAME]" },
	{ 0 },
};

static const struct opt audit_opts[] = {
	{ "file", OPT_TEXT, LOCALSTATEDIR "/lib/magotp/audit.log", 0, 0, NULL, AT(audit_file),
		"every decision, as a chain that shows changes; none: no such file" },
	{ 0 },
};

static const struct opt smsd_opts[] = {
	{ "socket", OPT_TEXT, RUNDIR "/magotp-smsd/smsd.sock", 0, 0, NULL, AT(smsd_socket),
		"the socket of magotp-smsd" },
	{ 0 },
};

static const struct opt mail_opts[] = {
	{ "from", OPT_TEXT, NULL, 0, 0, NULL, AT(mail_from), "the sender of e-mails" },
	{ "enabled", OPT_WORDS,
		"activation sponsorship login reminder expiry suspension revocation "
		"password-reset proofing",
		0, 0, mails, AT(mail_enabled), "the kinds of e-mail that are sent" },
	{ 0 },
};

static const struct opt certificates_opts[] = {
	{ "ca", OPT_TEXT, NULL, 0, 0, NULL, AT(ca), "file with the authorities that are trusted" },
	{ "crl", OPT_TEXT, NULL, 0, 0, NULL, AT(crl), "file with what they revoked" },
	{ "bloa", OPT_WORDS, NULL, 0, 0, NULL, AT(bloa),
		"policies (OIDs) whose certificates are of class bloa" },
	{ "mloa-software", OPT_WORDS, NULL, 0, 0, NULL, AT(mloa_software),
		"and of class mloa-software" },
	{ "mloa-hardware", OPT_WORDS, NULL, 0, 0, NULL, AT(mloa_hardware),
		"and of class mloa-hardware" },
	{ 0 },
};

static const struct opt_section sections[] = {
	{ "store", 0, store_opts, "where everything is kept" },
	{ "broker", 0, broker_opts, "otpcored itself" },
	{ "licences", 0, licences_opts, "licence keys" },
	{ "phone", 0, phone_opts, "codes that are sent to phones" },
	{ "hardware", 0, hardware_opts, "tokens that show codes" },
	{ "throttle", 0, throttle_opts, "how often somebody may be wrong" },
	{ "lifecycle", 0, lifecycle_opts, "dates" },
	{ "policy", 0, policy_opts, "what holds for every service" },
	{ "service", 1, service_opts, "what holds for one PAM service; * for all others" },
	{ "profile", 1, profile_opts, "a name of your own for a strength" },
	{ "application", 1, application_opts, "an application with terms of its own" },
	{ "audit", 0, audit_opts, "what is written down of all that is decided" },
	{ "smsd", 0, smsd_opts, "how messages get to the gateways" },
	{ "mail", 0, mail_opts, "e-mails" },
	{ "certificates", 0, certificates_opts, "certificates" },
	{ 0 },
};

const struct opt_schema settings_schema = { sections };

const struct opt_section *settings_section(const char *name)
{
	const struct opt_section *s = sections;

	while (s->name != NULL && strcmp(s->name, name) != 0)
		s++;
	return s->name == NULL ? NULL : s;
}
