-- Messages of each frontend, day by day (UTC), and how many arrived.
SELECT DATE(submission_time) AS day, dest_smsc, COUNT(*) AS messages,
       SUM(CASE WHEN status = 'delivered' THEN 1 ELSE 0 END) AS delivered
FROM cdrs
WHERE submission_time >= /*from*/ '2024-02-01' AND submission_time < /*to*/ '2024-04-01'
GROUP BY DATE(submission_time), dest_smsc
ORDER BY day, dest_smsc;
