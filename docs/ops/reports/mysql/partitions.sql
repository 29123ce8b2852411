-- Makes the table one of a partition a month. Every key must hold submission_time then; a message
-- has one submission_time, so (message_id, submission_time) still keeps doubles out.
-- Without a partition for its month a row waits in the outbox: make partitions in time.
ALTER TABLE cdrs
  DROP PRIMARY KEY, ADD PRIMARY KEY (id, submission_time),
  DROP INDEX idx_cdrs_message_id,
  ADD UNIQUE KEY idx_cdrs_message_id (message_id, submission_time);
ALTER TABLE cdrs PARTITION BY RANGE COLUMNS (submission_time) (
  PARTITION p2024_02 VALUES LESS THAN ('2024-03-01'),
  PARTITION p2024_03 VALUES LESS THAN ('2024-04-01')
);
-- Next month: one more partition. Years later: a month goes in an instant.
ALTER TABLE cdrs ADD PARTITION (PARTITION p2024_04 VALUES LESS THAN ('2024-05-01'));
ALTER TABLE cdrs DROP PARTITION p2024_04;
