/* pam-try FOLDER SERVICE USER [FROM]: a login on this terminal through the stack of a
 * folder of PAM files: auth and account, never a session. Says on its last line what
 * came of it; 0: let in, 1: refused, 2: it could not be tried. */
#include <security/pam_appl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define LINE_LEN 512 /* what libpam takes (PAM_MAX_RESP_SIZE) */

static struct termios before;
static volatile sig_atomic_t quiet;

/* Ended while the echo is off: the terminal gets it back. */
static void restore(int sig)
{
	if (quiet)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void echo(bool on)
{
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &t))
		return;
	if (!on) {
		before = t;
		t.c_lflag &= ~(tcflag_t)ECHO;
	} else {
		t = before;
	}
	quiet = !on;
	tcsetattr(STDIN_FILENO, TCSANOW, &t);
	if (on)
		fputc('\n', stderr);
}

/* One line of the person's; NULL: end of input, no memory. */
static char *ask(const char *prompt, bool shown)
{
	char line[LINE_LEN] = "", *answer;
	bool got;

	if (!shown) /* before the prompt: who is quick is not shown either */
		echo(false);
	fputs(prompt, stderr);
	fflush(stderr);
	got = fgets(line, sizeof line, stdin) != NULL;
	if (!shown)
		echo(true);
	line[strcspn(line, "\r\n")] = 0;
	answer = got ? strdup(line) : NULL;
	explicit_bzero(line, sizeof line);
	return answer;
}

static int converse(int n, const struct pam_message **m, struct pam_response **r, void *arg)
{
	struct pam_response *answers =
		n > 0 && n <= PAM_MAX_NUM_MSG ? calloc((size_t)n, sizeof *answers) : NULL;
	int result = answers ? PAM_SUCCESS : PAM_BUF_ERR;

	(void)arg;
	for (int i = 0; i < n && result == PAM_SUCCESS; i++)
		switch (m[i]->msg_style) {
		case PAM_PROMPT_ECHO_OFF:
		case PAM_PROMPT_ECHO_ON:
			answers[i].resp = ask(m[i]->msg, m[i]->msg_style == PAM_PROMPT_ECHO_ON);
			if (!answers[i].resp)
				result = PAM_CONV_ERR;
			break;
		default:
			fprintf(stderr, "%s\n", m[i]->msg);
		}
	if (result == PAM_SUCCESS) {
		*r = answers;
		return result;
	}
	for (int i = 0; answers && i < n; i++)
		if (answers[i].resp) {
			explicit_bzero(answers[i].resp, strlen(answers[i].resp));
			free(answers[i].resp);
		}
	free(answers);
	return result;
}

int main(int argc, char **argv)
{
	const struct pam_conv conv = { converse, NULL };
	const char *phase = "auth", *tty, *strength;
	pam_handle_t *pam = NULL;
	int r;

	if (argc < 4 || argc > 5) {
		fprintf(stderr, "magotpctl try starts this; see magotpctl(8)\n");
		return 2;
	}
	signal(SIGINT, restore);
	signal(SIGTERM, restore);
	setvbuf(stdin, NULL, _IONBF, 0); /* no password stays in a buffer */
	r = pam_start_confdir(argv[2], argv[3], &conv, argv[1], &pam);
	if (r != PAM_SUCCESS) {
		printf("start %d cannot read the stack\n", r);
		return 2;
	}
	tty = ttyname(STDIN_FILENO);
	if (tty)
		(void)pam_set_item(pam, PAM_TTY, tty);
	if (argc == 5)
		(void)pam_set_item(pam, PAM_RHOST, argv[4]);
	r = pam_authenticate(pam, 0);
	if (r == PAM_SUCCESS) {
		phase = "account";
		r = pam_acct_mgmt(pam, 0);
	}
	strength = pam_getenv(pam, "MAGOTP_STRENGTH");
	printf("%s %d %s\n", phase, r,
		r != PAM_SUCCESS ? pam_strerror(pam, r)
		: strength       ? strength
				 : "password");
	(void)pam_end(pam, r);
	return r == PAM_SUCCESS ? 0 : 1;
}
