-- Numbers with their last four digits hidden, for people who may not see them.
SELECT message_id,
       CONCAT(LEFT(calling_number, CHAR_LENGTH(calling_number) - 4), '****') AS calling,
       CONCAT(LEFT(called_number, CHAR_LENGTH(called_number) - 4), '****') AS called, status
FROM cdrs
WHERE CHAR_LENGTH(calling_number) > 4 AND CHAR_LENGTH(called_number) > 4
ORDER BY message_id
LIMIT 2;
