-- Numbers with their last four digits hidden, for people who may not see them.
SELECT message_id,
       CONCAT(LEFT(calling_number, -4), '****') AS calling,
       CONCAT(LEFT(called_number, -4), '****') AS called, status
FROM cdrs
WHERE LENGTH(calling_number) > 4 AND LENGTH(called_number) > 4
  AND submission_time >= /*from*/ '2024-02-01' AND submission_time < /*to*/ '2024-04-01'
ORDER BY message_id
LIMIT /*limit*/ 1000;
