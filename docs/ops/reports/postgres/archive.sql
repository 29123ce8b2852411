-- Moves a batch of rows from before a day to cdrs_archive. Repeat until kept stays the same.
CREATE TABLE IF NOT EXISTS cdrs_archive (LIKE cdrs INCLUDING DEFAULTS);
WITH batch AS (
  DELETE FROM cdrs WHERE id IN (
    SELECT id FROM cdrs WHERE submission_time < '2024-03-01' ORDER BY submission_time LIMIT 1000)
  RETURNING *)
INSERT INTO cdrs_archive SELECT * FROM batch;
SELECT (SELECT COUNT(*) FROM cdrs) AS kept, (SELECT COUNT(*) FROM cdrs_archive) AS archived;
