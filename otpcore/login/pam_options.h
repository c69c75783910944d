/* The options of a PAM line: one table. What is not known refuses. */
#ifndef LOGIN_PAM_OPTIONS_H
#define LOGIN_PAM_OPTIONS_H

#include <stdbool.h>

enum option_first { FIRST_STACK, FIRST_PUBLICKEY };
enum option_echo { ECHO_AUTO, ECHO_ON, ECHO_OFF };
enum option_down { DOWN_DENY, DOWN_ALLOW };

/* Texts are borrowed from the PAM line; NULL: not on it. */
struct options {
	const char *require, *mode, *unenrolled;
	const char *password_service, *service, *socket;
	int level, timeout; /* 0: not on the line; timeout in seconds */
	int first, echo, broker_down;
	bool prompt_password, listed_only, debug;
};

#define OPTIONS_ERROR_MAX 256

/* 0, or MAG_ESYNTAX with what is wrong, and the nearest known option, in err. */
int options_parse(int argc, const char **argv, struct options *o_r, char err[OPTIONS_ERROR_MAX]);

#endif
