-- Average and longest time to delivery, by frontend: seconds, and milliseconds.
SELECT dest_smsc,
       ROUND(AVG(FLOOR(EXTRACT(EPOCH FROM delivery_time - submission_time))), 1) AS average_s,
       ROUND(AVG(EXTRACT(EPOCH FROM delivery_time - submission_time)) * 1000) AS average_ms,
       MAX(FLOOR(EXTRACT(EPOCH FROM delivery_time - submission_time))) AS longest_s
FROM cdrs
WHERE status = 'delivered' AND delivery_time IS NOT NULL
  AND submission_time >= /*from*/ '2024-02-01' AND submission_time < /*to*/ '2024-04-01'
GROUP BY dest_smsc
ORDER BY dest_smsc;
