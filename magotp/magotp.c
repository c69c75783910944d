/* magotp: a person's own second factors. */
#include <locale.h>

#include "magotp/cmd.h"

static const struct cli_opt status_opts[] = {
	{ "--require", "STRENGTH", "fail unless the session has this strength or profile" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt add_opts[] = {
	{ "--country", "CC", "the number's country, when it has no +" },
	{ "--voice", NULL, "codes come by voice call" },
	{ "--label", "TEXT", "a name of your own for it" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt test_opts[] = {
	{ "--voice", NULL, "by voice call" },
	{ NULL, NULL, NULL },
};

static const struct cli_opt label_opts[] = {
	{ "--label", "TEXT", "a name of your own for it" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt mobile_opts[] = {
	{ "--uri", NULL, "print the otpauth address instead of drawing it" },
	{ "--label", "TEXT", "a name of your own for it" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt connect_opts[] = {
	{ "--accept", "ACCOUNT", "let this account of yours log in with your credentials" },
	{ "--end", NULL, "end it, or take back what was asked" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt agree_opts[] = {
	{ "--agree", NULL, "the requirements were read; do not ask" },
	{ NULL, NULL, NULL },
};
static const struct cli_opt yes_opts[] = {
	{ "--yes", NULL, "do not ask" },
	{ NULL, NULL, NULL },
};

static const struct cli_opt certificate_opts[] = {
	{ "--class", "CLASS", "bloa, mloa-software or mloa-hardware" },
	{ "--key", "FILE", "its private key in PEM, to show that you have it" },
	{ "--label", "TEXT", "a name for it" },
	{ NULL, NULL, NULL },
};

static const struct verb verbs[] = {
	{ "status", NULL, NULL, "[--require STRENGTH]", 0, 0, false, status_opts,
		"Show this session and your factors",
		"  magotp status\n"
		"  magotp status --require phone-otp && deploy\n"
		"  magotp status --json\n",
		cmd_status },
	{ "activate", NULL, NULL, "[KEY]", 0, 1, false, NULL,
		"Use a licence key, a renewal key or an activation code",
		"  magotp activate\n"
		"  echo \"$KEY\" | magotp activate -\n",
		cmd_activate },
	{ "phone", NULL, "list", "", 0, 0, false, NULL, "Show your phones",
		"  magotp phone list\n"
		"  magotp phone list --json\n",
		cmd_phone_list },
	{ "phone", NULL, "add", "[NUMBER]", 0, 1, false, add_opts,
		"Add a phone; a code is sent to it",
		"  magotp phone add +12025550134\n"
		"  magotp phone add '202-555-0134' --country US --label work\n"
		"  magotp phone add +12025557788 --voice\n",
		cmd_phone_add },
	{ "phone", NULL, "verify", "[ID] [CODE]", 0, 2, false, NULL,
		"Enter the code that was sent to a new phone",
		"  magotp phone verify 483920\n"
		"  magotp phone verify p2 483920\n"
		"  echo 483920 | magotp phone verify p2 -\n",
		cmd_phone_verify },
	{ "phone", NULL, "default", "ID", 1, 1, false, NULL, "Choose the phone that Enter takes",
		"  magotp phone default p2\n", cmd_phone_default },
	{ "phone", NULL, "channel", "ID text|voice", 2, 2, false, NULL,
		"Choose how a phone gets its codes", "  magotp phone channel p1 voice\n",
		cmd_phone_channel },
	{ "phone", NULL, "delete", "ID", 1, 1, false, NULL, "Delete a phone",
		"  magotp phone delete p2\n", cmd_phone_delete },
	{ "phone", NULL, "test", "ID|NUMBER", 1, 1, false, test_opts, "Send a test message",
		"  magotp phone test p1\n"
		"  magotp phone test +12025550134 --voice\n",
		cmd_phone_test },
	{ "token", NULL, "list", "", 0, 0, false, NULL, "Show your token and app",
		"  magotp token list\n", cmd_token_mine },
	{ "token", NULL, "add", "[SERIAL] [CODE1 CODE2]", 0, 3, false, label_opts,
		"Activate a token with two consecutive codes",
		"  magotp token add\n"
		"  magotp token add 2603401 481920 113574\n"
		"  printf '481920\\n113574\\n' | magotp token add 2603401 - -\n",
		cmd_token_add },
	{ "token", NULL, "resync", "[ID] [CODE1 CODE2]", 0, 3, false, NULL,
		"Put a locked token right with two consecutive codes",
		"  magotp token resync t1\n"
		"  magotp token resync t1 481920 113574\n",
		cmd_token_resync },
	{ "token", NULL, "suspend", "[ID]", 0, 1, false, NULL,
		"Take a token out of use for a while", "  magotp token suspend t1\n",
		cmd_token_suspend },
	{ "token", NULL, "resume", "[ID] [CODE1 CODE2]", 0, 3, false, NULL,
		"Take a suspended token up again", "  magotp token resume t1 481920 113574\n",
		cmd_token_resume },
	{ "token", NULL, "revoke", "[ID] [--yes]", 0, 1, false, yes_opts,
		"Give a token up for good",
		"  magotp token revoke t1\n"
		"  magotp token revoke t1 --yes\n",
		cmd_token_revoke },
	{ "mobile", NULL, "add", "[--uri]", 0, 0, false, mobile_opts,
		"Bind an app: a QR code to scan, then its code",
		"  magotp mobile add\n"
		"  magotp mobile add --uri\n",
		cmd_mobile_add },
	{ "mobile", NULL, "confirm", "[CODE]", 0, 1, false, NULL, "Enter the code of a new app",
		"  magotp mobile confirm 483920\n", cmd_mobile_confirm },
	{ "mobile", NULL, "suspend", "", 0, 0, false, NULL, "Take the app out of use for a while",
		"  magotp mobile suspend\n", cmd_mobile_suspend },
	{ "mobile", NULL, "resume", "[CODE1 CODE2]", 0, 2, false, NULL, "Take the app up again",
		"  magotp mobile resume 481920 113574\n", cmd_mobile_resume },
	{ "mobile", NULL, "delete", "[--yes]", 0, 0, false, yes_opts, "Give the app up for good",
		"  magotp mobile delete\n", cmd_mobile_delete },
	{ "terms", NULL, NULL, "", 0, 0, false, NULL,
		"Which applications' terms hold for your organisation", "  magotp terms\n",
		cmd_terms },
	{ "proofing", NULL, "request", "[--agree]", 0, 0, false, agree_opts,
		"Ask for identity proofing",
		"  magotp proofing request\n"
		"  magotp proofing request --agree\n",
		cmd_proofing_request },
	{ "proofing", NULL, NULL, "", 0, 0, false, NULL, "Show how your identity proofing stands",
		"  magotp proofing\n"
		"  magotp proofing --json\n",
		cmd_proofing },
	{ "certificate", NULL, "list", "", 0, 0, false, NULL, "List your certificates",
		"  magotp certificate list\n", cmd_certificate_list },
	{ "certificate", NULL, "add", "FILE --class CLASS [--key FILE]", 1, 1, false,
		certificate_opts, "Register a certificate: its key then logs in over ssh",
		"  magotp certificate add alice.pem --class mloa-software\n"
		"  magotp certificate add alice.pem --class mloa-software --key alice.key\n",
		cmd_certificate_add },
	{ "certificate", NULL, "delete", "ID [--yes]", 1, 1, false, yes_opts,
		"Give a certificate up", "  magotp certificate delete c1\n",
		cmd_certificate_delete },
	{ "recovery-codes", NULL, NULL, "", 0, 0, false, NULL,
		"Get ten codes for bad days; earlier ones die", "  magotp recovery-codes\n",
		cmd_recovery_codes },
	{ "connect", NULL, NULL, "[ACCOUNT] [--accept ACCOUNT] [--end]", 0, 1, false, connect_opts,
		"Log in here with the credentials of another account of yours",
		"  magotp connect\n"
		"  magotp connect alice\n"
		"  magotp connect --accept alice-admin\n"
		"  magotp connect --end\n"
		"  magotp connect --end alice-admin\n",
		cmd_connect },
	{ "elevate", NULL, NULL, "[--require STRENGTH] [ID [CODE]] [-- COMMAND...]", 0, -3, false,
		status_opts, "Do the second step now, in this session",
		"  magotp elevate\n"
		"  magotp elevate -- magotp phone list\n"
		"  magotp elevate p1; magotp elevate p1 483920\n",
		cmd_elevate },
	{ 0 },
};

int main(int argc, char **argv)
{
	struct cli c = { .program = "magotp",
		.summary = "Your own second factors.\n\n"
			   "  magotp\n"
			   "  magotp activate\n"
			   "  magotp phone add +12025550134",
		.verbs = verbs };

	setlocale(LC_CTYPE, "");
	return cli_main(&c, argc, argv);
}
