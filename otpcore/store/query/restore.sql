-- An older store put in place (spent.c, restore.c). $1 is a row's id, $2 now, unless
-- something else is said.

--: behind_counter ii
SELECT count(*) FROM token WHERE id = $1 AND state <> 9 AND moving < $2;
-- $2 the counter.
--: raise_counter ii
UPDATE token SET moving = $2, version = version + 1
WHERE id = $1 AND moving < $2;

--: unspent_token i
SELECT count(*) FROM token WHERE id = $1 AND state <> 9;
--: spend_token ii
UPDATE token SET state = 9, state_since = $2, suspended_by = 0, version = version + 1
WHERE id = $1 AND state <> 9;
--: unspent_recovery i
SELECT count(*) FROM recovery WHERE id = $1 AND used_at = 0;
--: spend_recovery ii
UPDATE recovery SET used_at = $2, version = version + 1 WHERE id = $1 AND used_at = 0;
--: unspent_licence i
SELECT count(*) FROM licence WHERE id = $1 AND state IN (1, 2);
--: spend_licence i
UPDATE licence SET state = 4, version = version + 1 WHERE id = $1 AND state IN (1, 2);
--: unspent_proofing i
SELECT count(*) FROM proofing WHERE id = $1 AND state NOT IN (7, 8);
--: spend_proofing i
UPDATE proofing SET state = 8, version = version + 1 WHERE id = $1 AND state NOT IN (7, 8);
--: unspent_phone i
SELECT count(*) FROM phone WHERE id = $1;
--: spend_phone i
DELETE FROM phone WHERE id = $1;
--: unspent_certificate i
SELECT count(*) FROM certificate WHERE id = $1;
--: spend_certificate i
DELETE FROM certificate WHERE id = $1;
--: unspent_subscription i
SELECT count(*) FROM subscription WHERE id = $1 AND state <> 3;
--: spend_subscription i
UPDATE subscription SET state = 3, version = version + 1 WHERE id = $1 AND state <> 3;
--: unspent_account i
SELECT count(*) FROM account WHERE id = $1;
-- $1 its name.
--: id_of_account t
SELECT id FROM account WHERE name = $1;
--: name_of_account i
SELECT name FROM account WHERE id = $1;
-- One that was removed is not there any more; one that was revoked may be invited again.
--: unspent_host i
SELECT count(*) FROM host WHERE id = $1;
--: spend_host i
UPDATE host SET state = 3, version = version + 1 WHERE id = $1 AND state <> 3;

--: host_of i
SELECT {host} FROM host WHERE id = $1;
--: lock_account i
UPDATE account SET state = 3, version = version + 1 WHERE id = $1 AND state <> 3;
-- $2 the role: nobody gets more than the own account by it.
--: demote_account ii
UPDATE account SET role = $2, version = version + 1 WHERE id = $1 AND role <> $2 AND role <> 1;
--: parent_of_account i
SELECT parent FROM account WHERE id = $1;
--: end_connection i
UPDATE account SET parent = '', version = version + 1 WHERE id = $1;
-- $2 the uid of then, $3 no uid. Who has another is nobody to it.
--: forget_uid iii
UPDATE account SET uid = $3, version = version + 1 WHERE id = $1 AND uid NOT IN ($2, $3);
-- $2 locked or suspended, $3 by whom, $4 now. What is active or expired; locked and now
-- suspended; or what its user suspended, and could take up again alone.
--: stop_token iiii
UPDATE token SET state = $2, suspended_by = $3, state_since = $4, version = version + 1
WHERE id = $1 AND (state IN (5, 8) OR (state = 6 AND $2 = 7)
	OR (state = 7 AND suspended_by = 1 AND $3 <> 1));

-- ---- at every restore: what was under way is over ----
--: end_challenges
DELETE FROM challenge;
--: end_sessions
UPDATE session SET account = 0, login = 0, strength = 0, level = 0, phone = 0, token = 0,
	certificate = 0, holder = 0, version = version + 1 WHERE account > 0;
--: end_logins
UPDATE login SET state = 4, version = version + 1 WHERE state <> 4;
-- $1 nothing.
--: end_enrolments b
UPDATE account SET enrol_key = $1, enrol_at = 0, version = version + 1 WHERE enrol_at > 0;
--: end_invitations
UPDATE host SET code_expires = 0, version = version + 1 WHERE code_expires > 0;
--: end_leases
DELETE FROM lease;
-- $1 now, $2 the window: no code that could have been accepted until now is one.
--: pass_steps ii
UPDATE token SET moving = $1 / period + drift + $2, version = version + 1
WHERE type = 2 AND period > 0 AND state <> 9 AND moving < $1 / period + drift + $2;

-- ---- nobody knows what was used since ----
-- As lifecycle.def's SUSPEND by the broker (suspended_by 4); $1 now.
--: doubt_counters i
UPDATE token SET state = 7, suspended_by = 4,
	state_since = CASE WHEN state = 7 THEN state_since ELSE $1 END, version = version + 1
WHERE type = 1 AND state IN (5, 6, 7, 8) AND (state <> 7 OR suspended_by <> 4);
-- And what waits for approval has no way back from there; $1 now.
--: doubt_waiting i
UPDATE token SET state = 9, state_since = $1, version = version + 1 WHERE type = 1 AND state = 3;
--: void_recoveries i
UPDATE recovery SET used_at = $1, version = version + 1 WHERE used_at = 0;
--: void_licences
UPDATE licence SET state = 4, version = version + 1 WHERE state IN (1, 2);
--: void_proofings
UPDATE proofing SET state = 8, version = version + 1 WHERE state = 6;

-- ---- something sealed, to try a key on ----
--: sample_token
SELECT id, secret FROM token WHERE length(secret) > 0 LIMIT 1;
--: sample_phone
SELECT id, number FROM phone WHERE length(number) > 0 LIMIT 1;
--: sample_email
SELECT id, email FROM account WHERE length(email) > 0 LIMIT 1;
--: sample_authority
SELECT id, secret FROM authority LIMIT 1;
