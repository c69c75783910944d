-- Schema 3: identity proofing, connected accounts, what revocation does to a
-- password, keys that are typed at a first login.

ALTER TABLE account ADD COLUMN country TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN parent TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN parent_asked TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN enrol_key BYTEA NOT NULL DEFAULT /*sqlite: x*/'';
ALTER TABLE account ADD COLUMN enrol_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN password_due BIGINT NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN password_host TEXT NOT NULL DEFAULT '';
CREATE INDEX account_parent ON account (parent) WHERE parent <> '';
CREATE INDEX account_parent_asked ON account (parent_asked) WHERE parent_asked <> '';
CREATE INDEX account_password_due ON account (password_host) WHERE password_due > 0;

CREATE INDEX account_organisation ON account (organisation);

ALTER TABLE session ADD COLUMN holder BIGINT NOT NULL DEFAULT 0;

ALTER TABLE subscription ADD COLUMN proofing BIGINT NOT NULL DEFAULT 0;
CREATE INDEX subscription_proofing ON subscription (account) WHERE proofing IN (1, 2);

CREATE TABLE proofing (
	id BIGINT PRIMARY KEY NOT NULL CHECK (id > 0),
	version BIGINT NOT NULL,
	account BIGINT NOT NULL CHECK (account > 0),
	subscription BIGINT NOT NULL,
	state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 8),
	method BIGINT NOT NULL CHECK (method BETWEEN 0 AND 3),
	outcome BIGINT NOT NULL CHECK (outcome BETWEEN 0 AND 7),
	hash BYTEA NOT NULL,
	agent TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	agreed_at BIGINT NOT NULL,
	appointment_at BIGINT NOT NULL,
	decided_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at BIGINT NOT NULL
) /*sqlite: STRICT*/;
CREATE INDEX proofing_account ON proofing (account, created_at DESC, id);

-- O2: who accepted which edition of an application's terms for an organisation.
CREATE TABLE terms (
	id BIGINT PRIMARY KEY NOT NULL CHECK (id > 0),
	version BIGINT NOT NULL,
	organisation TEXT NOT NULL,
	application TEXT NOT NULL CHECK (length(application) > 0),
	edition BIGINT NOT NULL,
	accepted_at BIGINT NOT NULL,
	accepted_by TEXT NOT NULL,
	UNIQUE (organisation, application)
) /*sqlite: STRICT*/;

-- C1: the key is kept as the hash of what ssh calls it. One account proves a key; others
-- may have named it, without effect.
CREATE TABLE certificate (
	id BIGINT PRIMARY KEY NOT NULL CHECK (id > 0),
	version BIGINT NOT NULL,
	account BIGINT NOT NULL CHECK (account > 0),
	slot BIGINT NOT NULL CHECK (slot BETWEEN 1 AND 4),
	class BIGINT NOT NULL,
	state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 2),
	key_hash BYTEA NOT NULL CHECK (length(key_hash) = 32),
	anchor BYTEA NOT NULL CHECK (length(anchor) = 32),
	subject TEXT NOT NULL,
	issuer TEXT NOT NULL,
	serial TEXT NOT NULL,
	not_before BIGINT NOT NULL,
	not_after BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	last_used_at BIGINT NOT NULL,
	label TEXT NOT NULL,
	UNIQUE (account, slot)
) /*sqlite: STRICT*/;
CREATE UNIQUE INDEX certificate_key ON certificate (key_hash) WHERE state = 2;
CREATE INDEX certificate_named ON certificate (key_hash, account);
ALTER TABLE login ADD COLUMN certificate BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN certificate BIGINT NOT NULL DEFAULT 0;

-- What a service that only watches would have refused; one row for each name and
-- reason, not one for each login.
CREATE TABLE observed (
	service TEXT NOT NULL,
	account TEXT NOT NULL,
	reason TEXT NOT NULL,
	rhost TEXT NOT NULL,
	times BIGINT NOT NULL,
	first_at BIGINT NOT NULL,
	last_at BIGINT NOT NULL,
	PRIMARY KEY (service, account, reason)
) /*sqlite: STRICT*/;

