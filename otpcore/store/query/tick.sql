-- What a tick reads and charges. "--: name types" heads a statement; types are
-- those of its parameters: i integer, t text, b bytes. {table} becomes the
-- table's columns. A statement with {account_id} is made twice, NAME (account by
-- its name, $1) and NAME_UID (by its uid); an ambiguous uid finds nothing.

--: account t
SELECT {account} FROM account WHERE id = {account_id};

-- The active ones first: one place stays free.
--: subscriptions t
SELECT {subscription} FROM subscription WHERE account = {account_id}
ORDER BY state, expires_at DESC LIMIT 7;

--: phones t
SELECT {phone} FROM phone WHERE account = {account_id} ORDER BY slot LIMIT 4;

-- Those not revoked first (H1: one of each kind), then the latest: two places stay
-- free.
--: tokens t
SELECT {token} FROM token WHERE account = {account_id} AND account > 0
ORDER BY state = 9, state_since DESC, id LIMIT 4;

-- $2 now. Of the codes there are ten, of the administrators' few.
--: recoveries ti
SELECT {recovery} FROM recovery WHERE account = {account_id} AND used_at = 0
AND (expires_at = 0 OR expires_at > $2) ORDER BY kind, created_at DESC, id LIMIT 20;

-- The newest: four places stay free for this tick's own. Of one second the live
-- ones (state 1) come first.
--: challenges ti
SELECT {challenge} FROM challenge WHERE account = {account_id} AND created_at > $2
ORDER BY created_at DESC, state, id LIMIT 12;

-- Counters of the account, its phones and tokens and the chains of its challenges
-- (those read above, not of all that a busy day leaves): by the day and without
-- period of 31 days ($2), by the hour of two ($3). What only a right code or an
-- administrator takes back (H4, H13) never grows old. A chain is named by each of its
-- challenges: its counter may come several times.
--: throttles tiii
SELECT kind, throttle.subject, period, count, last_at FROM (
	SELECT {account_id} AS subject
	UNION ALL SELECT id FROM phone WHERE account = {account_id}
	UNION ALL SELECT id FROM (
		SELECT id FROM token WHERE account = {account_id} AND account > 0
		ORDER BY state = 9, state_since DESC, id LIMIT 4) AS tokens
	UNION ALL SELECT chain_id FROM (
		SELECT chain_id FROM challenge WHERE account = {account_id} AND created_at > $4
		ORDER BY created_at DESC, state, id LIMIT 12) AS newest) AS owned
CROSS JOIN throttle WHERE throttle.subject = owned.subject
AND (kind BETWEEN 10 AND 12
	OR last_at > CASE WHEN kind BETWEEN 6 AND 9 OR kind = 20 THEN $3 ELSE $2 END)
LIMIT 257;

--: latest t
SELECT {login} FROM login WHERE account = {account_id}
ORDER BY started_at DESC LIMIT 1;

--: previous t
SELECT {login} FROM login WHERE account = {account_id} AND (opened_at > 0 OR verified_at > 0)
ORDER BY started_at DESC LIMIT 4;

--: login i
SELECT {login} FROM login WHERE id = $1;

--: session tti
SELECT {session} FROM session WHERE boot = $1 AND host = $2 AND sid = $3;

--: sessions_of ti
SELECT {session} FROM session WHERE account = {account_id} AND account > 0 AND ended_at = 0
AND (expires_at = 0 OR expires_at > $2) ORDER BY since DESC, id LIMIT 1024;

--: licence b
SELECT {licence} FROM licence WHERE hash = $1;

-- What is staged does not exist yet.
--: token t
SELECT {token} FROM token WHERE serial = $1 AND state <> 1;

-- The latest: four places stay free.
--: proofings t
SELECT {proofing} FROM proofing WHERE account = {account_id}
ORDER BY created_at DESC, id LIMIT 8;

-- The connected ones first; the conditions are those of the indexes.
--: children t
SELECT name, 1 FROM account WHERE parent = $1 AND parent <> ''
UNION ALL SELECT name, 0 FROM account WHERE parent_asked = $1 AND parent_asked <> '' LIMIT 16;

--: certificates t
SELECT {certificate} FROM certificate WHERE account = {account_id} ORDER BY slot LIMIT 4;

--: certificate i
SELECT {certificate} FROM certificate WHERE id = $1;

-- State 2: of one account alone.
--: key_holder b
SELECT {certificate}, (SELECT name FROM account WHERE account.id = certificate.account)
FROM certificate WHERE key_hash = $1 AND state = 2;

--: seats t
SELECT {seats} FROM seats WHERE order_ref = $1;

--: host t
SELECT {host} FROM host WHERE name = $1;

-- $2 the application.
--: terms tt
SELECT {terms} FROM terms WHERE application = $2
AND organisation = (SELECT organisation FROM account WHERE name = $1);

--: throttle iii
SELECT kind, subject, period, count, last_at FROM throttle
WHERE kind = $1 AND subject = $2 AND period = $3;

--: charge iiiii
INSERT INTO throttle (kind, subject, period, count, last_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (subject, kind, period) DO UPDATE
SET count = throttle.count + excluded.count, last_at = excluded.last_at RETURNING count;

-- No row is made to take something off it.
--: refund iiiii
UPDATE throttle SET count = CASE WHEN count < $4 THEN 0 ELSE count - $4 END, last_at = $5
WHERE kind = $1 AND subject = $2 AND period = $3 RETURNING count;

--: reset iiii
UPDATE throttle SET count = 0, last_at = $4
WHERE kind = $1 AND subject = $2 AND period = $3 RETURNING count;
