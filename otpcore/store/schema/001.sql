-- Schema 1. BIGINT, TEXT and BYTEA only; 0 and '' mean "none", never NULL.
-- What stands in /*sqlite: */ is for SQLite alone. Row ids are random 63-bit
-- numbers made by the program, so no table has a sequence.

CREATE TABLE meta (
	name TEXT NOT NULL PRIMARY KEY,
	value BIGINT NOT NULL
) /*sqlite: STRICT, WITHOUT ROWID*/;

CREATE TABLE account (
	id BIGINT PRIMARY KEY NOT NULL CHECK (id > 0),
	version BIGINT NOT NULL,
	name TEXT NOT NULL UNIQUE CHECK (length(name) > 0),
	uid BIGINT NOT NULL,
	state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 3),
	role BIGINT NOT NULL CHECK (role BETWEEN 1 AND 4),
	email BYTEA NOT NULL,
	email_hash BYTEA NOT NULL,
	first_name TEXT NOT NULL,
	middle_name TEXT NOT NULL,
	last_name TEXT NOT NULL,
	postal TEXT NOT NULL,
	language TEXT NOT NULL,
	organisation TEXT NOT NULL,
	created_at BIGINT NOT NULL
) /*sqlite: STRICT*/;
CREATE INDEX account_uid ON account (uid);

CREATE TABLE subscription (
	id BIGINT PRIMARY KEY NOT NULL CHECK (id > 0),
	version BIGINT NOT NULL,
	account BIGINT NOT NULL CHECK (account > 0),
	product BIGINT NOT NULL CHECK (product BETWEEN 1 AND 5),
	state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 3),
	level BIGINT NOT NULL,
	licence BIGINT NOT NULL,
	started_at BIGINT NOT NULL,
	purchased_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
) /*sqlite: STRICT*/;
CREATE INDEX subscription_account ON subscription (account);

CREATE TABLE phone (
	id BIGINT PRIMARY KEY NOT NULL CHECK (id > 0),
	version BIGINT NOT NULL,
	account BIGINT NOT NULL CHECK (account > 0),
	subscription BIGINT NOT NULL,
	slot BIGINT NOT NULL CHECK (slot BETWEEN 1 AND 3),
	number BYTEA NOT NULL,
	number_hash BYTEA NOT NULL,
	masked TEXT NOT NULL,
	country TEXT NOT NULL,
	channel BIGINT NOT NULL CHECK (channel BETWEEN 1 AND 3),
	voice_only BIGINT NOT NULL,
	is_default BIGINT NOT NULL,
	state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 2),
	state_since BIGINT NOT NULL,
	last_used_at BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	label TEXT NOT NULL,
	UNIQUE (account, slot)
) /*sqlite: STRICT*/;
CREATE INDEX phone_number ON phone (number_hash);

CREATE TABLE challenge (
	id BIGINT PRIMARY KEY NOT NULL CHECK (id > 0),
	version BIGINT NOT NULL,
	account BIGINT NOT NULL CHECK (account > 0),
	phone BIGINT NOT NULL,
	kind BIGINT NOT NULL CHECK (kind BETWEEN 1 AND 2),
	state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 3),
	chain BYTEA NOT NULL,
	chain_id BIGINT NOT NULL,
	nonce BYTEA NOT NULL,
	pepper_id BIGINT NOT NULL,
	channel BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	delivery BIGINT NOT NULL,
	used_at BIGINT NOT NULL
) /*sqlite: STRICT*/;
CREATE INDEX challenge_account ON challenge (account, created_at);

CREATE TABLE login (
	id BIGINT PRIMARY KEY NOT NULL CHECK (id > 0),
	version BIGINT NOT NULL,
	account BIGINT NOT NULL,
	service TEXT NOT NULL,
	host TEXT NOT NULL,
	rhost TEXT NOT NULL,
	peer_uid BIGINT NOT NULL,
	state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 4),
	strength BIGINT NOT NULL,
	level BIGINT NOT NULL,
	phone BIGINT NOT NULL,
	last_seq BIGINT NOT NULL,
	verdict BIGINT NOT NULL,
	answer BYTEA NOT NULL,
	started_at BIGINT NOT NULL,
	verified_at BIGINT NOT NULL,
	opened_at BIGINT NOT NULL
) /*sqlite: STRICT*/;
CREATE INDEX login_account ON login (account, started_at);

CREATE TABLE session (
	id BIGINT PRIMARY KEY NOT NULL CHECK (id > 0),
	version BIGINT NOT NULL,
	boot TEXT NOT NULL,
	host TEXT NOT NULL,
	sid BIGINT NOT NULL,
	loginuid BIGINT NOT NULL,
	account BIGINT NOT NULL,
	login BIGINT NOT NULL,
	leader_pid BIGINT NOT NULL,
	leader_start BIGINT NOT NULL,
	service TEXT NOT NULL,
	rhost TEXT NOT NULL,
	tty TEXT NOT NULL,
	strength BIGINT NOT NULL,
	level BIGINT NOT NULL,
	phone BIGINT NOT NULL,
	since BIGINT NOT NULL,
	ended_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	UNIQUE (boot, host, sid)
) /*sqlite: STRICT*/;
CREATE INDEX session_account ON session (account);

CREATE TABLE licence (
	id BIGINT PRIMARY KEY NOT NULL CHECK (id > 0),
	version BIGINT NOT NULL,
	hash BYTEA NOT NULL UNIQUE CHECK (length(hash) = 32),
	key_group TEXT NOT NULL,
	product BIGINT NOT NULL CHECK (product BETWEEN 1 AND 5),
	proofing BIGINT NOT NULL,
	state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 4),
	order_ref TEXT NOT NULL,
	issued_at BIGINT NOT NULL,
	purchased_at BIGINT NOT NULL,
	account BIGINT NOT NULL,
	used_at BIGINT NOT NULL
) /*sqlite: STRICT*/;
CREATE INDEX licence_order ON licence (order_ref, id);

-- Counters, changed by relative updates only. Subject first: a tick reads all
-- that hangs on one subject.
CREATE TABLE throttle (
	subject BIGINT NOT NULL,
	kind BIGINT NOT NULL,
	period BIGINT NOT NULL,
	count BIGINT NOT NULL CHECK (count >= 0),
	last_at BIGINT NOT NULL,
	PRIMARY KEY (subject, kind, period)
) /*sqlite: STRICT, WITHOUT ROWID*/;
