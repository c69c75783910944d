-- Paged reads for administrators.

-- $1 after this name, $2 state (0: all), $3 expiring before (0: all), $4 limit.
--: list_accounts tiii
SELECT {account}, phones, level, last_login_at, expires_at, tokens, apps FROM (
	SELECT {account},
		(SELECT count(*) FROM phone WHERE phone.account = account.id AND phone.state = 2
			AND NOT EXISTS (SELECT 1 FROM subscription
				WHERE subscription.id = phone.subscription
				AND subscription.proofing = 1)) AS phones,
		(SELECT count(*) FROM token WHERE token.account = account.id AND token.kind = 1
			AND token.state BETWEEN 5 AND 7 AND token.account > 0) AS tokens,
		(SELECT count(*) FROM token WHERE token.account = account.id AND token.kind = 2
			AND token.state BETWEEN 5 AND 7 AND token.account > 0) AS apps,
		(SELECT coalesce(max(level), 1) FROM subscription
			WHERE subscription.account = account.id AND subscription.state = 1) AS level,
		(SELECT coalesce(max(verified_at), 0) FROM login WHERE login.account = account.id)
			AS last_login_at,
		(SELECT coalesce(max(expires_at), 0) FROM subscription
			WHERE subscription.account = account.id AND subscription.state <> 3)
			AS expires_at
	FROM account WHERE name > $1 AND ($2 = 0 OR account.state = $2)) AS a
WHERE $3 = 0 OR (expires_at > 0 AND expires_at < $3) ORDER BY name LIMIT $4;

-- $1 after this id, $2 order ('' any), $3 state (0 any), $4 limit.
--: list_licences itii
SELECT {licence},
	coalesce((SELECT name FROM account WHERE account.id = licence.account), '') AS holder
FROM licence WHERE id > $1 AND ($2 = '' OR order_ref = $2) AND ($3 = 0 OR state = $3)
ORDER BY id LIMIT $4;

-- $1 after this id, $2 account ('' all), $3 now, $4 limit.
--: list_sessions itii
SELECT {session},
	coalesce((SELECT name FROM account WHERE account.id = session.account), '') AS holder_name,
	coalesce((SELECT organisation FROM account WHERE account.id = session.account), '')
		AS organisation,
	coalesce((SELECT started_at FROM login WHERE login.id = session.login), 0) AS begun_at,
	coalesce((SELECT strength FROM login WHERE login.id = session.login), 0) AS proven
FROM session WHERE id > $1 AND account > 0 AND ended_at = 0 AND expires_at > $3
	AND ($2 = '' OR account = (SELECT id FROM account WHERE name = $2))
ORDER BY id LIMIT $4;

-- $1 after this name, $2 limit: organisations that have accounts; '' is one of them.
--: list_organisations ti
SELECT organisation, count(*) AS accounts FROM account WHERE organisation > $1
GROUP BY organisation ORDER BY organisation LIMIT $2;

--: find_organisation t
SELECT organisation, count(*) AS accounts FROM account WHERE organisation = $1
GROUP BY organisation;

--: list_terms t
SELECT {terms} FROM terms WHERE organisation = $1 ORDER BY application;

-- $1 after this name, $2 organisation ('' any), $3 now, $4 limit. Of several
-- subscriptions that wait one stands for the account.
--: list_waiting ttii
SELECT account.name, subscription.product, subscription.proofing, coalesce(proofing.state, 0),
	coalesce(proofing.method, 0), coalesce(proofing.appointment_at, 0),
	coalesce(proofing.expires_at, 0)
FROM account
JOIN subscription ON subscription.id = (SELECT min(s.id) FROM subscription AS s
	WHERE s.account = account.id AND s.state = 1 AND s.proofing IN (1, 2)
	AND s.expires_at >= $3)
LEFT JOIN proofing ON proofing.id = (SELECT p.id FROM proofing AS p
	WHERE p.account = account.id ORDER BY p.created_at DESC, p.id LIMIT 1)
WHERE account.id IN (SELECT account FROM subscription WHERE proofing IN (1, 2))
	AND account.name > $1 AND ($2 = '' OR account.organisation = $2)
ORDER BY account.name LIMIT $4;

-- $1 service; $2, $3 after this account and reason; $4 limit.
--: list_observed ttti
SELECT account, reason, rhost, times, first_at, last_at,
	coalesce((SELECT organisation FROM account AS a WHERE a.name = observed.account), '')
		AS organisation
FROM observed WHERE service = $1 AND (account > $2 OR (account = $2 AND reason > $3))
ORDER BY account, reason LIMIT $4;

-- $1 now. Accounts; those that nothing but the password is known of; break-glass codes.
--: overview i
SELECT (SELECT count(*) FROM account) AS accounts,
	(SELECT count(*) FROM account WHERE parent = ''
		AND NOT EXISTS (SELECT 1 FROM phone WHERE phone.account = account.id
			AND phone.state = 2)
		AND NOT EXISTS (SELECT 1 FROM token WHERE token.account = account.id
			AND token.state BETWEEN 5 AND 7 AND token.account > 0)
		AND NOT EXISTS (SELECT 1 FROM certificate WHERE certificate.account = account.id
			AND certificate.state = 2)) AS bare,
	(SELECT count(*) FROM recovery WHERE kind = 2 AND used_at = 0
		AND (expires_at = 0 OR expires_at > $1)) AS break_glass;

-- $1 after this name, $2 limit.
--: list_hosts ti
SELECT {host} FROM host WHERE name > $1 ORDER BY name LIMIT $2;

-- The one that signs hosts' certificates.
--: authority
SELECT {authority} FROM authority WHERE id = 1;

-- $1 its sealed key, $2 now. Nothing, if another broker was first.
--: make_authority bi
INSERT INTO authority (id, version, secret, created_at) VALUES (1, 1, $1, $2)
ON CONFLICT (id) DO NOTHING;
