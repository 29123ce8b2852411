-- Moves a batch of rows from before a day to cdrs_archive. Repeat until kept stays the same.
CREATE TABLE IF NOT EXISTS cdrs_archive LIKE cdrs;
START TRANSACTION;
CREATE TEMPORARY TABLE batch AS
  SELECT id FROM cdrs WHERE submission_time < '2024-03-01' ORDER BY submission_time LIMIT 1000;
INSERT INTO cdrs_archive SELECT cdrs.* FROM cdrs JOIN batch ON batch.id = cdrs.id;
DELETE cdrs FROM cdrs JOIN batch ON batch.id = cdrs.id;
DROP TEMPORARY TABLE batch;
COMMIT;
SELECT (SELECT COUNT(*) FROM cdrs) AS kept, (SELECT COUNT(*) FROM cdrs_archive) AS archived;
