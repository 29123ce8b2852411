-- Messages of each hour of the day (UTC).
SELECT CAST(strftime('%H', submission_time) AS INTEGER) AS hour, COUNT(*) AS messages
FROM cdrs
WHERE submission_time >= /*from*/ '2024-02-29' AND submission_time < /*to*/ '2024-03-01'
GROUP BY hour
ORDER BY hour;
