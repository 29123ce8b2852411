-- Messages of each hour of one day (UTC). Change the day.
SELECT HOUR(submission_time) AS hour, COUNT(*) AS messages
FROM cdrs
WHERE submission_time >= '2024-02-29' AND submission_time < '2024-03-01'
GROUP BY HOUR(submission_time)
ORDER BY hour;
