/* What the verbs of both tools share: options, tables, questions, answers. */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otpcore/base/secret.h"
#include "otpcore/base/verdict.h"
#include "otpcore/client/client.h"
#include "otpcore/settings/settings.h"

enum cli_exit {
	CLI_DONE = 0,
	CLI_REFUSED = 1, /* reason and way out on stderr */
	CLI_USAGE = 2,
	CLI_UNREACHABLE = 3, /* no broker */
	CLI_ELEVATE = 4,     /* elevate first */
	CLI_INTERRUPTED = 130,
};

struct cli_opt {
	const char *name;  /* "--phone" */
	const char *value; /* what the value is called; NULL: a flag */
	const char *doc;
};

struct cli;

/* One thing a tool can do. A table of them, ended by noun NULL, is the tool. */
struct verb {
	const char *noun, *alias;   /* "license", "licence" */
	const char *name;           /* "issue"; NULL: the noun is the verb */
	const char *args;           /* "USER [ID]" */
	int min_args, max_args;     /* -(n + 1): n at most, and a command after -- */
	bool user;                  /* the first argument is the account */
	const struct cli_opt *opts; /* ends with name NULL; may be NULL */
	const char *doc;            /* one line */
	const char *examples;       /* lines, each indented by two blanks */
	int (*run)(struct cli *c);  /* returns enum cli_exit */
};

#define CLI_OPTS_MAX 16
#define CLI_ARGS_MAX 64

struct cli {
	const char *program, *summary;
	const struct verb *verbs, *verb;
	const char *config, *socket; /* as given, or NULL */
	bool json;
	const char *columns;
	const char *args[CLI_ARGS_MAX]; /* without the account where verb->user */
	int n_args;
	char **rest; /* after "--"; NULL: nothing */
	const char *values[CLI_OPTS_MAX];
	struct { /* every time one was said, also the second */
		const char *name, *value;
	} said[CLI_ARGS_MAX];
	int n_said;
	char user[257];
	uint32_t uid;
	struct settings *settings;
	struct client client;
	struct wire_result result; /* of the last request */
	struct mag_secret grant;   /* from elevating in this process (P6) */
};

/* Run the tool; the exit code. */
int cli_main(struct cli *c, int argc, char **argv);

/* The value of an option of the verb; "" for a flag that is set; NULL: not set. */
const char *cli_opt(const struct cli *c, const char *name);
/* An option that may be said several times: the value of the nth time, or NULL. */
const char *cli_opt_nth(const struct cli *c, const char *name, int n);
/* A positional argument, or NULL. */
const char *cli_arg(const struct cli *c, int n);

