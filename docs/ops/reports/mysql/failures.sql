-- Destinations to which two messages or more did not arrive.
SELECT called_number, COUNT(*) AS failures
FROM cdrs
WHERE status IN ('failed', 'expired', 'rejected')
GROUP BY called_number
HAVING COUNT(*) >= 2
ORDER BY failures DESC, called_number;
