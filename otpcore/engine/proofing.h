/* Identity proofing (I1-I7, H12): what waits for it, what it gives, when it is lost,
 * whom it is about. Pure. */
#ifndef ENGINE_PROOFING_H
#define ENGINE_PROOFING_H

#include "otpcore/engine/licence.h"
#include "otpcore/engine/model.h"

/* ---- subscriptions ---- */

/* Does what hangs beneath it wait (pending-approval)? NULL: no. */
bool proofing_waits(const struct subscription *s);
/* Would an activation code do something for it: is it in force, and wanted or asked? */
bool proofing_open(const struct subscription *s, int64_t now);
/* What a key makes of it (K5): a new subscription waits; one that is in use already
 * loses nothing, its proofing is asked for as an upgrade (I3). */
enum proofing_need proofing_after_key(
	enum proofing_need before, bool with_proofing, bool new_subscription);
/* Has it a phone, token or app that is registered and not given up? What expired,
 * is locked or suspended counts; what is pending activation does not. */
bool proofing_has_credential(const struct aggregate *a, const struct subscription *s);
/* I3, H12: it was proofed, and every credential is gone (not: expired). */
bool proofing_lost(const struct aggregate *a, const struct subscription *s);

/* ---- the activation code: four groups, as keys have six; 80 random bits ---- */

#define PROOFING_GROUPS     4
#define PROOFING_RANDOM_LEN 10
#define PROOFING_TEXT_LEN   KEY_GROUPS_LEN(PROOFING_GROUPS)
void proofing_code_format(
	const unsigned char random[PROOFING_RANDOM_LEN], char text_r[PROOFING_TEXT_LEN + 1]);
/* Is what was typed as long as a code, and so no licence key? */
bool proofing_code_form(const char *typed);
/* As key_parse. */
enum verdict proofing_code_parse(
	const char *typed, char text_r[PROOFING_TEXT_LEN + 1], unsigned *group_r);
int proofing_code_hash(const char text[PROOFING_TEXT_LEN + 1], unsigned char hash_r[HASH_LEN]);
/* VERDICT_OK: issued, in date. PROOFING_CODE_WRONG: not of this account (*row_r
 * NULL), or dead, used or too old (*row_r says which). */
enum verdict proofing_code_judge(struct proofings *p, const unsigned char hash[HASH_LEN],
	int64_t now, struct proofing **row_r);

/* ---- the agent's work ---- */

/* The course that is under way (asked for, an appointment made, missed): the latest;
 * the latest whose code can be entered now. NULL. */
struct proofing *proofing_under_way(struct proofings *p);
struct proofing *proofing_issued(struct proofings *p, int64_t now);

/* I4: NULL if this person may be proofed this way, else why not and what else. */
const char *proofing_method_fault(const struct account *a, enum proofing_method m);
/* May this outcome come of this method (I5, I6)? And what comes next then. */
bool proofing_outcome_fits(enum proofing_outcome o, enum proofing_method m);
enum proofing_method proofing_next(enum proofing_outcome o, enum proofing_method m);

/* I2: is this name, as it stands on a document, the account's? First and last name
 * must be the same, the middle one may be left out or be an initial on either side;
 * upper and lower case and the number of blanks don't matter. */
bool proofing_name_matches(const struct account *a, const char *given);

/* ---- words; "" or 0 if there is none ---- */
const char *proofing_need_id(int64_t need);
const char *proofing_state_id(int64_t state);
const char *proofing_method_id(int64_t method);
enum proofing_method proofing_method_from_id(const char *id);
const char *proofing_outcome_id(int64_t outcome);
enum proofing_outcome proofing_outcome_from_id(const char *id);

#endif