/* A refusal or fault: on stderr, or as an object with --json. Returns `code`. */
int cli_fail(const struct cli *c, int code, const char *id, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* CLI_REFUSED, and below it lines of our own: `more` is not cleaned, the rest is. */
int cli_fail_lines(const struct cli *c, const char *id, const char *more, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int cli_usage(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Something worth knowing beside the answer: stderr, not with --json. */
void cli_note(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A line of the answer: stdout, not with --json. */
void cli_say(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- the broker (cli_call.c) ---- */

/* Read magotp.conf, find the sockets. 0 or an exit code, told. */
int cli_settings(struct cli *c);

/* One request; c->result holds the server's word. CLI_DONE when an answer with
 * error 0 came, whatever the verdict; else an exit code, told. */
int cli_call(struct cli *c, uint16_t message, const void *request, void *reply);
/* The verdict of the last request as an exit code; a refusal is told. */
int cli_verdict(const struct cli *c);
/* Both. */
int cli_request(struct cli *c, uint16_t message, const void *request, void *reply);
/* The sentence for the last result: what happened, what to do next. */
void cli_sentence(const struct cli *c, char *buf, size_t cap);

/* Why a session has no row of its own, for people (login.wire, open). */
const char *cli_session_reason(const char *id);

/* Log in a second time on the terminal (service "elevate"); c->grant is then
 * good for the next requests. require NULL: what the command needs. */
int cli_elevate(struct cli *c, const char *require);
/* cli_request for requests with a grant: elevates once where the broker asks
 * for it and there is a terminal. `grant` points into the request. */
int cli_request_grant(
	struct cli *c, uint16_t message, void *request, struct mag_secret *grant, void *reply);
/* The same as cli_call: the verdict is the caller's to look at. */
int cli_call_grant(
	struct cli *c, uint16_t message, void *request, struct mag_secret *grant, void *reply);

/* ---- questions (cli_term.c) ---- */

bool cli_can_ask(void);
/* Ask for one line. CLI_DONE or an exit code (told): no terminal, end of input. */
int cli_ask(const struct cli *c, const char *prompt, const char *what, struct mag_secret *answer_r);
/* Enter and y mean yes. CLI_DONE: yes; CLI_REFUSED: no (not told). */
int cli_confirm(const struct cli *c, const char *prompt);
/* For what cannot be undone: only y means yes. */
int cli_confirm_no(const struct cli *c, const char *prompt);
/* An argument that may be a secret: the text, "-" = one line of stdin, NULL =
 * asked for. */
int cli_secret(const struct cli *c, const char *arg, const char *prompt, const char *what,
	struct mag_secret *secret_r);
/* Done of all, on a terminal's stderr; total 0 wipes it. */
void cli_progress(const struct cli *c, size_t done, size_t total);

/* ---- tables (cli_table.c) ---- */

enum cell_type { CELL_TEXT, CELL_INT, CELL_BOOL, CELL_MINUTE, CELL_DAY, CELL_WORDS };

struct column {
	const char *title; /* "LAST LOGIN"; NULL: in JSON only */
	const char *key;   /* "last_login" */
	enum cell_type type;
};

struct table;
/* columns end with key NULL and must outlive the table. NULL: no memory. */
struct table *table_new(const struct column *columns);
void table_free(struct table **t);
/* The cells of a row one by one, in the order of the columns. Texts are cleaned
 * for terminals; CELL_WORDS is text that JSON shows as a list ("a, b"). */
void table_text(struct table *t, const char *value);
void table_int(struct table *t, int64_t value);
/* A terminal: aligned with a header. A pipe: tabs, no header, "-" for empty.
 * --json: an array. 0, or CLI_USAGE for unknown --columns. */
int table_print(const struct cli *c, const struct table *t);
/* A list that comes in pages (cli_list.c): asked for until `next` is empty, printed as one
 * table. All is borrowed. CLI_DONE or an exit code, told. */
struct cli_list {
	const struct column *columns;
	uint16_t message;
	void *request;
	char *cursor; /* in the request, of `cap` bytes */
	size_t cap;
	void *page; /* room for a reply; large, so not on the stack */
	size_t page_size;
	const char *next; /* in the page */
	void (*rows)(const struct cli *c, struct table *t, const void *page);
};
int cli_list(struct cli *c, const struct cli_list *l);

/* As table_print, into a buffer: for tests and mixed output. */
char *table_render(const struct table *t, const char *columns, bool terminal);

/* JSON helpers: RFC 3339 or null; the object is printed and freed. */
struct json_object;
struct json_object *cli_json_time(int64_t at);
void cli_json_print(struct json_object **object);
/* The answer of one line to a change that went well (r CLI_DONE): "t1 is active
 * again". Returns r. */
int cli_changed(const struct cli *c, int r, const char *id, const char *what);

/* "2026-11-21" at this second of the local day, or a duration from now ("1y").
 * 0, or -1: neither. */
int cli_day(const char *text, int second, int64_t *at_r);
int cli_until(const char *text, int64_t *at_r);

/* "p2" or "2" -> 2; 0: not a phone's id. */
uint32_t cli_phone_ref(const char *id);
/* "text", "voice" -> "sms", "voice"; NULL: neither. And back, for people. */
const char *cli_channel(const char *word);
const char *cli_channel_word(const char *channel);

/* Run a program and wait. 0 or -1; the exit status (128 + signal). */
int cli_spawn(char *const argv[], int *status_r);
/* Becomes the program, with signals as at a start. Comes back if it cannot be run. */
void cli_become(char *const argv[]);
/* Run the program at a path; what it prints (both streams, cut at cap) and its exit
 * status (128 + signal). 0 or -1. */
int cli_capture(char *const argv[], char *out, size_t cap, int *status_r);
/* Where a program of ours is: beside this one, else in sbin or libexec. */
int cli_own_program(const char *name, char *path, size_t cap);

#endif