-- The last head of each broker's audit log that was signed.
CREATE TABLE audit_head (
	host TEXT PRIMARY KEY NOT NULL,
	n BIGINT NOT NULL,
	hash BYTEA NOT NULL,
	at BIGINT NOT NULL
) /*sqlite: STRICT*/;

-- K6: orders with a number of prepaid seats; each key takes one.
CREATE TABLE seats (
	id BIGINT PRIMARY KEY NOT NULL CHECK (id > 0),
	version BIGINT NOT NULL,
	order_ref TEXT NOT NULL UNIQUE CHECK (length(order_ref) > 0),
	seats BIGINT NOT NULL,
	taken BIGINT NOT NULL CHECK (taken >= 0)
) /*sqlite: STRICT*/;

-- What one of all brokers does at a time: until then it is the holder's.
CREATE TABLE lease (
	name TEXT PRIMARY KEY NOT NULL,
	holder TEXT NOT NULL,
	until BIGINT NOT NULL,
	version BIGINT NOT NULL
) /*sqlite: STRICT*/;

-- Hosts whose otpcored is a relay (security.md 40), and the one authority that signs
-- their certificates: its private key, sealed.
CREATE TABLE host (
	id BIGINT PRIMARY KEY NOT NULL CHECK (id > 0),
	version BIGINT NOT NULL,
	name TEXT NOT NULL UNIQUE CHECK (length(name) > 0),
	state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 3),
	services TEXT NOT NULL,
	accounts TEXT NOT NULL,
	self_service BIGINT NOT NULL,
	offline TEXT NOT NULL,
	code_hash BYTEA NOT NULL,
	code_expires BIGINT NOT NULL,
	print BYTEA NOT NULL,
	before BYTEA NOT NULL,
	not_after BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	enrolled_at BIGINT NOT NULL
) /*sqlite: STRICT*/;

-- Away from the store (security.md 41): whose a token's codes are for a while. In the
-- token's row: to give a lease and to accept a code are one race.
ALTER TABLE token ADD COLUMN lease BIGINT NOT NULL DEFAULT 0;
ALTER TABLE token ADD COLUMN lease_host TEXT NOT NULL DEFAULT '';
ALTER TABLE token ADD COLUMN lease_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE token ADD COLUMN lease_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE token ADD COLUMN lease_last BIGINT NOT NULL DEFAULT 0;
ALTER TABLE token ADD COLUMN lease_failed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE token ADD COLUMN lease_closing BIGINT NOT NULL DEFAULT 0;
CREATE INDEX token_lease ON token (serial) WHERE lease <> 0;

CREATE TABLE authority (
	id BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
	version BIGINT NOT NULL,
	secret BYTEA NOT NULL,
	created_at BIGINT NOT NULL
) /*sqlite: STRICT*/;

-- What seals rows and tickets, and the peppers: wrapped by the master key; while that is
-- changed, by the next one, too.
CREATE TABLE data_key (
	id BIGINT PRIMARY KEY NOT NULL CHECK (id > 0),
	version BIGINT NOT NULL,
	kind BIGINT NOT NULL CHECK (kind BETWEEN 1 AND 2),
	state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 4),
	wrapped BYTEA NOT NULL,
	rewrapped BYTEA NOT NULL,
	created_at BIGINT NOT NULL,
	since BIGINT NOT NULL
) /*sqlite: STRICT*/;
CREATE UNIQUE INDEX data_key_current ON data_key (kind) WHERE state = 2;

-- In the order in which an account is read: nothing has to be sorted.
DROP INDEX subscription_account;
CREATE INDEX subscription_account ON subscription (account, state, expires_at DESC);
DROP INDEX token_account;
CREATE INDEX token_account ON token (account, (state = 9), state_since DESC, id)
WHERE account > 0;
DROP INDEX recovery_account;
CREATE INDEX recovery_account ON recovery (account, kind, created_at DESC, id);
DROP INDEX challenge_account;
CREATE INDEX challenge_account ON challenge (account, created_at DESC, state, id);
