/* The columns of every table: the field of the row struct, its type, and whether it is
 * written once. */
#include "otpcore/store/columns.h"

#include <stddef.h>

/* clang-format off */
#define SIZE_OF(s, f)    sizeof(((struct s *)0)->f)
#define COLUMN(name, type, fixed, s, f) { name, type, fixed, offsetof(struct s, f), SIZE_OF(s, f) }
#define INT(s, f)        COLUMN(#f, 'i', false, s, f)
#define TEXT(s, f)       COLUMN(#f, 't', false, s, f)
#define BLOB(s, f)       COLUMN(#f, 'b', false, s, f)
#define AS(s, f, name)   COLUMN(name, 't', false, s, f)
#define FIXED_INT(s, f)  COLUMN(#f, 'i', true, s, f)
#define FIXED_TEXT(s, f) COLUMN(#f, 't', true, s, f)
#define FIXED_BLOB(s, f) COLUMN(#f, 'b', true, s, f)
/* clang-format on */

static const struct column account_columns[] = {
	FIXED_TEXT(account, name),
	INT(account, uid),
	INT(account, state),
	INT(account, role),
	BLOB(account, email),
	BLOB(account, email_hash),
	AS(account, first, "first_name"),
	AS(account, middle, "middle_name"),
	AS(account, last, "last_name"),
	TEXT(account, postal),
	TEXT(account, language),
	TEXT(account, organisation),
	TEXT(account, country),
	TEXT(account, parent),
	TEXT(account, parent_asked),
	BLOB(account, enrol_key),
	INT(account, enrol_at),
	INT(account, password_due),
	TEXT(account, password_host),
	FIXED_INT(account, created_at),
};
static const struct column subscription_columns[] = {
	FIXED_INT(subscription, account),
	INT(subscription, product),
	INT(subscription, state),
	INT(subscription, level),
	INT(subscription, proofing),
	INT(subscription, licence),
	INT(subscription, started_at),
	INT(subscription, purchased_at),
	INT(subscription, expires_at),
};
static const struct column phone_columns[] = {
	FIXED_INT(phone, account),
	INT(phone, subscription),
	INT(phone, slot),
	BLOB(phone, number),
	BLOB(phone, number_hash),
	TEXT(phone, masked),
	TEXT(phone, country),
	INT(phone, channel),
	INT(phone, voice_only),
	INT(phone, is_default),
	INT(phone, state),
	INT(phone, state_since),
	INT(phone, last_used_at),
	INT(phone, created_at),
	TEXT(phone, label),
};
static const struct column token_columns[] = {
	FIXED_INT(token, kind),
	FIXED_INT(token, type),
	INT(token, algorithm),
	INT(token, digits),
	INT(token, period),
	FIXED_TEXT(token, serial),
	BLOB(token, secret),
	INT(token, moving),
	INT(token, drift),
	INT(token, account),
	INT(token, subscription),
	INT(token, state),
	INT(token, state_since),
	INT(token, suspended_by),
	FIXED_INT(token, batch),
	TEXT(token, organisation),
	TEXT(token, label),
	INT(token, created_at),
	INT(token, last_used_at),
	INT(token, lease),
	TEXT(token, lease_host),
	INT(token, lease_at),
	INT(token, lease_until),
	INT(token, lease_last),
	INT(token, lease_failed),
	INT(token, lease_closing),
};
static const struct column recovery_columns[] = {
	FIXED_INT(recovery, account),
	FIXED_INT(recovery, kind),
	FIXED_BLOB(recovery, hash),
	FIXED_INT(recovery, created_at),
	INT(recovery, used_at),
	INT(recovery, expires_at),
	TEXT(recovery, reason),
	TEXT(recovery, made_by),
};
static const struct column challenge_columns[] = {
	FIXED_INT(challenge, account),
	INT(challenge, phone),
	INT(challenge, kind),
	INT(challenge, state),
	BLOB(challenge, chain),
	INT(challenge, chain_id),
	BLOB(challenge, nonce),
	INT(challenge, pepper_id),
	INT(challenge, channel),
	FIXED_INT(challenge, created_at),
	INT(challenge, expires_at),
	INT(challenge, delivery),
	INT(challenge, used_at),
};
static const struct column login_columns[] = {
	FIXED_INT(login, account),
	TEXT(login, service),
	TEXT(login, host),
	TEXT(login, rhost),
	INT(login, peer_uid),
	INT(login, state),
	INT(login, strength),
	INT(login, level),
	INT(login, phone),
	INT(login, token),
	INT(login, certificate),
	INT(login, last_seq),
	INT(login, verdict),
	BLOB(login, answer),
	FIXED_INT(login, started_at),
	INT(login, verified_at),
	INT(login, opened_at),
};
static const struct column session_columns[] = {
	FIXED_TEXT(session, boot),
	FIXED_TEXT(session, host),
	FIXED_INT(session, sid),
	INT(session, loginuid),
	INT(session, account),
	INT(session, login),
	INT(session, leader_pid),
	INT(session, leader_start),
	TEXT(session, service),
	TEXT(session, rhost),
	TEXT(session, tty),
	INT(session, strength),
	INT(session, level),
	INT(session, phone),
	INT(session, token),
	INT(session, certificate),
	INT(session, holder),
	INT(session, since),
	INT(session, ended_at),
	INT(session, expires_at),
};
static const struct column licence_columns[] = {
	FIXED_BLOB(licence, hash),
	AS(licence, group, "key_group"),
	INT(licence, product),
	INT(licence, proofing),
	INT(licence, state),
	TEXT(licence, order_ref),
	INT(licence, issued_at),
	INT(licence, purchased_at),
	INT(licence, account),
	INT(licence, used_at),
};
static const struct column proofing_columns[] = {
	FIXED_INT(proofing, account),
	INT(proofing, subscription),
	INT(proofing, state),
	INT(proofing, method),
	INT(proofing, outcome),
	BLOB(proofing, hash),
	TEXT(proofing, agent),
	FIXED_INT(proofing, created_at),
	INT(proofing, agreed_at),
	INT(proofing, appointment_at),
	INT(proofing, decided_at),
	INT(proofing, expires_at),
	INT(proofing, used_at),
};
static const struct column certificate_columns[] = {
	FIXED_INT(certificate, account),
	FIXED_INT(certificate, slot),
	INT(certificate, class),
	INT(certificate, state),
	FIXED_BLOB(certificate, key_hash),
	FIXED_BLOB(certificate, anchor),
	TEXT(certificate, subject),
	TEXT(certificate, issuer),
	TEXT(certificate, serial),
	INT(certificate, not_before),
	INT(certificate, not_after),
	FIXED_INT(certificate, created_at),
	INT(certificate, last_used_at),
	TEXT(certificate, label),
};
static const struct column seats_columns[] = {
	FIXED_TEXT(seats, order_ref),
	INT(seats, seats),
	INT(seats, taken),
};
static const struct column terms_columns[] = {
	FIXED_TEXT(terms, organisation),
	FIXED_TEXT(terms, application),
	INT(terms, edition),
	INT(terms, accepted_at),
	TEXT(terms, accepted_by),
};
static const struct column host_columns[] = {
	FIXED_TEXT(host, name),
	INT(host, state),
	TEXT(host, services),
	TEXT(host, accounts),
	INT(host, self_service),
	TEXT(host, offline),
	BLOB(host, code_hash),
	INT(host, code_expires),
	BLOB(host, print),
	BLOB(host, before),
	INT(host, not_after),
	FIXED_INT(host, created_at),
	INT(host, enrolled_at),
};
static const struct column authority_columns[] = {
	FIXED_BLOB(authority, secret),
	FIXED_INT(authority, created_at),
};
static const struct column data_key_columns[] = {
	FIXED_INT(data_key, kind),
	INT(data_key, state),
	BLOB(data_key, wrapped),
	BLOB(data_key, rewrapped),
	FIXED_INT(data_key, created_at),
	INT(data_key, since),
};
static const struct column mail_columns[] = {
	FIXED_INT(mail, account),
	FIXED_TEXT(mail, once),
	FIXED_TEXT(mail, template),
	TEXT(mail, args),
	INT(mail, state),
	FIXED_INT(mail, created_at),
	INT(mail, next_at),
	INT(mail, attempts),
	INT(mail, sent_at),
};

/* clang-format off */
#define TABLE(s) { #s, sizeof(struct s), sizeof s##_columns / sizeof s##_columns[0], s##_columns }
/* clang-format on */
const struct table row_tables[TABLE_COUNT] = {
	[TABLE_ACCOUNT] = TABLE(account),
	[TABLE_SUBSCRIPTION] = TABLE(subscription),
	[TABLE_PHONE] = TABLE(phone),
	[TABLE_TOKEN] = TABLE(token),
	[TABLE_RECOVERY] = TABLE(recovery),
	[TABLE_CHALLENGE] = TABLE(challenge),
	[TABLE_LOGIN] = TABLE(login),
	[TABLE_SESSION] = TABLE(session),
	[TABLE_LICENCE] = TABLE(licence),
	[TABLE_PROOFING] = TABLE(proofing),
	[TABLE_CERTIFICATE] = TABLE(certificate),
	[TABLE_SEATS] = TABLE(seats),
	[TABLE_TERMS] = TABLE(terms),
	[TABLE_HOST] = TABLE(host),
	[TABLE_AUTHORITY] = TABLE(authority),
	[TABLE_DATA_KEY] = TABLE(data_key),
	[TABLE_MAIL] = TABLE(mail),
};
