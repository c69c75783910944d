/* magotpctl: what administrators do. */
#include <locale.h>

#include "magotp/cmd.h"
#include "magotp/enabled.h"
#include "otpcore/base/text.h"

#define ACCOUNT_OPTS                                                                               \
	{ "--email", "ADDRESS", "where mail about the account goes" },                             \
		{ "--first", "NAME", "first name" }, { "--middle", "NAME", "middle name" },        \
		{ "--last", "NAME", "last name" }, { "--postal-code", "CODE", "postal code" },     \
		{ "--lang", "LANG", "language of texts and calls" },                               \
		{ "--org", "NAME", "organisation" }, { "--country", "CC", "country, such as US" }, \
	{                                                                                          \
		"--role", "ROLE", "user, application-admin, organisation-admin, proofing-agent"    \
	}

static const struct cli_opt account_opts[] = {
	ACCOUNT_OPTS,
	{ NULL, NULL, NULL },
};
static const struct cli_opt set_opts[] = {
	{ "--uid", "UID", "the user id, when the user was made anew" },
	ACCOUNT_OPTS,
	{ NULL, NULL, NULL },
};
static const struct cli_opt list_opts[] = {
	{ "--state", "STATE", "active, pending, pending-registration, locked" },
	{ "--expiring", "DAYS", "those that end within so many days" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt delete_opts[] = {
	{ "--yes", NULL, "do not ask" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt connect_opts[] = {
	{ "--end", NULL, "end it" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt enroll_opts[] = {
	{ "--phone", "NUMBER", "register this phone" },
	{ "--key", "KEY", "use this licence key first; - reads it from stdin" },
	{ "--country", "CC", "the number's country, when it has no +" },
	{ "--voice", NULL, "codes come by voice call" },
	{ "--label", "TEXT", "a name for the phone" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt issue_opts[] = {
	{ "--product", "PRODUCT", CMD_PRODUCTS },
	{ "--proofing", NULL, "with identity proofing" },
	{ "--count", "N", "so many keys (1)" },
	{ "--order", "REF", "the order they belong to" },
	{ "--seats", "N", "the order's prepaid seats in all: each key takes one" },
	{ "--purchased", "DATE", "the day the year counts from (today)" },
	{ "--hold", NULL, "usable once the order is released" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt order_opts[] = {
	{ "--order", "REF", "the order that was paid" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt licences_opts[] = {
	{ "--order", "REF", "of this order only" },
	{ "--state", "STATE", "free, held, used, void" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt voice_opts[] = {
	{ "--voice", NULL, "by voice call" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt send_opts[] = {
	{ "--to", "NUMBER", "the phone" },
	{ "--text", "TEXT", "what to say; - reads a line of stdin" },
	{ "--voice", NULL, "by voice call" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt explain_opts[] = {
	{ "--from", "ADDR", "as if coming from this address" },
	{ "--last", "USER", "why the latest login of USER ended as it did" },
	{ "--pam-dir", "DIR", "where PAM's files are (/etc/pam.d)" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt show_opts[] = {
	{ "--changed", NULL, "only what the files say" },
	{ NULL, NULL, NULL },
};

static const struct cli_opt import_opts[] = {
	{ "--format", "FORMAT", "pskc or csv; else told by the content" },
	{ "--key-file", "FILE", "the pre-shared key, raw or in hex" },
	{ "--password-file", "FILE", "the password, its first line" },
	{ "--org", "NAME", "the organisation they belong to" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt tokens_opts[] = {
	{ "--state", "STATE", "stock, active, locked, suspended, expired, revoked" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt reason_opts[] = {
	{ "--reason", "TEXT", "why; it is recorded" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt revoke_opts[] = {
	{ "--reason", "TEXT", "why; it is recorded" },
	{ "--yes", NULL, "do not ask" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt sponsor_opts[] = {
	{ "--product", "PRODUCT", CMD_PRODUCTS },
	{ "--proofing", NULL, "with identity proofing" },
	{ "--until", "DATE", "the day by which it must be registered" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt proof_opts[] = {
	{ "--method", "METHOD", "webcam, credit or in-person" },
	{ "--agent", "NAME", "who checked the identity; an agent's own name" },
	{ "--name", "TEXT", "the name as it stands on the document" },
	{ "--post", NULL, "credit: located, answers wrong; the code goes by post" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt agent_opts[] = {
	{ "--agent", "NAME", "who does it; an agent's own name" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt fail_opts[] = {
	{ "--method", "METHOD", "webcam, credit or in-person" },
	{ "--reason", "REASON", "not-located, unwilling, disagreed, documents, missed, other" },
	{ "--agent", "NAME", "who does it; an agent's own name" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt schedule_opts[] = {
	{ "--at", "TIME", "when, such as '2026-12-01 14:30'; later: moves it" },
	{ "--method", "METHOD", "webcam or in-person" },
	{ "--confirm", NULL, "it is confirmed" },
	{ "--agent", "NAME", "who does it; an agent's own name" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt glass_opts[] = {
	{ "--reason", "TEXT", "what for; it is recorded" },
	{ "--until", "DATE", "the last day it is good for, or 1y" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt enable_opts[] = {
	{ "--observe", NULL, "only log what would be refused; refuse nobody" },
	{ "--confirm", "TIME", "goes back after TIME unless confirmed (10m)" },
	{ "--dry-run", NULL, "only show the lines" },
	{ "--pam-dir", "DIR", "where PAM's files are (/etc/pam.d)" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt try_opts[] = {
	{ "--from", "ADDR", "as if coming from this address" },
	{ "--pam-dir", "DIR", "where PAM's files are (/etc/pam.d)" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt doctor_opts[] = {
	{ "--service", "SERVICE", "this one; else all that have pam_magotp" },
	{ "--user", "USER", "also whether this one gets in" },
	{ "--strict", NULL, "a warning is a failure, too" },
	{ "--pam-dir", "DIR", "where PAM's files are (/etc/pam.d)" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt report_opts[] = {
	{ "--csv", NULL, "as CSV with a header" },
	{ "--html", "FILE", "as a page" },
	{ "--would-refuse", "SERVICE", "whom a watched service would have refused" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt confirm_opts[] = {
	{ "--login", "USER", "by a session of USER's that came through it just now" },
	{ "--overdue", NULL, "confirm nothing; undo what was not confirmed in time" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt end_opts[] = {
	{ "--all", NULL, "all of them, on every host" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt sweep_opts[] = {
	{ "--dry-run", NULL, "only show what is due" },
	{ "--confirm", NULL, "also do what was held back" },
	{ NULL, NULL, NULL },
};

static const struct cli_opt certificate_opts[] = {
	{ "--class", "CLASS", "bloa, mloa-software or mloa-hardware" },
	{ "--label", "TEXT", "a name for it" },
	{ NULL, NULL, NULL },
};

static const struct cli_opt export_opts[] = {
	{ "--to", "WHERE", "journal or syslog, each value as a field" },
	{ "--after", "N", "records behind this one" },
	{ 0 },
};
static const struct cli_opt audit_opts[] = {
	{ "--last", "N", "so many, from the end; 50 unless said" },
	{ NULL, NULL, NULL },
};

static const struct cli_opt migrate_opts[] = {
	{ "--to", "URL", "the new store: sqlite:/PATH or postgresql://HOST/DATABASE" },
	{ NULL, NULL, NULL },
};

static const struct cli_opt backup_opts[] = {
	{ "--dry-run", NULL, "only see whether it can be done" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt restore_opts[] = {
	{ "--to", "URL", "to this store instead of the one of [store] url" },
	{ "--in-place", NULL, "put right the store that is there: it was rolled back" },
	{ "--journal", "FILE", "what was spent since; of every broker, one option each" },
	{ "--snapshot", NULL, "the journals went back as well: rely on none" },
	{ "--dry-run", NULL, "say what would become of it" },
	{ NULL, NULL, NULL },
};

static const struct cli_opt host_add_opts[] = {
	{ "--services", "LIST", "the services that it may ask for (all)" },
	{ "--accounts", "LIST", "names with * and ?, or @ORGANISATION (all)" },
	{ "--self-service", NULL, "people may also manage their own account from there" },
	{ "--offline", "NAMES", "accounts whose tokens it may use while no auth host answers" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt host_set_opts[] = {
	{ "--services", "LIST", "the services that it may ask for; '*' is all" },
	{ "--accounts", "LIST", "names with * and ?, or @ORGANISATION; '*' is all" },
	{ "--self-service", "yes|no", "may people also manage their own account from there?" },
	{ "--offline", "NAMES",
		"whose tokens it may use while no auth host answers; '' is nobody" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt host_enroll_opts[] = {
	{ "--upstream", "HOST:PORT", "the auth host, if magotp.conf does not name it yet" },
	{ NULL, NULL, NULL },
};

static const struct cli_opt rotate_opts[] = {
	{ "--master", "SOURCE", "change the master key, to file:/FILE or tpm:/FILE" },
	{ "--dry-run", NULL, "change nothing" },
	{ NULL, NULL, NULL },
};

static const struct verb verbs[] = {
	{ "setup", NULL, NULL, "", 0, 0, false, NULL, "Make the master key and the store, once",
		"  magotpctl setup\n", cmd_setup },
	{ "enroll", NULL, NULL, "USER [--phone NUMBER]", 0, 0, true, enroll_opts,
		"Give a user an account and a phone",
		"  magotpctl enroll alice --phone +12025550134\n"
		"  magotpctl enroll alice --key - --phone +12025550134 < key\n",
		cmd_enroll },
	{ "migrate", NULL, NULL, "--to URL", 0, 0, false, migrate_opts,
		"Copy the store to another one, with otpcored stopped",
		"  magotpctl migrate --to 'postgresql:///magotp?host=/run/postgresql'\n"
		"  magotpctl migrate --to sqlite:/var/lib/magotp/otpcore-new.db\n",
		cmd_migrate },
	{ "key", NULL, "list", "", 0, 0, false, NULL,
		"List the keys of the store, and how many rows each has sealed",
		"  magotpctl key list\n", cmd_key_list },
	{ "key", NULL, "rotate", "[--master SOURCE] [--dry-run]", 0, 0, false, rotate_opts,
		"Seal everything with a new key; or wrap the keys by another master key",
		"  magotpctl key rotate\n"
		"  magotpctl key rotate --master file:/etc/magotp/master-2.key\n"
		"  magotpctl key rotate --master tpm:/etc/magotp/master.tpm\n",
		cmd_key_rotate },
	{ "key", NULL, "finish", "", 0, 0, false, NULL,
		"After a change of the master key: the old one opens the store no more",
		"  magotpctl key finish\n", cmd_key_finish },
	{ "backup", NULL, NULL, "FILE", 1, 1, false, backup_opts,
		"Copy the store to a file, also while otpcored serves",
		"  magotpctl backup /root/otpcore-2026-11-22.backup\n", cmd_backup },
	{ "restore", NULL, NULL, "FILE | --in-place", 0, 1, false, restore_opts,
		"Make a store of a backup, where none is; what was spent since stays spent",
		"  magotpctl restore /root/otpcore-2026-11-22.backup\n"
		"  magotpctl restore a.backup --to sqlite:/srv/drill/otpcore.db --dry-run\n"
		"  magotpctl restore a.backup --journal auth1.journal --journal auth2.journal\n"
		"  magotpctl restore --in-place --snapshot\n",
		cmd_restore },
	{ "account", NULL, "add", "USER", 0, 0, true, account_opts, "Add an account",
		"  magotpctl account add alice\n"
		"  magotpctl account add alice --email alice@example.org --org Example\n",
		cmd_account_add },
	{ "account", NULL, "set", "USER", 0, 0, true, set_opts,
		"Change an account; an empty value empties the field",
		"  magotpctl account set alice --lang en\n"
		"  magotpctl account set alice --email ''\n",
		cmd_account_set },
	{ "account", NULL, "show", "USER", 0, 0, true, NULL, "Show one account",
		"  magotpctl account show alice\n", cmd_account_show },
	{ "account", NULL, "list", "", 0, 0, false, list_opts, "List accounts",
		"  magotpctl account list\n"
		"  magotpctl account list --state pending\n"
		"  magotpctl account list --expiring 30 --json\n",
		cmd_account_list },
	{ "account", NULL, "delete", "USER", 0, 0, true, delete_opts,
		"Delete an account with all that hangs beneath it",
		"  magotpctl account delete alice --yes\n", cmd_account_delete },
	{ "account", NULL, "connect", "USER PARENT | USER --end", 0, 1, true, connect_opts,
		"Let a person log in with the credentials of the own other account",
		"  magotpctl account connect alice-admin alice\n"
		"  magotpctl account connect alice-admin --end\n",
		cmd_account_connect },
	{ "org", NULL, "list", "[ORGANISATION]", 0, 1, false, NULL,
		"List organisations and the terms they have accepted",
		"  magotpctl org list\n"
		"  magotpctl org list \"Acme Ltd\"\n",
		cmd_org_list },
	{ "org", NULL, "accept-terms", "ORGANISATION APPLICATION [--yes]", 2, 2, false, delete_opts,
		"Accept the terms of an application for an organisation",
		"  magotpctl org accept-terms \"Acme Ltd\" portal\n", cmd_org_accept },
	{ "certificate", NULL, "list", "USER", 0, 0, true, NULL, "List somebody's certificates",
		"  magotpctl certificate list alice\n", cmd_certificate_list },
	{ "certificate", NULL, "add", "USER FILE --class CLASS", 1, 1, true, certificate_opts,
		"Register a certificate for somebody",
		"  magotpctl certificate add alice alice.pem --class mloa-hardware\n",
		cmd_certificate_add },
	{ "certificate", NULL, "delete", "USER ID [--yes]", 1, 1, true, delete_opts,
		"Take a certificate away", "  magotpctl certificate delete alice c1 --yes\n",
		cmd_certificate_delete },
	{ "license", "licence", "issue", "--product PRODUCT [--count N]", 0, 0, false, issue_opts,
		"Issue licence keys; each is shown once",
		"  magotpctl license issue --product phone-us\n"
		"  magotpctl license issue --product phone-intl --count 500 --order A-17 > keys\n"
		"  magotpctl license issue --product phone-us --order A-18 --hold\n",
		cmd_licence_issue },
	{ "license", "licence", "release", "[--order] REF", 0, 1, false, order_opts,
		"Release the held keys of a paid order",
		"  magotpctl license release --order A-18\n", cmd_licence_release },
	{ "license", "licence", "list", "", 0, 0, false, licences_opts, "List licence keys",
		"  magotpctl license list --order A-17\n"
		"  magotpctl license list --state free --json\n",
		cmd_licence_list },
	{ "license", "licence", "void", "[KEY]", 0, 1, false, NULL, "Void a key nobody used",
		"  magotpctl license void -\n", cmd_licence_void },
	{ "phone", NULL, "list", "USER", 0, 0, true, NULL, "Show a user's phones",
		"  magotpctl phone list alice\n", cmd_phone_list },
	{ "phone", NULL, "verify", "USER [ID] [CODE]", 0, 2, true, NULL,
		"Enter the code that a new phone got", "  magotpctl phone verify alice p1 483920\n",
		cmd_phone_verify },
	{ "phone", NULL, "delete", "USER ID", 1, 1, true, NULL, "Delete a user's phone",
		"  magotpctl phone delete alice p2\n", cmd_phone_delete },
	{ "phone", NULL, "test", "USER ID|NUMBER", 1, 1, true, voice_opts,
		"Send a test message to a user's phone", "  magotpctl phone test alice p1\n",
		cmd_phone_test },
	{ "sponsor", NULL, NULL, "USER --product PRODUCT", 0, 0, true, sponsor_opts,
		"Give a user a subscription that is paid for; prints and mails its key",
		"  magotpctl sponsor alice --product hardware --until 2026-12-31\n", cmd_sponsor },
	{ "proofing", NULL, "issue", "USER --method METHOD --name NAME", 0, 0, true, proof_opts,
		"Record a passed identity proofing; prints the activation code",
		"  magotpctl proofing issue alice --method webcam --agent carol \\\n"
		"      --name 'Alice B. Example'\n",
		cmd_proofing_issue },
	{ "proofing", NULL, "reissue", "USER", 0, 0, true, agent_opts,
		"Replace a lost activation code; the old one dies",
		"  magotpctl proofing reissue alice\n", cmd_proofing_reissue },
	{ "proofing", NULL, "fail", "USER --method METHOD --reason REASON", 0, 0, true, fail_opts,
		"Record an identity proofing that was not passed",
		"  magotpctl proofing fail alice --method credit --reason not-located\n",
		cmd_proofing_fail },
	{ "proofing", NULL, "schedule", "USER [--at TIME] [--confirm]", 0, 0, true, schedule_opts,
		"Make, move or confirm an appointment",
		"  magotpctl proofing schedule alice --at '2026-12-01 14:30' --method webcam\n"
		"  magotpctl proofing schedule alice --confirm\n",
		cmd_proofing_schedule },
	{ "proofing", NULL, "list", "", 0, 0, false, NULL, "List who waits for identity proofing",
		"  magotpctl proofing list\n", cmd_proofing_list },
	{ "proofing", NULL, "show", "USER", 0, 0, true, NULL, "Show a user's identity proofing",
		"  magotpctl proofing show alice\n", cmd_proofing_show },
	{ "token", NULL, "import", "FILE", 1, 1, false, import_opts,
		"Import tokens from a PSKC or CSV file, all or nothing",
		"  magotpctl token import tokens.pskc --password-file pw --org Example\n"
		"  magotpctl token import tokens.csv\n",
		cmd_import },
	{ "token", NULL, "list", "[USER]", 0, 1, false, tokens_opts,
		"List the imported tokens, or a user's",
		"  magotpctl token list --state stock\n"
		"  magotpctl token list alice\n",
		cmd_inventory_list },
	{ "token", NULL, "show", "SERIAL", 1, 1, false, NULL, "Show one token",
		"  magotpctl token show 2603401\n", cmd_inventory_show },
	{ "token", NULL, "assign", "SERIAL USER", 2, 2, false, NULL,
		"Keep a token for a user, who activates it",
		"  magotpctl token assign 2603401 alice\n", cmd_inventory_assign },
	{ "suspend", NULL, NULL, "USER [ID|SERIAL]", 0, 1, true, reason_opts,
		"Take a token or app out of use", "  magotpctl suspend alice t1 --reason lost\n",
		cmd_token_suspend },
	{ "resume", NULL, NULL, "USER [ID|SERIAL] [CODE1 CODE2]", 0, 3, true, reason_opts,
		"Let a suspended token or app be used again; with codes after a restore",
		"  magotpctl resume alice t1\n"
		"  magotpctl resume alice t1 481920 113574\n",
		cmd_token_resume },
	{ "revoke", NULL, NULL, "USER [ID|SERIAL]", 0, 1, true, revoke_opts,
		"End a token or app for good",
		"  magotpctl revoke alice t1 --reason stolen --yes\n", cmd_token_revoke },
	{ "unlock", NULL, NULL, "USER [ID|SERIAL]", 0, 1, true, reason_opts,
		"Unlock a token, also after too many tries", "  magotpctl unlock alice t1\n",
		cmd_unlock },
	{ "renew", NULL, NULL, "USER", 0, 1, true, reason_opts,
		"Renew a subscription by a year from its end", "  magotpctl renew alice\n",
		cmd_renew },
	{ "break-glass", NULL, NULL, "USER --reason TEXT --until DATE", 0, 0, true, glass_opts,
		"Make a code for the day when nothing else works",
		"  magotpctl break-glass alice --reason setup --until 1y\n", cmd_break_glass },
	{ "sweep", NULL, NULL, "[--dry-run|--confirm]", 0, 0, false, sweep_opts,
		"Do what the calendar has due",
		"  magotpctl sweep --dry-run\n"
		"  magotpctl sweep --confirm\n",
		cmd_sweep },
	{ "gateway", NULL, "list", "", 0, 0, false, NULL, "Show the gateways and how they do",
		"  magotpctl gateway list\n", cmd_gateway_list },
	{ "gateway", NULL, "limits", "", 0, 0, false, NULL,
		"Show how much of the budgets for messages is used", "  magotpctl gateway limits\n",
		cmd_gateway_limits },
	{ "gateway", NULL, "reset", "BLOCK|all", 1, 1, false, NULL,
		"Send codes again to numbers that did not use them",
		"  magotpctl gateway reset +12025550\n", cmd_gateway_reset },
	{ "gateway", NULL, "test", "NUMBER", 1, 1, false, voice_opts,
		"Send a test message through the gateways",
		"  magotpctl gateway test +12025550134\n", cmd_gateway_test },
	{ "send", NULL, NULL, "--to NUMBER [--voice] --text TEXT", 0, 0, false, send_opts,
		"Send a text of your own",
		"  magotpctl send --to +12025550134 --text 'Maintenance at 18:00'\n", cmd_send },
	{ "explain", NULL, NULL, "SERVICE USER | --last USER", 0, 2, false, explain_opts,
		"Say what would happen at a login, or what did",
		"  magotpctl explain sshd alice --from 203.0.113.7\n"
		"  magotpctl explain --last alice\n",
		cmd_explain },
	{ "enable", NULL, NULL, "SERVICE [--observe|--confirm TIME]", 1, 1, false, enable_opts,
		"Put pam_magotp into a service",
		"  magotpctl enable sshd --dry-run\n"
		"  magotpctl enable sshd --observe\n"
		"  magotpctl enable sshd --confirm 10m\n",
		cmd_enable },
	{ "disable", NULL, NULL, "SERVICE", 1, 1, false, NULL, "Take it out again",
		"  magotpctl disable sshd\n", cmd_disable },
	{ "confirm", NULL, NULL, "[SERVICE]", 0, 1, false, confirm_opts,
		"Keep what was enabled, said from a full login through it", "  magotpctl confirm\n",
		cmd_confirm },
	{ "try", NULL, NULL, "SERVICE USER", 2, 2, false, try_opts,
		"Log in here through a service's stack, before it is enabled",
		"  magotpctl try sshd alice\n"
		"  magotpctl try sshd alice --from 203.0.113.7\n",
		cmd_try },
	{ "doctor", NULL, NULL, "[--service SERVICE] [--user USER]", 0, 0, false, doctor_opts,
		"Look for what is wrong, and say how to put it right",
		"  magotpctl doctor\n"
		"  magotpctl doctor --service sshd --user alice\n"
		"  magotpctl doctor --strict --json\n",
		cmd_doctor },
	{ "report", NULL, NULL, "[--would-refuse SERVICE]", 0, 0, false, report_opts,
		"Who has which credential; whom a watched service would refuse",
		"  magotpctl report --csv > credentials.csv\n"
		"  magotpctl report --html credentials.html\n"
		"  magotpctl report --would-refuse sshd\n",
		cmd_report },
	{ "audit", NULL, "list", "[USER] [--last N]", 0, 1, false, audit_opts,
		"What was decided last, of everybody or of one account; as root",
		"  magotpctl audit list\n"
		"  magotpctl audit list alice --last 200 --json\n",
		cmd_audit_list },
	{ "audit", NULL, "verify", "", 0, 0, false, NULL,
		"Is the audit log what was written: nothing changed, left out, cut off?",
		"  magotpctl audit verify\n", cmd_audit_verify },
	{ "audit", NULL, "export", "[--to journal|syslog] [--after N]", 0, 0, false, export_opts,
		"Every record as a JSON object on a line of its own, or to who collects logs",
		"  magotpctl audit export > audit.jsonl\n"
		"  magotpctl audit export --to journal --after 1200\n",
		cmd_audit_export },
	{ "session", NULL, "list", "[USER]", 0, 1, false, NULL,
		"List who is logged in, with which strength",
		"  magotpctl session list\n"
		"  magotpctl session list alice --json\n",
		cmd_session_list },
	{ "session", NULL, "end", "USER [SID|--all]", 0, 1, true, end_opts,
		"Take a session's strength away; it stops no process",
		"  magotpctl session end alice 41\n"
		"  magotpctl session end alice --all\n",
		cmd_session_end },
	{ "metrics", NULL, NULL, "", 0, 0, false, NULL,
		"Print counters of both daemons for Prometheus",
		"  magotpctl metrics\n"
		"  magotpctl metrics --json\n",
		cmd_metrics },
	{ "host", NULL, "add", "NAME", 1, 1, false, host_add_opts,
		"Let a host become a relay; prints its code, which is good for a day",
		"  magotpctl host add web1 --services sshd,sudo --accounts '@Example'\n"
		"  magotpctl host add db1 --accounts 'dba-*'\n"
		"  magotpctl host add ship1 --offline anna,bert\n",
		cmd_host_add },
	{ "host", NULL, "set", "NAME", 1, 1, false, host_set_opts,
		"Change what a relay may, without a new code; what is not named stays",
		"  magotpctl host set ship1 --offline anna,carl\n"
		"  magotpctl host set web1 --services '*' --self-service no\n",
		cmd_host_set },
	{ "host", NULL, "enroll", "[CODE]", 0, 1, false, host_enroll_opts,
		"Make this host a relay, with the code from an auth host",
		"  magotpctl host enroll --upstream auth1:7443\n"
		"  magotpctl host enroll - < code\n",
		cmd_host_enroll },
	{ "host", NULL, "list", "", 0, 0, false, NULL, "List the hosts that are relays",
		"  magotpctl host list\n", cmd_host_list },
	{ "host", NULL, "revoke", "NAME", 1, 1, false, delete_opts,
		"Refuse a relay from now on, on every auth host", "  magotpctl host revoke web1\n",
		cmd_host_revoke },
	{ "host", NULL, "remove", "NAME", 1, 1, false, delete_opts, "Forget a relay, and refuse it",
		"  magotpctl host remove web1\n", cmd_host_remove },
	{ "lease", NULL, "list", "", 0, 0, false, NULL,
		"List tokens that are a relay's for a while", "  magotpctl lease list\n",
		cmd_lease_list },
	{ "lease", NULL, "end", "USER --reason TEXT", 0, 0, true, reason_opts,
		"Call back the leases of a user's tokens",
		"  magotpctl lease end alice --reason 'back on land'\n", cmd_lease_end },
	{ "config", NULL, "show", "", 0, 0, false, show_opts, "Show every setting and its source",
		"  magotpctl config show\n"
		"  magotpctl config show --changed\n",
		cmd_config_show },
	{ "config", NULL, "check", "", 0, 0, false, NULL, "Check the configuration files",
		"  magotpctl config check\n", cmd_config_check },
	{ "config", NULL, "get", "KEY", 1, 1, false, NULL, "Print one setting",
		"  magotpctl config get phone.code_validity\n"
		"  magotpctl config get service.sshd.require\n",
		cmd_config_get },
	{ "config", NULL, "edit", "", 0, 0, false, NULL,
		"Edit magotp.conf; a wrong one is not put in place", "  magotpctl config edit\n",
		cmd_config_edit },
	{ 0 },
};

int main(int argc, char **argv)
{
	struct cli c = { .program = "magotpctl",
		.summary = "Two-step login, for administrators.\n\n"
			   "  magotpctl setup\n"
			   "  magotpctl enroll alice --phone +12025550134\n"
			   "  magotpctl explain sshd alice",
		.verbs = verbs };

	setlocale(LC_CTYPE, "");
	/* What nobody confirmed in time goes back, whoever notices. */
	if (argc < 2 || !mag_streq(argv[1], "disable"))
		enabled_tend("");
	return cli_main(&c, argc, argv);
}
