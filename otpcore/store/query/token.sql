-- The inventory of tokens, and what the calendar asks for.

-- All or nothing: only if as many are staged as the importer believes ($2).
--: commit_tokens ii
UPDATE token SET state = 2, version = version + 1 WHERE batch = $1 AND state = 1
AND (SELECT count(*) FROM token AS staged WHERE staged.batch = $1 AND staged.state = 1) = $2;
--: cancel_tokens i
DELETE FROM token WHERE batch = $1 AND state = 1;

-- The import that staged the serial $1, if nothing of it has come since $2.
--: drop_import ti
DELETE FROM token WHERE state = 1
AND batch = (SELECT batch FROM token AS one WHERE one.serial = $1 AND one.state = 1)
AND (SELECT max(created_at) FROM token AS late WHERE late.state = 1 AND late.batch =
	(SELECT batch FROM token AS one WHERE one.serial = $1 AND one.state = 1)) < $2;

-- $1 after this serial, $2 state (0: all but the staged ones), $3 limit.
--: list_tokens tii
SELECT {token},
	coalesce((SELECT name FROM account WHERE account.id = token.account), '') AS holder,
	coalesce((SELECT expires_at FROM subscription
		WHERE subscription.id = token.subscription), 0) AS expires_at
FROM token WHERE serial > $1 AND state = CASE WHEN $2 = 0 AND state <> 1 THEN state ELSE $2 END
ORDER BY serial LIMIT $3;

--: find_token t
SELECT {token},
	coalesce((SELECT name FROM account WHERE account.id = token.account), '') AS holder,
	coalesce((SELECT expires_at FROM subscription
		WHERE subscription.id = token.subscription), 0) AS expires_at
FROM token WHERE serial = $1 AND state <> 1;

-- Those whose codes are a host's for a while. $1 after this serial, $2 limit.
--: list_leases ti
SELECT {token},
	coalesce((SELECT name FROM account WHERE account.id = token.account), '') AS holder,
	lease_until
FROM token WHERE lease <> 0 AND serial > $1 ORDER BY serial LIMIT $2;

-- $1 after this name; $2 active subscriptions that expire before, $3 expired ones
-- with a token that did before (one that is still active (5) is always due), $4 tokens
-- suspended before; $5 limit.
--: due_accounts tiiii
SELECT name FROM account WHERE name > $1 AND id IN (
	SELECT account FROM subscription WHERE state = 1 AND expires_at > 0 AND expires_at < $2
	UNION SELECT token.account FROM subscription JOIN token
		ON token.account = subscription.account AND token.account > 0
		WHERE subscription.state = 2 AND token.state <> 9
		AND (subscription.expires_at < $3 OR token.state = 5)
	UNION SELECT account FROM token WHERE state = 7 AND account > 0 AND state_since < $4)
ORDER BY name LIMIT $5;

-- $1 host, $2 after this name, $3 limit.
--: passwords_due tti
SELECT name FROM account WHERE password_host = $1 AND password_due > 0 AND name > $2
ORDER BY name LIMIT $3;

-- Those that people hold: active phones, tokens and apps that are not revoked.
--: count_credentials
SELECT (SELECT count(*) FROM phone WHERE state = 2)
	+ (SELECT count(*) FROM token WHERE account > 0 AND state <> 9);

-- $1 due until now, $2 limit.
--: mails_waiting ii
SELECT {mail}, coalesce((SELECT name FROM account WHERE account.id = mail.account), '') AS holder
FROM mail WHERE state = 1 AND next_at <= $1 ORDER BY next_at, id LIMIT $2;

--: mail_known t
SELECT 1 FROM mail WHERE once = $1;

--: meta_get t
SELECT value FROM meta WHERE name = $1;
--: meta_set ti
INSERT INTO meta (name, value) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- ---- leases: $1 name, $2 holder, $3 now, $4 later than any good one ends, $5 until ----
--: lease_of_other ttii
SELECT 1 FROM lease WHERE name = $1 AND holder <> $2 AND until > $3 AND until <= $4;
--: lease_take ttiii
INSERT INTO lease (name, holder, until, version) VALUES ($1, $2, $5, 1)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until,
	version = lease.version + 1
WHERE lease.holder = excluded.holder OR lease.until <= $3 OR lease.until > $4;
