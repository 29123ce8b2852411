-- Makes the table one of a partition a month; the old one stays, as cdrs_before, until you drop it.
-- Every key must hold submission_time then; a message has one submission_time, so
-- (message_id, submission_time) still keeps doubles out.
-- Without a partition for its month a row waits in the outbox: make partitions in time.
BEGIN;
ALTER TABLE cdrs RENAME TO cdrs_before;
CREATE TABLE cdrs (LIKE cdrs_before INCLUDING DEFAULTS) PARTITION BY RANGE (submission_time);
ALTER SEQUENCE cdrs_id_seq OWNED BY cdrs.id;
CREATE TABLE cdrs_2024_02 PARTITION OF cdrs FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE cdrs_2024_03 PARTITION OF cdrs FOR VALUES FROM ('2024-03-01') TO ('2024-04-01');
INSERT INTO cdrs SELECT * FROM cdrs_before;
DROP INDEX idx_cdrs_message_id, idx_cdrs_calling_number, idx_cdrs_called_number, idx_cdrs_status,
  idx_cdrs_submission_time, idx_cdrs_dest_smsc;
ALTER TABLE cdrs ADD CONSTRAINT cdrs_key PRIMARY KEY (id, submission_time);
CREATE UNIQUE INDEX idx_cdrs_message_id ON cdrs (message_id, submission_time);
CREATE INDEX idx_cdrs_calling_number ON cdrs (calling_number, id);
CREATE INDEX idx_cdrs_called_number ON cdrs (called_number, id);
CREATE INDEX idx_cdrs_status ON cdrs (status, id);
CREATE INDEX idx_cdrs_submission_time ON cdrs (submission_time);
CREATE INDEX idx_cdrs_dest_smsc ON cdrs (dest_smsc, id);
COMMIT;
-- Next month: one more partition. Years later: a month goes in an instant.
CREATE TABLE cdrs_2024_04 PARTITION OF cdrs FOR VALUES FROM ('2024-04-01') TO ('2024-05-01');
DROP TABLE cdrs_2024_04;
