-- Schema 2: tokens, apps, recovery codes, mails. The inventory is large and hardly
-- looked through: indexes hold only the rows that somebody looks for.

CREATE TABLE token (
	id BIGINT PRIMARY KEY NOT NULL CHECK (id > 0),
	version BIGINT NOT NULL,
	kind BIGINT NOT NULL CHECK (kind BETWEEN 1 AND 2),
	type BIGINT NOT NULL CHECK (type BETWEEN 1 AND 2),
	algorithm BIGINT NOT NULL,
	digits BIGINT NOT NULL,
	period BIGINT NOT NULL,
	serial TEXT NOT NULL UNIQUE CHECK (length(serial) > 0),
	secret BYTEA NOT NULL,
	moving BIGINT NOT NULL,
	drift BIGINT NOT NULL,
	account BIGINT NOT NULL,
	subscription BIGINT NOT NULL,
	state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 9),
	state_since BIGINT NOT NULL,
	suspended_by BIGINT NOT NULL,
	batch BIGINT NOT NULL,
	organisation TEXT NOT NULL,
	label TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	last_used_at BIGINT NOT NULL
) /*sqlite: STRICT*/;
CREATE INDEX token_account ON token (account, state) WHERE account > 0;
-- H1: an account holds one of each kind that is not revoked.
CREATE UNIQUE INDEX token_one ON token (account, kind) WHERE account > 0 AND state <> 9;
CREATE INDEX token_staged ON token (batch) WHERE state = 1;
CREATE INDEX token_suspended ON token (state_since) WHERE state = 7;

CREATE TABLE recovery (
	id BIGINT PRIMARY KEY NOT NULL CHECK (id > 0),
	version BIGINT NOT NULL,
	account BIGINT NOT NULL CHECK (account > 0),
	kind BIGINT NOT NULL CHECK (kind BETWEEN 1 AND 2),
	hash BYTEA NOT NULL UNIQUE CHECK (length(hash) = 32),
	created_at BIGINT NOT NULL,
	used_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	reason TEXT NOT NULL,
	made_by TEXT NOT NULL
) /*sqlite: STRICT*/;
CREATE INDEX recovery_account ON recovery (account);

CREATE TABLE mail (
	id BIGINT PRIMARY KEY NOT NULL CHECK (id > 0),
	version BIGINT NOT NULL,
	account BIGINT NOT NULL,
	once TEXT NOT NULL UNIQUE CHECK (length(once) > 0),
	template TEXT NOT NULL,
	args TEXT NOT NULL,
	state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 3),
	created_at BIGINT NOT NULL,
	next_at BIGINT NOT NULL,
	attempts BIGINT NOT NULL,
	sent_at BIGINT NOT NULL
) /*sqlite: STRICT*/;
CREATE INDEX mail_waiting ON mail (next_at) WHERE state = 1;
CREATE INDEX mail_account ON mail (account);

CREATE INDEX subscription_due ON subscription (state, expires_at);
ALTER TABLE login ADD COLUMN token BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN token BIGINT NOT NULL DEFAULT 0;

-- Three kinds of counters came in between: the decoy's is 13 now.
DELETE FROM throttle WHERE kind >= 11;
UPDATE throttle SET kind = 13 WHERE kind = 10;
