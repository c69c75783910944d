/* A PAM application for tests: does what standard input says and shows what the
 * module says, line by line. Run under pam_wrapper.
 *
 *   start SERVICE USER [noconv]      pam_start
 *   item NAME VALUE                  NAME: rhost tty ruser user
 *   putenv NAME=VALUE                into the PAM environment
 *   do authenticate|account|setcred|open|silent|close        -> = CODE
 *   env NAME                         -> v VALUE, or -
 *   arm N                            the Nth allocation from here on fails
 *   armed                            -> v N: failures that happened
 *   end
 *
 * During `do`: "on TEXT" and "off TEXT" are prompts (echo), to be answered by a
 * line: a text, !none (no response), !null (no array) or !fail (PAM_CONV_ERR);
 * "info TEXT" and "error TEXT" are messages. Texts are escaped: \n \\ \xNN. */
#include <ctype.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpamtest.h>
#include <security/pam_appl.h>
#include <security/pam_modules.h>

#define LINE 8192

static pam_handle_t *pamh;

/* alloc_fail.c, if it is preloaded. */
static void (*arm)(long n);
static long (*armed)(void);

static void show(const char *what, const char *text)
{
	printf("%s ", what);
	for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
		if (*s == '\n')
			printf("\\n");
		else if (*s == '\\')
			printf("\\\\");
		else if (*s < ' ' || *s > 126)
			printf("\\x%02x", *s);
		else
			putchar(*s);
	}
	putchar('\n');
	fflush(stdout);
}

static int hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

static void unescape(char *s)
{
	char *to = s;
	for (; *s; s++) {
		if (*s != '\\') {
			*to++ = *s;
		} else if (s[1] == 'n') {
			*to++ = '\n';
			s++;
		} else if (s[1] == 'x') {
			*to++ = (char)(hex(s[2]) << 4 | hex(s[3]));
			s += 3;
		} else {
			*to++ = *++s;
		}
	}
	*to = '\0';
}

static bool read_line(char *line)
{
	if (!fgets(line, LINE, stdin))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

static int converse(
	int n, const struct pam_message **messages, struct pam_response **responses_r, void *unused)
{
	char line[LINE];
	(void)unused;
	*responses_r = calloc((size_t)n, sizeof **responses_r);
	for (int i = 0; i < n; i++) {
		const struct pam_message *m = messages[i];
		if (m->msg_style == PAM_ERROR_MSG || m->msg_style == PAM_TEXT_INFO) {
			show(m->msg_style == PAM_ERROR_MSG ? "error" : "info", m->msg);
			continue;
		}
		show(m->msg_style == PAM_PROMPT_ECHO_ON ? "on" : "off", m->msg);
		if (!read_line(line) || !strcmp(line, "!fail"))
			return PAM_CONV_ERR;
		if (!strcmp(line, "!null")) {
			free(*responses_r);
			*responses_r = NULL;
			return PAM_SUCCESS;
		}
		unescape(line);
		if (*responses_r && strcmp(line, "!none") != 0)
			(*responses_r)[i].resp = strdup(line);
	}
	return PAM_SUCCESS;
}

static void start(char *words)
{
	static struct pam_conv conv;
	char service[65], user[600] = "", how[16] = "";
	sscanf(words, "%64s %599s %15s", service, user, how);
	conv.conv = strcmp(how, "noconv") ? converse : NULL;
	unescape(user);
	printf("= %d\n", pam_start(service, user, &conv, &pamh));
}

static void set_item(char *words)
{
	static const struct {
		const char *name;
		int item;
	} items[] = { { "rhost", PAM_RHOST }, { "tty", PAM_TTY }, { "ruser", PAM_RUSER },
		{ "user", PAM_USER } };
	char *value = strchr(words, ' ');
	*value++ = '\0';
	unescape(value);
	for (size_t i = 0; i < sizeof items / sizeof *items; i++)
		if (!strcmp(items[i].name, words))
			pam_set_item(pamh, items[i].item, value);
	printf("= 0\n");
}

static void operate(const char *words)
{
	static const struct {
		const char *name;
		enum pamtest_ops op;
		int flags;
	} ops[] = {
		{ "authenticate", PAMTEST_AUTHENTICATE, 0 },
		{ "account", PAMTEST_ACCOUNT, 0 },
		{ "setcred", PAMTEST_SETCRED, PAM_ESTABLISH_CRED },
		{ "open", PAMTEST_OPEN_SESSION, 0 },
		{ "silent", PAMTEST_OPEN_SESSION, PAM_SILENT },
		{ "close", PAMTEST_CLOSE_SESSION, 0 },
	};
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		/* Without the first it would end the transaction. Success is what the
		 * second is compared with; what came back is in op_rv. */
		struct pam_testcase tests[] = {
			{ .pam_operation = PAMTEST_KEEPHANDLE },
			{ .pam_operation = ops[i].op, .flags = ops[i].flags },
		};
		if (strcmp(words, ops[i].name) != 0)
			continue;
		enum pamtest_err r = _pamtest("", "", NULL, tests, 2, pamh);
		printf("= %d\n",
			r == PAMTEST_ERR_OK || r == PAMTEST_ERR_CASE ? tests[1].op_rv : -(int)r);
		return;
	}
	printf("= -1\n");
}

static void show_value(const char *value)
{
	if (value)
		show("v", value);
	else
		printf("-\n");
}

static void obey(char *line)
{
	char *words = line + strcspn(line, " ");
	if (*words)
		*words++ = '\0';
	if (!strcmp(line, "start")) {
		start(words);
	} else if (!strcmp(line, "item")) {
		set_item(words);
	} else if (!strcmp(line, "putenv")) {
		printf("= %d\n", pam_putenv(pamh, words));
	} else if (!strcmp(line, "do")) {
		operate(words);
	} else if (!strcmp(line, "env")) {
		show_value(pam_getenv(pamh, words));
	} else if (!strcmp(line, "arm")) {
		arm(atol(words));
		printf("= 0\n");
	} else if (!strcmp(line, "armed")) {
		printf("v %ld\n", armed());
		arm(0);
	} else if (!strcmp(line, "end")) {
		printf("= %d\n", pam_end(pamh, PAM_SUCCESS));
		pamh = NULL;
	}
	fflush(stdout);
}

int main(void)
{
	static char line[LINE];
	*(void **)&arm = dlsym(RTLD_DEFAULT, "alloc_fail_arm");
	*(void **)&armed = dlsym(RTLD_DEFAULT, "alloc_fail_count");
	while (read_line(line))
		obey(line);
	return 0;
}
