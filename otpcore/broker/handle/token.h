/* What the files about tokens, apps and recovery codes share. */
#ifndef BROKER_HANDLE_TOKEN_H
#define BROKER_HANDLE_TOKEN_H

#include "otpcore/broker/handle/phone.h"
#include "otpcore/engine/lifecycle.h"
#include "otpcore/engine/licence.h"
#include "otpcore/engine/token.h"

/* H13: wrong activations in a row until only an administrator can help. */
#define ACTIVATION_TRIES 5

/* As whom the peer acts on this account: on the own one it is the user. Root is
 * always an administrator. */
enum actor token_actor(const struct request *r);
/* The token that a request names; NULL: answered. */
struct token *token_asked(struct request *r, struct aggregate *a, const char *id);
/* The life cycle says no: the verdict, and the state where the verdict does not name it. */
void token_refuse(struct request *r, enum verdict v, const char *state);
/* The same after the claim, by the row's id; NULL if it is not there. */
struct token *token_by_row(struct aggregate *a, int64_t id);
/* The account's token of a kind that is not revoked; NULL. */
struct token *token_held(struct aggregate *a, int64_t kind);

/* The windows of [hardware]; the seed, opened. 0 or MAG_ECRYPTO. */
void token_windows_of(const struct settings *s, struct token_windows *w_r);
int token_seed(struct request *r, const struct token *t, struct mag_secret *seed_r);
/* Judges two consecutive codes; right ones are burnt: fields of `t` change, the
 * caller marks it. VERDICT_NONE: the seed could not be opened. */
enum verdict token_pair(struct request *r, struct token *t, const struct mag_secret *code1,
	const struct mag_secret *code2);

/* What lies beneath a new token of this kind (K1, H10, K4), made here where keys
 * are not used; marked. `assigned`: an administrator meant it for this account.
 * NULL: a licence is needed. With `make` 0 nothing is made: is there one at all? */
struct licence_ask {
	int64_t kind; /* enum token_kind */
	bool assigned, make;
};
bool token_licensed(struct request *r, struct aggregate *a, const struct licence_ask *ask);
struct subscription *token_licence(
	struct request *r, struct aggregate *a, const struct licence_ask *ask);

/* The right codes were given (`guard`: LIFE_HAS_PAIR or _CODE): active from now on, or
 * held where the subscription waits for proofing (I1); marked, and the owner is told.
 * VERDICT_OK, or why not: a message before this one has done it. */
enum verdict token_activate(
	struct request *r, struct aggregate *a, struct token *t, enum life_guard guard);

/* The one that token_licence() made in this request does not stay behind. */
void token_licence_undo(struct request *r, struct aggregate *a, int64_t made);

/* A line for lists. `account` may be NULL. */
struct token_line {
	const struct token *token;
	const char *state, *account;
	int64_t expires;
	enum actor who;
};
void token_fill(const struct token_line *l, struct wire_token *w_r);
/* enum token_state of a word; 0 if there is none. */
int64_t token_state_of(const char *id);

/* ---- sponsor.c ---- */

/* K4: registered in time, it runs its year from the day it was granted. */
void sponsor_taken(struct request *r, struct subscription *s);
/* Is this a sponsorship that nobody has registered yet? */
bool sponsor_waits(const struct subscription *s);
/* The one that this key was made for, registered without it maybe; NULL: it lapsed. */
struct subscription *sponsor_of(struct aggregate *a, const struct licence *l, int64_t now);
/* Runs until `expires` from now on; its expired tokens are active again (H9). */
void subscription_renew(
	struct request *r, struct aggregate *a, struct subscription *s, int64_t expires);

/* ---- mail: what the owner is told of ---- */

/* A notice of this kind about a token; `more`: further "name=value" lines. Where
 * the kind is switched off, or the account has no address, none is written. */
void token_mail(struct request *r, const struct aggregate *a, const char *kind, const char *more);
/* "token 3401": how messages call it. */
char *token_name(const struct token *t, char *buf, size_t cap);

/* token_stock.c */
void token_stage_decide(struct request *r);
void token_stage_after(struct request *r);
void token_commit_decide(struct request *r);
void token_commit_after(struct request *r);
int token_list_want(struct request *r);
void token_list_decide(struct request *r);
void token_list_after(struct request *r);
void token_show_decide(struct request *r);
void token_show_after(struct request *r);
int token_assign_want(struct request *r);
void token_assign_decide(struct request *r);
/* token_add.c */
/* A token that is activated; without code1 only its serial is looked at. */
struct token_adding {
	struct aggregate *a;
	const char *serial, *label;
	const struct mag_secret *code1, *code2;
	/* O5: the key that was typed pays; NULL: what the account has. */
	struct subscription *(*pays)(struct request *r, struct aggregate *a);
};
/* r->state in between; places from TOKEN_ADD_STATE on are the caller's. */
#define TOKEN_ADD_STATE 6
void token_add_try(struct request *r, const struct token_adding *x);
/* The serial is not one that this account may have: charged, and told. */
void token_add_unknown(struct request *r, const struct token_adding *x);
/* In settle. The token if it is active now. */
struct token *token_add_close(struct request *r, struct wire_token_add_rep *p);
int token_add_want(struct request *r);
void token_add_decide(struct request *r);
void token_add_settle(struct request *r);
/* token_life.c */
void token_mine_decide(struct request *r);
void token_resync_decide(struct request *r);
void token_resync_settle(struct request *r);
void token_suspend_decide(struct request *r);
void token_resume_decide(struct request *r);
int token_revoke_want(struct request *r);
void token_revoke_decide(struct request *r);
int token_unlock_want(struct request *r);
void token_unlock_decide(struct request *r);
/* mobile_seed.c */
#define MOBILE_DIGITS 6
#define MOBILE_PERIOD 30 /* what every app assumes */
/* A seed for the account's app, sealed into its row (the caller marks it), and the address
 * "otpauth://..." of it; the same again from the row. 0 or < 0. */
int mobile_seed_new(struct request *r, const struct account *account, struct token *t,
	struct mag_secret *uri_r);
int mobile_seed_again(struct request *r, const struct account *account, const struct token *t,
	struct mag_secret *uri_r);
/* mobile.c */
/* The row of an app that waits for its code, maybe a new one. paid: no licence is looked
 * for. NULL: answered. */
struct token *mobile_place(struct request *r, struct aggregate *a, bool paid);
/* The code that binds it; `pays` as in struct token_adding. */
struct mobile_adding {
	struct aggregate *a;
	const struct mag_secret *code;
	struct subscription *(*pays)(struct request *r, struct aggregate *a);
};
void mobile_confirm_try(struct request *r, const struct mobile_adding *x);
/* In settle. The app if it is active now. */
struct token *mobile_confirm_close(struct request *r, struct wire_mobile_confirm_rep *p);
int mobile_add_want(struct request *r);
void mobile_add_decide(struct request *r);
void mobile_confirm_decide(struct request *r);
void mobile_confirm_settle(struct request *r);
/* recovery.c */
int recovery_codes_want(struct request *r);
void recovery_codes_decide(struct request *r);
void break_glass_decide(struct request *r);
void break_glass_after(struct request *r);
/* sponsor.c */
void sponsor_decide(struct request *r);
void sponsor_delivered(struct request *r, unsigned delivery);
void renew_decide(struct request *r);

#endif
