-- How messages ended.
SELECT status, COUNT(*) AS messages,
       printf('%.1f', COUNT(*) * 100.0 / SUM(COUNT(*)) OVER ()) AS percent
FROM cdrs
WHERE submission_time >= /*from*/ '2024-02-01' AND submission_time < /*to*/ '2024-04-01'
GROUP BY status
ORDER BY messages DESC, status;
