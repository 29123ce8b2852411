-- Destinations to which two messages or more did not arrive.
SELECT called_number, COUNT(*) AS failures
FROM cdrs
WHERE status IN ('failed', 'expired', 'rejected')
  AND submission_time >= /*from*/ '2024-02-01' AND submission_time < /*to*/ '2024-04-01'
GROUP BY called_number
HAVING COUNT(*) >= 2
ORDER BY failures DESC, called_number
LIMIT /*limit*/ 1000;
