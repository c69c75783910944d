-- Work on the whole store, outside the ticks.

-- Held keys are handed out when the order is paid; the year counts from then (K6, K7).
--: release_licences ti
UPDATE licence SET state = 1, purchased_at = $2, version = version + 1
WHERE order_ref = $1 AND state = 2;

--: delete_counters t
DELETE FROM throttle WHERE subject IN (
	SELECT {account_id}
	UNION SELECT id FROM phone WHERE account = {account_id}
	UNION SELECT chain_id FROM challenge WHERE account = {account_id});
--: delete_challenges t
DELETE FROM challenge WHERE account = {account_id};
--: delete_phones t
DELETE FROM phone WHERE account = {account_id};
--: delete_subscriptions t
DELETE FROM subscription WHERE account = {account_id};
--: delete_logins t
DELETE FROM login WHERE account = {account_id};
-- The id was seen in this boot: the row stays, but no session rests on it.
--: delete_sessions t
UPDATE session SET account = 0, login = 0, strength = 0, level = 0, phone = 0,
	version = version + 1 WHERE account = {account_id};
--: delete_account t
DELETE FROM account WHERE id = {account_id};

-- $1 a day ago: older codes are not even told apart from wrong ones.
--: purge_challenges i
DELETE FROM challenge WHERE created_at < $1;
-- $1 31 days ago.
--: purge_counters i
DELETE FROM throttle WHERE last_at < $1;
--: purge_logins i
DELETE FROM login WHERE started_at < $1 AND id NOT IN (
	SELECT (SELECT l.id FROM login AS l WHERE l.account = a.id
		AND (l.opened_at > 0 OR l.verified_at > 0) ORDER BY l.started_at DESC, l.id LIMIT 1)
	FROM account AS a
	WHERE EXISTS (SELECT 1 FROM login AS l WHERE l.account = a.id
		AND (l.opened_at > 0 OR l.verified_at > 0)));
--: purge_sessions tt
DELETE FROM session WHERE host = $2 AND boot <> $1;
