-- Everything of one number, the newest first.
SELECT message_id, calling_number, called_number, status, submission_time
FROM cdrs
WHERE (calling_number = /*number*/ '+15551230000' OR called_number = /*number*/ '+15551230000')
  AND submission_time >= /*from*/ '2024-02-01' AND submission_time < /*to*/ '2024-04-01'
ORDER BY submission_time DESC, message_id DESC
LIMIT /*limit*/ 1000;
