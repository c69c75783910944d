-- Work on the whole store, outside the ticks.

-- Held keys are handed out when the order is paid; the year counts from then (K6, K7).
--: release_licences ti
UPDATE licence SET state = 1, purchased_at = $2, version = version + 1
WHERE order_ref = $1 AND state = 2;

--: delete_counters t
DELETE FROM throttle WHERE subject IN (
	SELECT {account_id}
	UNION SELECT id FROM phone WHERE account = {account_id}
	UNION SELECT id FROM token WHERE account = {account_id} AND account > 0
	UNION SELECT chain_id FROM challenge WHERE account = {account_id});
--: delete_challenges t
DELETE FROM challenge WHERE account = {account_id};
--: delete_phones t
DELETE FROM phone WHERE account = {account_id};
-- A hardware token stays in the inventory, revoked: nobody is to have it again. An
-- app's is gone.
--: delete_apps t
DELETE FROM token WHERE account = {account_id} AND account > 0 AND kind = 2;
-- $2 now.
--: delete_tokens ti
UPDATE token SET account = 0, subscription = 0, suspended_by = 0, label = '',
	state_since = CASE WHEN state = 9 THEN state_since ELSE $2 END, state = 9,
	version = version + 1 WHERE account = {account_id} AND account > 0;
--: delete_recoveries t
DELETE FROM recovery WHERE account = {account_id};
--: delete_mails t
DELETE FROM mail WHERE account = {account_id};
--: delete_certificates t
DELETE FROM certificate WHERE account = {account_id};
--: delete_proofings t
DELETE FROM proofing WHERE account = {account_id};
-- Who logged in with its credentials has none now.
--: delete_connections t
UPDATE account SET parent = '', version = version + 1 WHERE parent = $1 AND parent <> '';
-- And who asked to, asks nobody: the name may be somebody else's next.
--: delete_requests t
UPDATE account SET parent_asked = '', version = version + 1
WHERE parent_asked = $1 AND parent_asked <> '';
--: delete_subscriptions t
DELETE FROM subscription WHERE account = {account_id};
--: delete_logins t
DELETE FROM login WHERE account = {account_id};
-- The id was seen in this boot: the row stays, but no session rests on it.
--: delete_sessions t
UPDATE session SET account = 0, login = 0, strength = 0, level = 0, phone = 0, token = 0,
	certificate = 0, holder = 0,
	version = version + 1 WHERE account = {account_id};
--: delete_account t
DELETE FROM account WHERE id = {account_id};

-- $1 a day ago: older codes are not even told apart from wrong ones.
--: purge_challenges i
DELETE FROM challenge WHERE created_at < $1;
-- $1 31 days ago. What only a right code or an administrator takes back stays.
--: purge_counters i
DELETE FROM throttle WHERE last_at < $1 AND (count = 0 OR kind NOT IN (10, 11, 12));
--: purge_logins i
DELETE FROM login WHERE started_at < $1 AND id NOT IN (
	SELECT (SELECT l.id FROM login AS l WHERE l.account = a.id
		AND (l.opened_at > 0 OR l.verified_at > 0) ORDER BY l.started_at DESC, l.id LIMIT 1)
	FROM account AS a
	WHERE EXISTS (SELECT 1 FROM login AS l WHERE l.account = a.id
		AND (l.opened_at > 0 OR l.verified_at > 0)));
--: purge_sessions tt
DELETE FROM session WHERE host = $2 AND boot <> $1;
-- Of relays, which have boots of their own; $1 two years ago.
--: purge_remote_sessions i
DELETE FROM session WHERE expires_at < $1 AND host IN (SELECT name FROM host);
-- $1 a day ago: an import that nobody committed.
--: purge_staged i
DELETE FROM token WHERE state = 1 AND created_at < $1;
-- $1 31 days ago.
--: purge_recoveries i
DELETE FROM recovery WHERE (used_at > 0 AND used_at < $1) OR (expires_at > 0 AND expires_at < $1);
-- $1 two years ago: until then the row keeps its notice from going out again.
--: purge_mails i
DELETE FROM mail WHERE state <> 1 AND created_at < $1;

-- $1 id, for the first time; $2 organisation, $3 application, $4 edition, $5 when, $6 who.
--: accept_terms ittiit
INSERT INTO terms (id, version, organisation, application, edition, accepted_at, accepted_by)
VALUES ($1, 1, $2, $3, $4, $5, $6)
ON CONFLICT (organisation, application) DO UPDATE SET edition = excluded.edition,
	accepted_at = excluded.accepted_at, accepted_by = excluded.accepted_by,
	version = terms.version + 1;

-- $1 service, $2 account, $3 reason, $4 from, $5 now.
--: observe tttti
INSERT INTO observed (service, account, reason, rhost, times, first_at, last_at)
VALUES ($1, $2, $3, $4, 1, $5, $5)
ON CONFLICT (service, account, reason) DO UPDATE SET rhost = excluded.rhost,
	last_at = excluded.last_at, times = observed.times + 1;
-- $1 31 days ago.
--: purge_observed i
DELETE FROM observed WHERE last_at < $1;

-- $1 host, $2 record, $3 its hash, $4 now. Never back.
--: set_audit_head tibi
INSERT INTO audit_head (host, n, hash, at) VALUES ($1, $2, $3, $4)
ON CONFLICT (host) DO UPDATE SET n = excluded.n, hash = excluded.hash, at = excluded.at
	WHERE excluded.n >= audit_head.n;
--: audit_head t
SELECT n, hash, at FROM audit_head WHERE host = $1;

-- ---- a whole store into another ----
-- After subject $1, kind $2, period $3; $4 limit.
--: page_counters iiii
SELECT kind, subject, period, count, last_at FROM throttle
WHERE subject > $1 OR (subject = $1 AND (kind > $2 OR (kind = $2 AND period > $3)))
ORDER BY subject, kind, period LIMIT $4;
--: copy_counter iiiii
INSERT INTO throttle (kind, subject, period, count, last_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING;
-- After service $1, account $2, reason $3; $4 limit.
--: page_observed ttti
SELECT service, account, reason, rhost, times, first_at, last_at FROM observed
WHERE service > $1 OR (service = $1 AND (account > $2 OR (account = $2 AND reason > $3)))
ORDER BY service, account, reason LIMIT $4;
--: copy_observed ttttiii
INSERT INTO observed (service, account, reason, rhost, times, first_at, last_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING;
--: find_observed ttt
SELECT service, account, reason, rhost, times, first_at, last_at FROM observed
WHERE service = $1 AND account = $2 AND reason = $3;
--: count_rows
SELECT (SELECT count(*) FROM account) + (SELECT count(*) FROM subscription)
	+ (SELECT count(*) FROM phone) + (SELECT count(*) FROM token)
	+ (SELECT count(*) FROM recovery) + (SELECT count(*) FROM challenge)
	+ (SELECT count(*) FROM login) + (SELECT count(*) FROM session)
	+ (SELECT count(*) FROM licence) + (SELECT count(*) FROM proofing)
	+ (SELECT count(*) FROM certificate) + (SELECT count(*) FROM seats)
	+ (SELECT count(*) FROM terms) + (SELECT count(*) FROM mail)
	+ (SELECT count(*) FROM host) + (SELECT count(*) FROM authority)
	+ (SELECT count(*) FROM data_key) + (SELECT count(*) FROM audit_head)
	+ (SELECT count(*) FROM throttle) + (SELECT count(*) FROM observed) AS n;
--: page_heads
SELECT host, n, hash, at FROM audit_head;
--: page_meta
SELECT name, value FROM meta WHERE name <> 'schema' ORDER BY name;
