-- Everything of one number, the newest first. Change the number.
SELECT message_id, calling_number, called_number, status, submission_time
FROM cdrs
WHERE calling_number = '+15551230000' OR called_number = '+15551230000'
ORDER BY submission_time DESC, message_id DESC
LIMIT 100;
