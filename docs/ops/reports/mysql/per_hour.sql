-- Messages of each hour of the day (UTC).
SELECT HOUR(submission_time) AS hour, COUNT(*) AS messages
FROM cdrs
WHERE submission_time >= /*from*/ '2024-02-29' AND submission_time < /*to*/ '2024-03-01'
GROUP BY HOUR(submission_time)
ORDER BY hour;
